# SPDX-License-Identifier: GPL-2.0
"""Results: the lines of JSON of all parts, and cells among them."""
import json


def read(path):
    """The cells in a file of lines of JSON, whatever else there is."""
    cells = []
    with open(path, errors="replace") as file:
        for line in file:
            if line.startswith('{"part"'):
                cells.append(json.loads(line))
    return [cell for cell in cells if "sides" in cell]


def matches(cell, part, labels):
    return cell["part"] == part and all(cell["cell"].get(key) == value for key, value in labels.items())


def find(cells, part, labels, unit=None):
    """The first cell of a part with these labels, and of that unit if it is said; or none."""
    for cell in cells:
        if matches(cell, part, labels) and unit in (None, cell["unit"]):
            return cell
    return None


def median(cell, side):
    return cell["sides"][side]["median"] if side in cell["sides"] else None


def name_of(labels):
    """The name of an instruction cell: what the baseline has it by."""
    return " ".join([labels["measure"], labels["layer"] + ("+direct" if labels["direct"] else ""),
                     f"v{labels['version']}", labels["protocol"], labels["nat"], labels["direction"],
                     "counter" if labels["counter"] else "bare"])
