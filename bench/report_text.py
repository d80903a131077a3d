# SPDX-License-Identifier: GPL-2.0
"""The report as text: what was to be reached and what was, and a table for each part."""
import report_past
from goals import GOALS, VERDICTS
from results import median, name_of
from tables import SIDES, heading, label_text, number, ratio_text, table

TITLES = {
    "instructions": "Instructions per packet, by what is between Ethernet and IP (means over kinds of flows)",
    "lines": "Cache lines per packet",
    "time": "Nanoseconds per packet over the number of flows, User-mode Linux, one CPU",
    "ends": "End to end through netif_receive_skb(), nanoseconds per packet, User-mode Linux, one CPU",
    "churn": "Inserts and deletes",
    "garbage": "Garbage collection, time",
    "passes": "Garbage collection, instructions (of which one is a nanosecond)",
    "memory": "Memory",
    "cpus": "From one CPU to two",
    "past": "Past it: what is done only behind switches, that are off in all of the above",
}


def goals(cells):
    rows = []
    for goal in GOALS:
        cell, value, verdict = goal.look(cells)
        theirs, ours = goal.both(cell) if cell else (None, None)
        if goal.figure == "ratio":
            ratio = value
        else:
            ratio = ours / theirs if ours is not None and theirs else None
        rows.append([goal.what, number(theirs), number(value if ours is None else ours), number(ratio),
                     number(goal.must), number(goal.goal), VERDICTS.get(verdict, verdict)])
    return table(["", "C", "ours", "ours : C", "must", "goal", ""], rows)


def facts_text(facts):
    text = [f"kernel {facts['kernel']}, commit {facts['commit']}, {facts['date']}", f"CPU: {facts['cpu']}"]
    kernels = facts["kernels"]
    text.append(f"compilers of the test kernels and of both implementations' modules: "
                f"{kernels['x86']['CC_VERSION_TEXT']}; {kernels['x86']['RUSTC_VERSION_TEXT']}")
    options = [option for option in kernels["x86"] if not option.endswith("_TEXT")]
    rows = [[option] + [kernels[name][option] for name in kernels] for option in options]
    return "\n".join(text) + "\n\n" + table(["CONFIG_", *kernels], rows)


def generic(cells):
    """A row for each cell: medians by side, the least of ours, and the ratio of ours to C's."""
    names = [name for name in SIDES if any(name in cell["sides"] for cell in cells)]
    others = sorted({name for cell in cells for name in cell["sides"]} - set(names))
    rows = []
    for cell in cells:
        row = [label_text(cell["cell"]), cell["unit"]]
        row += [number(median(cell, name)) for name in names + others]
        row += [number(cell["sides"].get(name, {}).get("min")) for name in ("c", "rs")]
        row.append(ratio_text(cell["ratio"]) if "ratio" in cell else "-")
        rows.append(row)
    head = ["", "unit"] + [SIDES.get(name, name) for name in names + others]
    head += ["least C", "least ours", "ours : C [95 %]"]
    text = table(head, rows)
    for cell in cells:
        for name, ratio in cell.get("ratios", {}).items():
            one, other = (SIDES.get(side, side) for side in name.split(":"))
            text += f"{label_text(cell['cell'])}: {one} : {other} = {ratio_text(ratio)}\n"
    return text


def mean(values):
    return sum(values) / len(values)


def instructions(cells):
    """A row for each setup and measure, of all of its cells."""
    groups = {}
    for cell in cells:
        labels = cell["cell"]
        key = (labels["measure"], labels["layer"], labels["direct"], labels["counter"])
        groups.setdefault(key, []).append(cell)
    rows = []
    for (measure, layer, direct, counter), group in sorted(groups.items(), key=lambda item: item[0][0]):
        ratios = [cell["ratio"]["median"] for cell in group if "ratio" in cell]
        theirs, ours = (mean([median(cell, side) for cell in group]) for side in ("c", "rs"))
        where = f"{measure.replace('_', ' ')}, {layer}{', below a bridge' if direct else ''}"
        rows.append([where, "yes" if counter else "no", number(theirs), number(ours), number(mean(ratios)),
                     number(max(ratios))])
    return table(["", "counter", "C", "ours", "ours : C", "worst"], rows)


def matrix(cells):
    """Every instruction cell."""
    rows = [[name_of(cell["cell"]), number(median(cell, "c")), number(median(cell, "rs")),
             number(cell.get("ratio", {}).get("median")), "equal" if cell["equal"] else "NOT EQUAL"]
            for cell in cells if cell["part"] == "instructions"]
    return table(["", "C", "ours", "ours : C", "output"], rows)


def equality(cells):
    compared = [cell for cell in cells if "equal" in cell]
    wrong = [cell for cell in compared if not cell["equal"]]
    text = f"output compared in {len(compared)} of {len(cells)} cells, in the runs that were measured: "
    text += "equal in all" if not wrong else f"NOT EQUAL in {len(wrong)}"
    for cell in wrong:
        text += f"\n  {cell['part']}: {label_text(cell['cell'])}"
    return text + "\n"


def seeds_and_rounds(cells, part):
    mine = [cell for cell in cells if cell["part"] == part]
    seeds = sorted({cell["seed"] for cell in mine if "seed" in cell})
    rounds = sorted({side["rounds"] for cell in mine for side in cell["sides"].values()})
    return f"{part}: {','.join(map(str, seeds)) or '-'}, {rounds[0]}" + \
        (f" to {rounds[-1]}" if len(rounds) > 1 else "")


SECTIONS = {"instructions": instructions, "past": report_past.section}


def report(cells, facts, failed):
    parts = list(dict.fromkeys(cell["part"] for cell in cells))
    text = heading("nft_offload_rs and the C modules, measured in the same boots") + facts_text(facts) + "\n"
    text += equality(cells)
    text += "seeds and rounds: " + "; ".join(seeds_and_rounds(cells, part) for part in parts) + "\n"
    for line in failed:
        text += f"FAILED: {line}\n"
    text += heading("What was to be reached (medians)") + goals(cells)
    for part in parts:
        mine = [cell for cell in cells if cell["part"] == part]
        text += heading(TITLES.get(part, part)) + SECTIONS.get(part, generic)(mine)
    return text
