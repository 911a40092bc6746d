#!/usr/bin/env bash
# Runs make targets one after the other, with the time of each; stops at the first that fails.
#
#   scripts/steps.sh NAME TARGET...    NAME is what the closing line calls the whole
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1
shift
passed=()
SECONDS=0
for target in "$@"; do
    began=$SECONDS
    printf '==> %s\n' "$target"
    if ! "${MAKE:-make}" --no-print-directory "$target"; then
        printf '==> %s: %s FAILED after %d s\n' "$name" "$target" $((SECONDS - began)) >&2
        exit 1
    fi
    passed+=("$target $((SECONDS - began)) s")
done
list=$(printf '%s, ' "${passed[@]}")
printf '==> %s passed in %d min %d s (%s)\n' "$name" $((SECONDS / 60)) $((SECONDS % 60)) "${list%, }"
