#!/bin/sh
# Print the Python that the book installs with: the one asked for, or the first that works and is new enough.
# Usage: find_python.sh [python]     In sh, because there may be no Python to run anything else with.
set -u

works() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${1:-}" ]; then
    if works "$1"; then
        echo "$1"
        exit 0
    fi
    echo "PYTHON=$1 is not a Python of version 3.11 or newer that runs here." >&2
    echo "Give the name or path of one, for example: make book PYTHON=python3.12" >&2
    exit 1
fi

for candidate in python3.11 python3.12 python3.13 python3; do
    if works "$candidate"; then
        echo "$candidate"
        exit 0
    fi
done

echo "The book needs Python 3.11, 3.12 or 3.13, and none was found on the PATH." >&2
echo "On Debian 12 or newer and Ubuntu 24.04 or newer: sudo apt-get install python3 python3-venv" >&2
echo "Elsewhere: https://www.python.org/downloads/ . If it is installed already, name it: make book PYTHON=/path/to/python3.12" >&2
exit 1
