#!/usr/bin/env bash
# Prints the folder that keeps what takes minutes to build and does not change: RocksDB and the tools of `make test`. Makes it.
#
#   CLAIMTRAIL_CACHE   where it is (default: $XDG_CACHE_HOME/claimtrail, else ~/.cache/claimtrail)
set -euo pipefail

die() { printf 'cache.sh: %s\n' "$*" >&2; exit 1; }

if [ -n "${CLAIMTRAIL_CACHE:-}" ]; then
    cache=$CLAIMTRAIL_CACHE
elif [[ "${XDG_CACHE_HOME:-}" == /* ]]; then
    cache=$XDG_CACHE_HOME/claimtrail
else
    home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
    [ -n "$home" ] || die "no home folder; set CLAIMTRAIL_CACHE to a folder that stays"
    cache=$home/.cache/claimtrail
fi
mkdir -p "$cache" 2>/dev/null || die "cannot make $cache; set CLAIMTRAIL_CACHE to a folder that can be written"
cd "$cache" && pwd # a relative path would mean another place to every build script
