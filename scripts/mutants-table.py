"""Counts cargo-mutants' outcomes by folder, and lists the mutants that no test caught."""

import json
import sys

KINDS = ["CaughtMutant", "MissedMutant", "Timeout", "Unviable"]


def part_of(path):
    below = path.removeprefix("proto/src/").split("/")
    return "proto/src/" + (below[0] + "/" if len(below) > 1 else "")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        outcomes = json.load(file)["outcomes"]
    counts, missed = {}, []
    for outcome in outcomes:
        if outcome["scenario"] == "Baseline":
            continue
        mutant = outcome["scenario"]["Mutant"]
        for part in (part_of(mutant["file"]), "proto, all that was asked for"):
            counts.setdefault(part, dict.fromkeys(KINDS, 0))[outcome["summary"]] += 1
        if outcome["summary"] in ("MissedMutant", "Timeout"):
            missed.append(f"{outcome['summary']}: {mutant['name']}")
    print("| part | mutants | caught | missed | ran out of time | do not compile |\n|---|---|---|---|---|---|")
    for part in sorted(counts):
        cells = [counts[part][kind] for kind in KINDS]
        print(f"| `{part}` | {sum(cells)} | {' | '.join(map(str, cells))} |")
    print("\n".join(["", *missed]))


main()
