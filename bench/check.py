# SPDX-License-Identifier: GPL-2.0
"""Holds our instructions per packet against the committed ones, or writes those anew.

    check.py RESULTS BASELINE [write]

Fails when a cell takes more than 2 % more than it did, when one is on one side only, when what left was not
equal, and when a packet that is not offloaded takes more past a table that has been in use for long than past
a fresh one. These two depend on where flows are in the table, which each boot draws anew: they are compared
with each other. Cells that take less are told of: once they are in the baseline, they stay.
"""
import json
import sys

from results import find, median, name_of, read

MORE = 0.02
# By chance, one of two tables may be fuller than the other where strangers look.
FRESH, CHURNED, DECAY = "miss_fresh", "miss_churned", 0.25


def cells_of(results):
    return {name_of(cell["cell"]): round(cell["sides"]["rs"]["median"], 2)
            for cell in results
            if cell["part"] == "instructions" and cell["cell"]["measure"] not in (FRESH, CHURNED)}


def decayed(results):
    """What is wrong with a table that has been in use, a line each."""
    fresh, churned = (median(find(results, "instructions", {"measure": measure}) or {"sides": {}}, "rs")
                      for measure in (FRESH, CHURNED))
    if fresh is None or churned is None:
        return ["a packet that is not offloaded: not measured past a table that has been in use"]
    print(f"check: a packet that is not offloaded: {fresh:.1f} past a fresh table, {churned:.1f} past one in use")
    if churned > fresh * (1 + DECAY):
        return [f"a packet that is not offloaded takes {100 * (churned / fresh - 1):+.1f} % past a table in use"]
    return []


def compare(found, known):
    """What is wrong, a line each."""
    wrong = [f"{name}: not measured any more, it was {known[name]}" for name in known if name not in found]
    wrong += [f"{name}: not in the baseline, {found[name]} now" for name in found if name not in known]
    both = [(found[name] / known[name] - 1, name) for name in found if name in known]
    for change, name in sorted(both, reverse=True):
        if change > MORE:
            wrong.append(f"{name}: {known[name]} -> {found[name]}, {100 * change:+.1f} %")
    return wrong


def show_changes(found, known):
    changes = sorted((found[name] / known[name] - 1, name) for name in found if name in known)
    if not changes:
        return
    middle = changes[len(changes) // 2][0]
    print(f"check: {len(changes)} cells, from {100 * changes[0][0]:+.1f} % ({changes[0][1]}) to "
          f"{100 * changes[-1][0]:+.1f} % ({changes[-1][1]}), median {100 * middle:+.1f} %")
    less = sum(change < -MORE for change, _ in changes)
    if less:
        print(f"check: {less} cells take less by more than 2 %: scripts/run-bench --baseline keeps that")


def main():
    results, baseline, *write = sys.argv[1:]
    results = read(results)
    found = cells_of(results)
    if not found or not all(cell.get("equal", True) for cell in results):
        sys.exit("check: no figures, or not of equal output")
    if write:
        with open(baseline, "w") as file:
            json.dump(found, file, indent=0, sort_keys=True)
            file.write("\n")
        print(f"check: wrote {len(found)} cells")
        return
    with open(baseline) as file:
        known = json.load(file)
    wrong = compare(found, known) + decayed(results)
    for line in wrong:
        print(f"check: {line}")
    show_changes(found, known)
    if wrong:
        sys.exit(f"check: {len(wrong)} cells are not as in the baseline; if the kernel or a compiler is "
                 "another one than docs/performance.md names, scripts/run-bench --baseline writes it anew")
    print("check: no cell takes more than 2 % more than in the baseline")


main()
