"""The launcher's parts: snapshots, ports, private files, progress, environments and what a machine must have."""

import io
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from local import environment, ports, private_files, settings
from local.deployment import tool_environment
from local.progress import Progress
from local.snapshots import SnapshotStore, encoded


class TestSnapshots:
    def test_what_was_written_last_is_current(self, tmp_path):
        store = SnapshotStore(tmp_path)

        store.write({"sqs": b"1", "iam": b"2"})
        store.write({"sqs": b"3"})

        assert {file.name: file.read_bytes() for file in store.current.iterdir()} == {
            "sqs.json": b"3",
            "iam.json": b"2",
        }
        assert len([path for path in tmp_path.iterdir() if path.is_dir() and not path.is_symlink()]) == 1

    def test_nothing_is_written_when_nothing_changed(self, tmp_path):
        store = SnapshotStore(tmp_path)
        store.write({"sqs": b"1"})
        before = store.current.readlink()

        assert store.write({"sqs": b"1"}) is False
        assert store.current.readlink() == before

    def test_a_writer_that_dies_leaves_the_snapshot_before(self, tmp_path, monkeypatch):
        store = SnapshotStore(tmp_path)
        store.write({"sqs": b"1", "iam": b"1"})

        class Killed(BaseException):
            pass

        def die(self, content):
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_bytes", die)
            with pytest.raises(Killed):
                store.write({"sqs": b"2", "iam": b"2"})

        reopened = SnapshotStore(tmp_path)
        assert {file.read_bytes() for file in reopened.current.iterdir()} == {b"1"}
        assert reopened.write({"sqs": b"3"})

    def test_code_stays_while_it_is_named(self, tmp_path):
        store = SnapshotStore(tmp_path)
        store.code.mkdir()
        for name in ("used.zip", "old.zip"):
            (store.code / name).write_bytes(b"")

        store.prune_code({"used"})

        assert [file.name for file in store.code.iterdir()] == ["used.zip"]

    def test_a_state_that_changes_meanwhile_is_read_again(self):
        attempts = []

        def encode(state):
            attempts.append(state)
            if len(attempts) < 3:
                raise RuntimeError("dictionary changed size during iteration")
            return json.dumps(state)

        assert encoded({"a": 1}, encode) == b'{"a": 1}'
        assert len(attempts) == 3


class TestPorts:
    def test_they_stay_the_same(self, tmp_path):
        first = ports.chosen(tmp_path / "ports.json", ("emulator", "cluster"))

        again = ports.chosen(tmp_path / "ports.json", ("emulator", "cluster"))

        assert first == again
        assert len(set(first.values())) == 2

    def test_one_that_was_taken_meanwhile_is_replaced(self, tmp_path):
        first = ports.chosen(tmp_path / "ports.json", ("emulator", "cluster"))

        with socket.socket() as taken:
            taken.bind((settings.HOST, first["emulator"]))
            taken.listen()
            again = ports.chosen(tmp_path / "ports.json", ("emulator", "cluster"))

        assert again["emulator"] != first["emulator"]
        assert again["cluster"] == first["cluster"]

    def test_a_spoilt_file_is_written_anew(self, tmp_path):
        (tmp_path / "ports.json").write_text("{")

        assert set(ports.chosen(tmp_path / "ports.json", ("emulator",))) == {"emulator"}


class TestPrivateFiles:
    def test_it_is_made_once_for_its_owner_alone(self, tmp_path):
        file = tmp_path / "keys" / "administrator"

        made = private_files.kept(file, private_files.password)

        assert private_files.kept(file, private_files.password) == made
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert len(made) == 23

    def test_replacing_keeps_it_private(self, tmp_path):
        private_files.write(tmp_path / "stack.json", b"{}")
        private_files.write(tmp_path / "stack.json", b"{1}")

        assert (tmp_path / "stack.json").read_bytes() == b"{1}"
        assert [file.name for file in tmp_path.iterdir()] == ["stack.json"]


class TestProgress:
    def test_a_step_is_numbered_and_timed(self):
        out = io.StringIO()
        progress = Progress(out)

        with progress.step("starting"):
            pass
        with progress.step("deploying"):
            pass

        assert out.getvalue().splitlines() == ["[1] starting … 0.0 s", "[2] deploying … 0.0 s"]

    def test_a_failed_step_is_not_reported_as_done(self):
        out = io.StringIO()

        with pytest.raises(ValueError, match="no"), Progress(out).step("starting"):
            raise ValueError("no")

        assert out.getvalue() == ""


class TestEnvironments:
    @pytest.fixture
    def nothing(self, tmp_path):
        """Requirements that need no package index."""
        file = tmp_path / "requirements.txt"
        file.write_text("# none\n")
        return file

    def test_a_whole_one_is_kept(self, tmp_path, nothing):
        assert environment.prepare(tmp_path / "venv", [nothing]) is True
        assert environment.prepare(tmp_path / "venv", [nothing]) is False

    def test_a_half_built_one_is_made_again(self, tmp_path, nothing):
        (tmp_path / "venv" / "bin").mkdir(parents=True)
        (tmp_path / "venv" / "bin" / "python").write_text("broken")

        environment.prepare(tmp_path / "venv", [nothing])

        assert subprocess.run([tmp_path / "venv" / "bin" / "python", "-c", ""]).returncode == 0

    def test_other_requirements_make_another_one_also_in_an_included_file(self, tmp_path, nothing):
        including = tmp_path / "all.txt"
        including.write_text("-r requirements.txt\n")
        environment.prepare(tmp_path / "venv", [including])

        nothing.write_text("# still none\n")

        assert environment.prepare(tmp_path / "venv", [including]) is True

    def test_a_failure_says_what_could_not_be_installed(self, tmp_path):
        (tmp_path / "bad.txt").write_text("./does-not-exist-anywhere\n")

        with pytest.raises(environment.EnvironmentFailed, match=r"could not install bad\.txt"):
            environment.prepare(tmp_path / "venv", [tmp_path / "bad.txt"])


class TestPreconditions:
    def check(self, path: str, python: str = sys.executable) -> str:
        done = subprocess.run(
            ["/bin/sh", "local/preconditions.sh"],
            cwd=settings.CHECKOUT,
            env={"PATH": path, "PYTHON": python},
            capture_output=True,
            text=True,
        )
        assert len(done.stderr.splitlines()) <= 1
        return done.stderr

    @pytest.fixture
    def tools(self, tmp_path):
        """A folder with what every machine has, and whatever a test adds."""
        (tmp_path / "sed").symlink_to("/bin/sed")

        def add(name, script):
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)

        return tmp_path, add

    def test_a_machine_with_all_of_it_passes(self, tools):
        folder, add = tools
        add("node", "echo v20.1.0")

        assert self.check(str(folder)) == ""

    def test_no_python(self, tools):
        assert "Python 3.11 or newer is needed and none was found" in self.check(str(tools[0]), python="")

    def test_an_old_python(self, tools):
        folder, add = tools
        add("python3.9", "exit 1")

        assert "is not Python 3.11 or newer" in self.check(str(folder), python=str(folder / "python3.9"))

    def test_no_node(self, tools):
        assert "Node.js 20 or newer is needed and was not found" in self.check(str(tools[0]))

    def test_an_old_node(self, tools):
        folder, add = tools
        add("node", "echo v18.19.0")

        assert "this is v18.19.0" in self.check(str(folder))


def test_tools_act_on_the_emulator_whatever_account_the_person_is_logged_in_to():
    caller = {"PATH": "/bin", "AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "t", "AWS_ENDPOINT_URL": "https://x"}

    made = tool_environment(caller)

    assert made["PATH"] == "/bin"
    assert made["AWS_ACCESS_KEY_ID"] == "test"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"} & set(made)
    assert made["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
