"""A package is a function of its files, and of nothing else."""

import io
import os
import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.errors import PackageInvalid
from cli.packing import pack

file_sets = st.dictionaries(
    st.lists(st.from_regex(r"[a-z]{1,8}(\.js)?", fullmatch=True), min_size=1, max_size=3).map("/".join),
    st.binary(max_size=200),
    max_size=8,
)


def write(folder: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    """Write what can be written: a name that is a folder of another one is skipped. Gives what is there."""
    written = {}
    for name, content in files.items():
        path = folder / name
        if path.is_dir() or any(parent.is_file() for parent in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written[name] = content
    return written


def contents(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@given(files=file_sets)
def test_the_same_files_give_the_same_bytes_whatever_their_order_times_and_permissions(files):
    files = {"manifest.json": b"{}", **files}
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        written = write(Path(first), files)
        write(Path(second), dict(reversed(written.items())))
        for path in Path(second).rglob("*"):
            os.utime(path, (1_500_000_000, 1_500_000_000))
            path.chmod(0o755)

        packages = pack(Path(first)), pack(Path(second))

    assert packages[0] == packages[1]
    expected = {name: content for name, content in written.items() if name.split("/")[0] != "tests"}
    assert contents(packages[0]) == expected


@given(files=file_sets)
def test_entries_are_sorted_plain_files(files):
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {"manifest.json": b"{}", **files})
        package = pack(Path(folder))

    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.external_attr >> 16 for entry in entries} == {stat.S_IFREG | 0o644}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


def test_dot_files_tests_and_caches_stay_at_home_but_vendored_tests_do_not(tmp_path):
    write(
        tmp_path,
        {
            "manifest.json": b"{}",
            "index.js": b"",
            ".env": b"SECRET=1",
            ".git/config": b"",
            "tests/index.test.js": b"",
            "__pycache__/plugin.pyc": b"",
            "node_modules/dep/tests/fixture.js": b"",
            "node_modules/.bin/dep": b"",
        },
    )

    assert set(contents(pack(tmp_path))) == {"manifest.json", "index.js", "node_modules/dep/tests/fixture.js"}


@pytest.mark.parametrize("target", ["/etc/passwd", "manifest.json", "missing"])
def test_a_link_is_refused_wherever_it_leads(tmp_path, target):
    write(tmp_path, {"manifest.json": b"{}"})
    (tmp_path / "link.js").symlink_to(target)

    with pytest.raises(PackageInvalid, match=r"link\.js is a link"):
        pack(tmp_path)


def test_a_link_to_a_folder_is_refused(tmp_path):
    write(tmp_path, {"manifest.json": b"{}", "lib/a.js": b""})
    (tmp_path / "other").symlink_to(tmp_path / "lib")

    with pytest.raises(PackageInvalid, match="other is a link"):
        pack(tmp_path)


def test_a_special_file_is_refused(tmp_path):
    write(tmp_path, {"manifest.json": b"{}"})
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(PackageInvalid, match="pipe is neither"):
        pack(tmp_path)


def test_a_folder_without_manifest_is_no_plugin(tmp_path):
    with pytest.raises(PackageInvalid, match=r"no manifest\.json"):
        pack(tmp_path)
    with pytest.raises(PackageInvalid, match="not a folder"):
        pack(tmp_path / "missing")
