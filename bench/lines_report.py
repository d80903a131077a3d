# SPDX-License-Identifier: GPL-2.0
"""Puts together what lines.py has printed, and what the plugin has written, in the format of all parts.

    lines_report.py PLUGIN'S-REPORT GUEST'S-OUTPUT

The label `measure` is of what kind the cache lines are: per_flow (touched by fewer than one packet in 64),
shared (by more than half of them), between, stack, code; and the sum of all but the last two, data.
"""
import json
import sys

from stats import emit

MEASURES = {"per_flow": "cold_lines_mean", "shared": "shared_lines_mean", "between": "between_lines_mean",
            "data": "data_lines_mean", "stack": "stack_lines_mean", "code": "code_lines_mean"}


def read_reports(path):
    """The numbers of each report that is whole."""
    reports = []
    with open(path) as file:
        for line in file:
            key, *values = line.split()
            if key == "report":
                found = {}
            elif key == "end":
                reports.append(found)
            elif len(values) == 1:
                found[key] = float(values[0])
    return reports


def read_output(path):
    with open(path, errors="replace") as file:
        return [json.loads(line.removeprefix("REPORT ")) for line in file if line.startswith("REPORT ")]


def main():
    reports, wanted = read_reports(sys.argv[1]), read_output(sys.argv[2])
    if not wanted or len(reports) != len(wanted):
        sys.exit(f"not ok 0 - the plugin has written {len(reports)} reports of {len(wanted)}")
    good = True
    for c, rs in zip(range(0, len(wanted), 2), range(1, len(wanted), 2)):
        cell, out = wanted[c]["cell"], wanted[c]["out"]
        equal = out == wanted[rs]["out"] and out["stolen"] == out["sent"] == cell["flows"]
        good &= equal
        for measure, key in MEASURES.items():
            values = {"c": [reports[c][key]], "rs": [reports[rs][key]]}
            packets = {"c": reports[c]["packets"], "rs": reports[rs]["packets"]}
            emit("lines", {"measure": measure} | cell, "lines", values, equal, seed=wanted[c]["seed"],
                 packets=packets)
    if not good:
        sys.exit("not ok 0 - packets took another way, or came out otherwise")


if __name__ == "__main__":
    main()
