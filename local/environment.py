"""Virtual environments that are either whole or made again.

Run by whichever Python the machine has, before anything is installed: standard library only.
``python local/environment.py FOLDER REQUIREMENTS… [--editable]`` prepares one; ``make`` does that for ``.venv``.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

STAMP = "complete"
"""The file, written last, that says an environment is whole and what it was made from."""


class EnvironmentFailed(Exception):
    """Carries one sentence that says what to do."""


def prepare(folder: Path, requirements: list[Path], *, editable: Path | None = None) -> bool:
    """Make ``folder`` a virtual environment with just these requirements; True when it had to be made.

    One that was left half-built by a killed run, or made from other requirements or by another Python, is removed and
    made again. Two callers at once are safe: the second waits, also for an installer that outlived its killed caller,
    and then finds it done.

    Raises: EnvironmentFailed.
    """
    wanted = _fingerprint(folder, requirements, editable)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / STAMP
        if stamp.exists() and stamp.read_text() == wanted and (folder / "bin" / "python").exists():
            return False
        shutil.rmtree(folder, ignore_errors=True)
        _run(
            [sys.executable, "-m", "venv", *([] if editable else ["--without-pip"]), str(folder)],
            "python3 -m venv failed; on Debian run: apt-get install python3-venv",
        )
        python = str(folder / "bin" / "python")
        # One that is only run and never worked in borrows its maker's pip: bringing its own would take seconds.
        pip = [python, "-m", "pip"] if editable else [sys.executable, "-m", "pip", "--python", python]
        # Modules are compiled when they are first used, and most never are: half the time of an installation.
        pip += ["install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        for file in requirements:
            _run([*pip, "--requirement", str(file)], f"could not install {file.name}; is the package index reachable?")
        if editable:
            _run([*pip, "--no-deps", "--editable", str(editable)], "could not install the checkout itself")
        temporary = stamp.with_suffix(".new")
        temporary.write_text(wanted)
        temporary.replace(stamp)
        return True


def _run(command: list[str], complaint: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, close_fds=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise EnvironmentFailed(f"{complaint}\n{last}")


def _fingerprint(folder: Path, requirements: list[Path], editable: Path | None) -> str:
    """Changes with the place (environments cannot be moved), the Python, any requirement (included files too), and the
    checkout's entry points."""
    digest = hashlib.sha256(f"{folder.resolve()} {sys.version} {sys.prefix}".encode())
    for file in requirements:
        _add(file, digest)
    if editable:
        digest.update((editable / "pyproject.toml").read_bytes())
    return digest.hexdigest()


def _add(file: Path, digest: "hashlib._Hash") -> None:
    text = file.read_text()
    digest.update(text.encode())
    for line in text.splitlines():
        if line.startswith("-r "):
            _add(file.parent / line[3:].strip(), digest)


def main() -> int:
    parser = argparse.ArgumentParser(description=prepare.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("requirements", type=Path, nargs="+")
    parser.add_argument("--editable", type=Path)
    arguments = parser.parse_args()
    began = time.monotonic()
    names = ", ".join(file.name for file in arguments.requirements)
    reminder = threading.Timer(0.5, print, (f"preparing {arguments.folder} from {names} …",), {"flush": True})
    reminder.daemon = True
    reminder.start()
    try:
        if prepare(arguments.folder, arguments.requirements, editable=arguments.editable):
            print(f"prepared {arguments.folder} in {time.monotonic() - began:.0f} s", flush=True)
    except EnvironmentFailed as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    finally:
        reminder.cancel()
    return 0


if __name__ == "__main__":
    sys.exit(main())
