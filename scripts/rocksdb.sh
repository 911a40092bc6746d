#!/usr/bin/env bash
# Builds RocksDB's C++ once and keeps the archive, so that every later build, in whatever target folder or clone, only links it.
#
# Prints the folder that holds librocksdb.a. The folder's name says what the archive was built from: the version of
# librocksdb-sys in Cargo.lock, the C++ compiler, the target and the features; a change of any of them is another archive.
#
#   CLAIMTRAIL_CACHE   where to keep it (default: $XDG_CACHE_HOME/claimtrail, else ~/.cache/claimtrail)
set -euo pipefail
cd "$(dirname "$0")/.."

features="lz4"
version=$(awk '/^name = "librocksdb-sys"$/ {getline; gsub(/"/, "", $3); print $3}' Cargo.lock)
[ -n "$version" ] || { echo "rocksdb.sh: Cargo.lock names no librocksdb-sys" >&2; exit 1; }
cxx=${CXX:-c++}
compiler=$("$cxx" -dumpfullversion -dumpversion 2>/dev/null || true)
[ -n "$compiler" ] || { echo "rocksdb.sh: no C++ compiler ($cxx); install g++" >&2; exit 1; }
machine=$("$cxx" -dumpmachine)

# RocksDB picks its CRC instructions when it is compiled. Every x86-64 server of the last fifteen years has these two.
flags=""
case "$machine" in x86_64*) flags="-msse4.2 -mpclmul" ;; esac

cache=${CLAIMTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/claimtrail}
key="rocksdb-${version//+/_}-$(basename "$cxx")${compiler}-${machine}-${features}"
keep="$cache/$key"
if [ -s "$keep/librocksdb.a" ]; then echo "$keep"; exit 0; fi

mkdir -p "$cache"
exec 9>"$cache/$key.lock"
flock 9 # a second build waits here and then finds the archive
if [ -s "$keep/librocksdb.a" ]; then echo "$keep"; exit 0; fi

echo "Compiling RocksDB once (ten to fifteen minutes on two cores); kept in $keep" >&2
work="$cache/$key.build"
mkdir -p "$work/src"
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
(
    cd "$work"
    env -u ROCKSDB_LIB_DIR -u ROCKSDB_STATIC -u RUSTFLAGS CXXFLAGS="$flags" \
        cargo build --release --target-dir "$work/target" >&2
)
archive=$(find "$work/target/release/build" -name librocksdb.a -path '*librocksdb-sys*' | head -n 1)
[ -n "$archive" ] || { echo "rocksdb.sh: the build left no librocksdb.a" >&2; exit 1; }
mkdir -p "$keep"
cp "$archive" "$keep/librocksdb.a.part"
mv "$keep/librocksdb.a.part" "$keep/librocksdb.a" # whole or not at all
rm -rf "$work"
echo "$keep"
