#!/usr/bin/env bash
# Builds RocksDB's C++ once and keeps the archive, so that every later build, in whatever target folder or clone, only links it.
#
# Prints the folder that holds librocksdb.a. The folder's name says what the archive was built from: the version of
# librocksdb-sys in Cargo.lock, the C++ compiler, the target and the features; a change of any of them is another archive.
#
# Where it is kept: scripts/cache.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'rocksdb.sh: %s\n' "$*" >&2; exit 1; }

features="lz4"
version=$(awk '/^name = "librocksdb-sys"$/ {getline; gsub(/"/, "", $3); print $3; exit}' Cargo.lock)
[ -n "$version" ] || die "Cargo.lock names no librocksdb-sys"
cxx=${CXX:-c++}
compiler=$("$cxx" -dumpfullversion -dumpversion 2>/dev/null || true)
[ -n "$compiler" ] || die "no C++ compiler ($cxx); run 'make setup'"
machine=$("$cxx" -dumpmachine)

# RocksDB picks its CRC instructions when it is compiled. Every x86-64 server of the last fifteen years has these two.
# The archive's name says nothing of these flags: whoever changes them adds a word to the key below.
flags=""
case "$machine" in x86_64*) flags="-msse4.2 -mpclmul" ;; esac

cache=$(scripts/cache.sh)
key="rocksdb-${version//+/_}-$(basename "$cxx")${compiler}-${machine}-${features}"
keep="$cache/$key"
# An archive gets its name only when it is whole; its first bytes tell it from anything else put there.
kept() { [ -s "$keep/librocksdb.a" ] && [ "$(head -c 8 "$keep/librocksdb.a")" = '!<arch>' ]; }
if kept; then echo "$keep"; exit 0; fi

[ -w "$cache" ] || die "cannot write to $cache; set CLAIMTRAIL_CACHE to a folder that can be written"
exec 9>"$cache/$key.lock"
if ! flock -n 9; then
    echo "Another build is compiling RocksDB; waiting for it" >&2
    flock 9
fi
if kept; then echo "$keep"; exit 0; fi

echo "Compiling RocksDB once (ten to fifteen minutes on two cores); kept in $keep" >&2
# A folder of its own each time: what an interrupted build left must not be taken for a result.
rm -rf "$cache/$key".build*
work=$(mktemp -d "$cache/$key.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$work/src"
cp Cargo.lock "$work/Cargo.lock"
: > "$work/src/lib.rs"
cat > "$work/Cargo.toml" <<TOML
[package]
name = "rocksdb-once"
version = "0.0.0"
edition = "2024"

[dependencies]
librocksdb-sys = { version = "=${version%%+*}", default-features = false, features = ["bindgen-runtime", "$features"] }

[workspace]
TOML
# 9>&-: a compiler cache that stays in the background would hold the lock for ever.
(
    cd "$work" &&
        env -u ROCKSDB_LIB_DIR -u ROCKSDB_STATIC -u ROCKSDB_COMPILE -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS \
            -u CARGO_BUILD_TARGET CXXFLAGS="$flags" cargo build --release --target-dir "$work/target" >&2 9>&-
) || die "RocksDB did not compile; see the message above"
archive=$(find "$work/target/release/build" -name librocksdb.a -path '*librocksdb-sys*' -print -quit)
[ -n "$archive" ] || die "the build left no librocksdb.a"
mkdir -p "$keep"
cp "$archive" "$keep/librocksdb.a.part"
mv "$keep/librocksdb.a.part" "$keep/librocksdb.a" # whole or not at all
kept || die "$keep/librocksdb.a is not an archive; remove it and try again"
echo "$keep"
