#!/usr/bin/env bash
# Make the virtual environment $1 with mailgate (editable), its tools and its PostgreSQL driver.
set -euo pipefail
cd "$(dirname "$0")/.."
venv="$1"

is_debian_root() { [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; }

if [ ! -x "$venv/bin/pip" ]; then
    if ! python="$(.ci/python.sh)"; then
        is_debian_root || exit 1
        echo "Installing python3-venv ..." >&2
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
        python="$(.ci/python.sh)"
    fi
    echo "Making $venv with $("$python" --version) ..."
    "$python" -m venv --clear "$venv"
fi

echo "Installing mailgate and its tools into $venv ..."
"$venv/bin/pip" install --quiet --disable-pip-version-check \
    -c constraints.txt -e '.[dev,postgresql]'
