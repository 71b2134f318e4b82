#!/usr/bin/env bash
# Print the newest Python from 3.13 down to 3.11 (or a newer python3) that can make environments.
set -euo pipefail

usable() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

seen=""
for candidate in python3.13 python3.12 python3.11 python3; do
    usable "$candidate" || continue
    if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
        command -v "$candidate"
        exit 0
    fi
    seen="$seen $candidate"
done

if [ -n "$seen" ]; then
    echo "Found$seen, but without the modules venv and ensurepip." >&2
    echo "On Debian and Ubuntu: apt-get install python3-venv" >&2
else
    echo "mailgate needs Python 3.11 or newer; none was found on PATH." >&2
fi
exit 1
