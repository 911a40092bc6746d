"""Sums llvm-cov's figures by folder: lines, functions and regions reached, for proto and the log server's sequencer."""

import json
import os
import sys

# What is reported: the rules and where claims become entries. Tests themselves are not counted.
PARTS = [("proto/src/", 1), ("log-server/src/sequencer/", 0), ("log-server/src/signer/", 0), ("log-server/src/log/", 0)]
KINDS = ["lines", "functions", "regions"]


def part_of(path):
    for prefix, depth in PARTS:
        if path.startswith(prefix):
            below = path[len(prefix):].split("/")
            # A file of the crate's root stands with the others of the root.
            return prefix + (below[0] + "/" if depth and len(below) > 1 else "")
    return None


def is_test(path):
    name = os.path.basename(path)
    return "/tests/" in path or name in ("tests.rs", "fault_tests.rs")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        files = json.load(file)["data"][0]["files"]
    sums = {}
    root = os.getcwd() + "/"
    for entry in files:
        path = entry["filename"].removeprefix(root)
        part = part_of(path)
        if part is None or is_test(path):
            continue
        names = [part, "proto, all"] if path.startswith("proto/") else [part]
        for name in names:
            total = sums.setdefault(name, {kind: [0, 0] for kind in KINDS})
            for kind in KINDS:
                total[kind][0] += entry["summary"][kind]["covered"]
                total[kind][1] += entry["summary"][kind]["count"]
    print("| part | lines | functions | regions |\n|---|---|---|---|")
    for name in sorted(sums):
        cells = [f"{100 * covered / max(count, 1):.1f} % of {count}" for covered, count in sums[name].values()]
        print(f"| `{name}` | {' | '.join(cells)} |")


main()
