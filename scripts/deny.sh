#!/usr/bin/env bash
# Is every dependency one that we may and want to have? deny.toml says which licences, sources and crates.
#
# Known vulnerabilities (advisories) are looked up in a database that has to be fetched. Where it cannot be reached, that part
# is skipped and says so; an older copy is used where there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
# How long the database may take: a network that swallows packets must not stop the build.
fetch_seconds=60

if ! tool=$(scripts/tool.sh cargo-deny "$version"); then
    if [ -n "${CI:-}" ]; then
        echo "deny: no cargo-deny; under CI the dependencies must be checked" >&2
        exit 1
    fi
    echo "skipped: the check of dependencies (cargo-deny could not be installed)" >&2
    exit 0
fi

"$tool" --log-level error check licenses sources
"$tool" --log-level error --exclude-dev check bans
if timeout "$fetch_seconds" "$tool" --log-level off fetch db >/dev/null 2>&1 </dev/null; then
    "$tool" --log-level error --offline check advisories
elif compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/*/" >/dev/null; then
    echo "deny: the database of advisories cannot be reached; using the copy that was fetched last" >&2
    "$tool" --log-level error --offline check advisories
else
    echo "skipped: advisories (their database cannot be reached and was never fetched here)" >&2
fi
