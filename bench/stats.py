# SPDX-License-Identifier: GPL-2.0
"""Rounds of measurements, interleaved, and what is said of them: one line of JSON for each cell.

A line is {"part", "cell", "unit", "sides", "ratio", "equal", ...}: `cell` are the labels of what was
measured; `sides` has a summary by side (c: the C modules, rs: this module, plain: routing without
conntrack, nat: conntrack and rules without a flowtable); `ratio` is that of rs to c, round by round,
and so below 1 where ours takes less; `equal` says whether both put out the same bytes, where they
put out any.
"""
import json
import random
import statistics

ROUNDS = 30


def interleave(measures, rounds=ROUNDS, seed=1):
    """Calls each of `measures` (by side) once a round, in an order drawn anew, and returns the values by
    side, in the order of rounds."""
    source = random.Random(seed)
    values = {side: [] for side in measures}
    for _ in range(rounds):
        for side in source.sample(sorted(measures), len(measures)):
            values[side].append(measures[side]())
    return values


def summary(values, seed=1):
    """Median, minimum, and the median's 95 % confidence interval by the bootstrap."""
    if len(values) == 1:
        # What is counted, and is the same each time.
        return {"median": values[0], "min": values[0], "low": values[0], "high": values[0], "rounds": 1}
    source = random.Random(seed)
    medians = sorted(statistics.median(source.choices(values, k=len(values))) for _ in range(1000))
    return {"median": statistics.median(values), "min": min(values), "low": medians[25], "high": medians[974],
            "rounds": len(values)}


def emit(part, cell, unit, values, equal=None, **more):
    """Prints the line of a cell. `values` are lists by side, of one length where a ratio is wanted."""
    line = {"part": part, "cell": cell, "unit": unit,
            "sides": {side: summary(found) for side, found in values.items()}, **more}
    if equal is not None:
        line["equal"] = equal
    if "c" in values and "rs" in values and all(values["c"]):
        line["ratio"] = summary([ours / theirs for ours, theirs in zip(values["rs"], values["c"])])
    print(json.dumps(line), flush=True)
