#!/usr/bin/env bash
# Has this state become slower? Builds the benchmark of another commit and of this working tree, runs them in turns and prints
# each load's rate as a ratio (this one / the other). Ratios of one machine in one hour hold; figures of two machines do not.
#
#   scripts/compare.sh COMMIT [ROUNDS]     ROUNDS: three unless told otherwise; the best round of each counts
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'compare: %s\n' "$*" >&2; exit 2; }
commit=${1:-}
rounds=${2:-3}
[ -n "$commit" ] || die "name a commit to compare with: make compare ARGS=HEAD~1"
[[ $rounds =~ ^[1-9][0-9]?$ ]] || die "ROUNDS is a number from 1 to 99"
other=$(git rev-parse --verify --quiet "$commit^{commit}") || die "there is no commit $commit"

work=$(mktemp -d)
trap 'git worktree remove --force "$work/other" 2>/dev/null || true; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/other" "$other"
target=${CARGO_TARGET_DIR:-$PWD/target}
build() { # FOLDER NAME
    echo "building the benchmark of $2" >&2
    (cd "$1" && scripts/cargo-config.sh && CARGO_TARGET_DIR="$target" cargo build --release --quiet --bin claimtrail-bench)
    cp "$target/release/claimtrail-bench" "$work/bench-$2"
}
build "$work/other" before
build "$PWD" now

for ((round = 1; round <= rounds; round++)); do
    for side in before now; do
        echo "round $round of $rounds: $side" >&2
        "$work/bench-$side" > "$work/$side.$round"
    done
done

# A load begins with its name at the left. Below it the first "N/s" counts, and every line of the form "WHAT: N entries/s".
rates() { # FILE
    awk '/^[^ ]/ {load = $0; sub(/, [0-9]+ claims.*/, "", load); sub(/ of [0-9]+ entries.*/, "", load); plain = 1}
         /^ / && load != "" && match($0, /[0-9][0-9,.]*( entries)?\/s/) {
             what = substr($0, 1, RSTART - 1); rate = substr($0, RSTART, RLENGTH)
             named = sub(/: $/, "", what); sub(/^ +/, ", ", what)
             if (!named && !plain) next
             if (!named) { what = ""; plain = 0 }
             gsub(/ entries|\/s|,/, "", rate); print load what "\t" rate
         }' "$1"
}
for side in before now; do
    for file in "$work/$side".*; do rates "$file"; done |
        awk -F'\t' '{if (!($1 in best)) order[++n] = $1; if ($2 > best[$1] + 0) best[$1] = $2} END {for (i = 1; i <= n; i++) print order[i] "\t" best[order[i]]}' > "$work/$side"
done
printf '%-60s %12s %12s %8s\n' "load" "${commit:0:12}" "now" "ratio"
awk -F'\t' 'NR == FNR {before[$1] = $2; next} $1 in before {printf "%-60s %12.0f %12.0f %8.2f\n", $1, before[$1], $2, $2 / before[$1]}' "$work/before" "$work/now"
