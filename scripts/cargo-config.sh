#!/usr/bin/env bash
# Writes .cargo/config.toml, which git ignores: where this machine keeps the compiled RocksDB, and that the curve library
# compiles its AVX-512 arithmetic too. It picks that at run time, on processors that have it; the programs run on all others
# as before.
#
# Cargo runs a build script again when a variable it asked for has changed. Were the path set by make alone, every plain
# `cargo build` in between would have another value and compile RocksDB anew. In this file both see the same. It is
# written only when its text changes, so that its time of change stays.
set -euo pipefail
cd "$(dirname "$0")/.."

config=.cargo/config.toml
mark="# Written by scripts/cargo-config.sh; changes made here are lost."

if [ -e "$config" ] && [ "$(head -n 1 "$config")" != "$mark" ]; then
    echo "cargo-config.sh: $config is not ours; move its settings to ~/.cargo/config.toml and remove it" >&2
    exit 1
fi
# Before the log server uses the database, there is nothing to keep.
grep -q '^name = "librocksdb-sys"$' Cargo.lock || exit 0

dir=$(scripts/rocksdb.sh)
case $dir in
    /*) ;;
    *) echo "cargo-config.sh: scripts/rocksdb.sh gave no absolute path" >&2; exit 1 ;;
esac
quoted=${dir//\\/\\\\}
quoted=${quoted//\"/\\\"}
text="$mark
[env]
ROCKSDB_LIB_DIR = { value = \"$quoted\", force = true }
ROCKSDB_STATIC = { value = \"1\", force = true }

[target.'cfg(target_arch = \"x86_64\")']
rustflags = ['--cfg', 'curve25519_dalek_backend=\"avx512\"']"

if [ -e "$config" ] && [ "$(cat "$config")" = "$text" ]; then exit 0; fi
mkdir -p .cargo
printf '%s\n' "$text" > "$config.part"
mv "$config.part" "$config"
