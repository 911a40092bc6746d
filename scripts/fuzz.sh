#!/usr/bin/env bash
# Fuzzes every parser of the rules and the fold with libFuzzer, by cargo-fuzz. Nothing but a C++ compiler is needed: there is no
# unsafe code of ours to watch with a sanitizer, so the stable compiler will do.
#
#   scripts/fuzz.sh                    every target for ten minutes
#   scripts/fuzz.sh SECONDS [TARGET]   each, or this one, for so long
#   scripts/fuzz.sh smoke              each for a second; skipped in plain sight where cargo-fuzz cannot be had
#   scripts/fuzz.sh minimise           takes into the corpus what was found and adds paths; removes what adds none
#
# Inputs that reach new paths are kept in target/fuzz/found, those that fail in target/fuzz/failed. Whatever fails becomes a
# regression test and goes into the corpus.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.13.2
default_seconds=600
# Parsers refuse what is longer; larger inputs only make the search slow.
max_len=8192
memory_mb=2048
# Inputs that are kept beside the seeds of a target.
kept_a_target=40

folder=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
found=$folder/found
failed=$folder/failed
mode=${1:-$default_seconds}

if ! tool=$(scripts/tool.sh cargo-fuzz "$version"); then
    if [ "$mode" != smoke ]; then exit 1; fi
    echo "skipped: fuzzing (cargo-fuzz could not be installed); the targets still ran over the corpus as tests" >&2
    exit 0
fi
if ! CARGO_TARGET_DIR=$folder "$tool" build --fuzz-dir fuzz/libfuzzer --sanitizer none >"$folder.log" 2>&1; then
    tail -n 20 "$folder.log" >&2
    if [ "$mode" != smoke ] || [ -n "${CI:-}" ]; then exit 1; fi
    echo "skipped: fuzzing (libFuzzer does not build here); the targets still ran over the corpus as tests" >&2
    exit 0
fi
programs=$folder/$(rustc -vV | awk '/^host:/ {print $2}')/release

# One target into its own log; what it says on a failure is shown.
fuzz() {
    local target=$1 seconds=$2 log
    log=$folder/$target.log
    mkdir -p "$found/$target" "$failed/$target"
    if "$programs/$target" "$found/$target" "fuzz/corpus/$target" -max_total_time="$seconds" -max_len="$max_len" \
        -rss_limit_mb="$memory_mb" -timeout=25 -artifact_prefix="$failed/$target/" -print_final_stats=1 >"$log" 2>&1; then
        printf '%-12s %10s inputs, %6s edges\n' "$target" "$(awk '/number_of_executed_units/ {print $2}' "$log")" \
            "$(awk '/cov: / {for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1)} END {print edges}' "$log")"
    else
        tail -n 30 "$log" >&2
        printf '%-12s FAILED; the input is in %s\n' "$target" "$failed/$target" >&2
        return 1
    fi
}
export -f fuzz
export folder found failed programs max_len memory_mb

case $mode in
    smoke) seconds=1 ;;
    minimise)
        for target in fuzz/corpus/*/; do
            target=$(basename "$target")
            mkdir -p "$found/$target" "$folder/merged/$target"
            rm -f "$folder/merged/$target"/*
            # Seeds, and what failed once, are kept whatever they add.
            find "fuzz/corpus/$target" \( -name 'seed-*' -o -name 'regression-*' \) \
                -exec cp {} "$folder/merged/$target/" \;
            # The fewest inputs that reach every edge: how often each is reached would keep ten times as many.
            "$programs/$target" -set_cover_merge=1 -use_counters=0 -max_len="$max_len" "$folder/merged/$target" "fuzz/corpus/$target" \
                "$found/$target" >"$folder/$target.log" 2>&1 || { tail -n 20 "$folder/$target.log" >&2; exit 1; }
            # Seeds, and what failed once, stay; of the rest some of every size, since every clone has them and a fuzzer
            # finds the others again within seconds.
            find "fuzz/corpus/$target" -type f ! -name 'seed-*' ! -name 'regression-*' -delete
            find "$folder/merged/$target" -type f ! -name 'seed-*' ! -name 'regression-*' -printf '%s %p\n' | sort -n |
                awk -v keep="$kept_a_target" '{line[NR] = $2}
                    END {for (i = 1; i <= NR; i++) if (NR <= keep || int(i * keep / NR) > int((i - 1) * keep / NR)) print line[i]}' |
                xargs -I{} cp {} "fuzz/corpus/$target/"
        done
        du -sh fuzz/corpus
        exit 0
        ;;
    *[!0-9]* | '') echo "usage: scripts/fuzz.sh [smoke | minimise | SECONDS [TARGET]]" >&2; exit 64 ;;
    *) seconds=$mode ;;
esac
targets=${2:-$(ls fuzz/corpus)}
# A child's failure makes xargs fail, after all others have run.
printf '%s\n' $targets | xargs -P "$(nproc)" -I{} bash -c 'fuzz "$1" "$2"' fuzz {} "$seconds"
