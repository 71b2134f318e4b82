#!/usr/bin/env bash
# Write the exact versions of everything that '.[dev,postgresql]' brings to the file $1.
set -euo pipefail
cd "$(dirname "$0")/.."
target="$1"
python="$(.ci/python.sh)"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check '.[dev,postgresql]'
{
    echo "# Exact versions of everything in '.[dev,postgresql]', made with \`make constraints\`."
    "$scratch/venv/bin/pip" freeze --exclude mailgate
} >"$scratch/constraints.txt"
mv "$scratch/constraints.txt" "$target"
echo "$target: $(grep -c == "$target") versions"
