#!/usr/bin/env bash
# Installs a tool of cargo's once, in a fixed version, and keeps it beside RocksDB; prints the path of its program.
#
#   scripts/tool.sh NAME VERSION
#
# One that is on the PATH in this version is taken as it is. Fails when it can be neither found nor built: the caller decides
# whether that is a failure or a check that is skipped in plain sight.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'tool.sh: %s\n' "$*" >&2; exit 1; }

name=$1
version=$2
found=$(command -v "$name" 2>/dev/null || true)
if [ -n "$found" ] && "$found" --version 2>/dev/null | grep -qwF "$version"; then echo "$found"; exit 0; fi

cache=$(scripts/cache.sh)
machine=$(rustc -vV | awk '/^host:/ {print $2}')
keep="$cache/$name-$version-$machine"
kept() { [ -x "$keep/bin/$name" ]; }
if kept; then echo "$keep/bin/$name"; exit 0; fi

[ -w "$cache" ] || die "cannot write to $cache; set CLAIMTRAIL_CACHE to a folder that can be written"
exec 9>"$keep.lock"
if ! flock -n 9; then
    echo "Another build is installing $name; waiting for it" >&2
    flock 9
fi
if kept; then echo "$keep/bin/$name"; exit 0; fi

echo "Installing $name $version once (one to three minutes on two cores); kept in $keep" >&2
rm -rf "$keep".build*
work=$(mktemp -d "$keep.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET \
    cargo install --quiet --locked "$name@$version" --root "$work/root" --target-dir "$work/target" >&2 </dev/null 9>&- ||
    die "$name $version could not be installed; see the message above"
rm -rf "$keep"
mv "$work/root" "$keep" # whole or not at all
kept || die "$keep holds no $name; remove it and try again"
echo "$keep/bin/$name"
