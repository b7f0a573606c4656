"""``python boot.py PATH…``: AWS's client for Python, with these folders in its path; the function's comes first."""

import sys

sys.path[:1] = sys.argv[1:]
from awslambdaric.__main__ import main  # type: ignore[import-not-found]  # noqa: E402

main(["bootstrap", "streamspace_shim.handler"])
