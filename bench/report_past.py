# SPDX-License-Identifier: GPL-2.0
"""The section of the report, and the charts, on what this module does only behind switches."""
from chart import bars
from goals import PAST, VERDICTS
from results import median
from tables import SIDES, label_text, number, ratio_text, table

ORDER = ["c", "rs", "direct", "batch", "both", "plain"]
NAMES = [SIDES[name] for name in ORDER]


def medians(cells):
    rows = [[label_text(cell["cell"]), cell["unit"]] + [number(median(cell, name)) for name in ORDER]
            for cell in cells]
    return table(["", "unit", *NAMES], rows)


def ratios(cells):
    """Of each side to C's, and of plain routing to each side: medians and their intervals."""
    rows = []
    for cell in cells:
        found = {"rs:c": cell.get("ratio")} | cell["ratios"]
        for name, ratio in found.items():
            if ratio:
                words = " : ".join(SIDES[side] for side in name.split(":"))
                rows.append([label_text(cell["cell"]), words, ratio_text(ratio)])
    return table(["", "", "ratio [95 %]"], rows)


def goals(cells):
    rows = []
    for goal in PAST:
        _, value, verdict = goal.look(cells)
        rows.append([goal.what, number(value), number(goal.must), VERDICTS.get(verdict, verdict)])
    return table(["", "found", "at most", ""], rows)


def section(cells):
    return "\n".join([goals(cells), medians(cells), ratios(cells)])


def charts(cells):
    """A chart for each unit."""
    mine = [cell for cell in cells if cell["part"] == "past"]
    for unit in dict.fromkeys(cell["unit"] for cell in mine):
        rows = [(label_text(cell["cell"]), [median(cell, name) for name in ORDER])
                for cell in mine if cell["unit"] == unit]
        yield f"past-{unit}.svg", bars(f"Past it, behind switches: {unit} per packet", unit, NAMES, rows)
