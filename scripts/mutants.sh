#!/usr/bin/env bash
# Mutation testing of the rules: cargo-mutants changes `proto` in one place at a time and runs its tests. A mutant that they do not
# catch is a line that nothing holds to its meaning. A table by folder on standard output; what each mutant was, and what the
# tests said of it, is in target/mutants/mutants.out.
#
#   scripts/mutants.sh                       all of proto: many hours
#   scripts/mutants.sh merkle tile           these folders or files of proto/src
#   MUTANTS_SHARD=0/10 scripts/mutants.sh    every tenth mutant, from the first on
set -euo pipefail
cd "$(dirname "$0")/.."

version=27.1.0
# A mutant that loops is given up after this long. The tests take a quarter of it on two busy cores.
seconds=300

tool=$(scripts/tool.sh cargo-mutants "$version")
folder=${CARGO_TARGET_DIR:-$PWD/target}/mutants
mkdir -p "$folder"

choose=()
for part in "$@"; do choose+=(--file "proto/src/$part" --file "proto/src/$part/**" --file "proto/src/$part.rs"); done
[ ${#choose[@]} -gt 0 ] || choose=(--file 'proto/src/**')
[ -z "${MUTANTS_SHARD:-}" ] || choose+=(--shard "$MUTANTS_SHARD" --sharding round-robin)

# 2: some were missed, 3: some ran out of time. Both are results; anything else but 0 is a failure.
code=0
"$tool" mutants --package claimtrail-proto --test-package claimtrail-proto --output "$folder" \
    --timeout "$seconds" --no-shuffle --colors never "${choose[@]}" >&2 || code=$?
case $code in 0 | 2 | 3) ;; *) exit "$code" ;; esac
python3 scripts/mutants-table.py "$folder/mutants.out/outcomes.json"
