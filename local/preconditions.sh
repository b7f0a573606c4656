#!/bin/sh
# What a machine needs before anything here can start; the first thing that is missing is named, with what to do.
set -eu

missing() {
    echo "error: $1" >&2
    exit 1
}

[ -n "${PYTHON:-}" ] || missing "Python 3.11 or newer is needed and none was found; install it, or name it: make PYTHON=/path/to/python3.12"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    missing "$PYTHON is not Python 3.11 or newer; install one, or name it: make PYTHON=/path/to/python3.12"
[ -e .venv/complete ] || "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
    missing "$PYTHON cannot make virtual environments; on Debian and Ubuntu run: apt-get install python3-venv"
command -v node >/dev/null 2>&1 || missing "Node.js 20 or newer is needed and was not found; see https://nodejs.org"
major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
[ "$major" -ge 20 ] || missing "Node.js 20 or newer is needed and this is $(node --version); see https://nodejs.org"
