#!/usr/bin/env bash
# Which lines of the rules and of the sequencer the tests reach. A table by folder on standard output, the pages for each file
# in target/coverage/html.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.9.1
tool=$(scripts/tool.sh cargo-llvm-cov "$version")
if ! rustc --print target-libdir | sed 's#/lib$#/bin/llvm-cov#' | xargs test -x; then
    rustup component add llvm-tools >&2 || { echo "coverage: Rust's llvm-tools are missing; run 'rustup component add llvm-tools'" >&2; exit 1; }
fi
folder=${CARGO_TARGET_DIR:-$PWD/target}/coverage
export CARGO_TARGET_DIR=$folder
"$tool" llvm-cov --no-report --package claimtrail-proto --package claimtrail-fuzz --package claimtrail-log --all-targets >&2
"$tool" llvm-cov report --json --summary-only --output-path "$folder/coverage.json"
"$tool" llvm-cov report --html --output-dir "$folder" >&2
python3 scripts/coverage-table.py "$folder/coverage.json"
