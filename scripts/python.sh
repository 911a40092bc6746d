#!/usr/bin/env bash
# Makes .venv with what scripts/requirements.txt names, once; the checks written in Python run in it.
#
# A machine without Python skips those checks and says so. Under CI that is a failure, else they would quietly never run.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
wants=scripts/requirements.txt
done_with=$venv/requirements.done # a copy of the list that was installed; written last, so half a venv is made again

skip() {
    rm -rf "$venv"
    if [ -n "${CI:-}" ]; then
        echo "python: $1; under CI the checks in Python must run" >&2
        exit 1
    fi
    echo "skipped: the checks in Python ($1)" >&2
    exit 0
}

if cmp -s "$wants" "$done_with" && "$venv/bin/python" -c 'import cryptography' 2>/dev/null; then exit 0; fi

command -v python3 >/dev/null 2>&1 || skip "python3 is not installed"
python3 -c 'import ensurepip, venv' 2>/dev/null || skip "python3-venv is not installed"
rm -rf "$venv"
python3 -m venv "$venv" >&2 || skip "the virtual environment could not be made"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$wants" >&2 </dev/null ||
    skip "pip could not install what $wants names"
cp "$wants" "$done_with"
