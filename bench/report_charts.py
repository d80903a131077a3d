# SPDX-License-Identifier: GPL-2.0
"""The charts of a report: pairs of a file's name and its text."""
import report_past
from chart import bars, curves
from goals import HIT
from report_text import TITLES
from results import find, median, matches
from tables import SIDES, label_text

NAMES = ["C", "ours"]
SHOWN = [
    ("IPv4 UDP, no NAT", {"nat": "none"}),
    ("IPv4 UDP SNAT", {}),
    ("IPv4 TCP SNAT+DNAT", {"protocol": "tcp", "nat": "both"}),
    ("IPv6 UDP, no NAT", {"version": 6, "nat": "none"}),
    ("IPv6 TCP DNAT", {"version": 6, "protocol": "tcp", "nat": "dnat"}),
    ("IPv4 UDP SNAT, VLAN", {"layer": "vlan"}),
    ("IPv4 UDP SNAT, PPPoE", {"layer": "pppoe"}),
    ("IPv4 UDP SNAT, from IPIP", {"layer": "ipip"}),
    ("IPv4 UDP SNAT, into IPIP", {"layer": "ipip", "direction": "reply"}),
    ("IPv4 UDP SNAT, to a bridge", {"direct": True, "direction": "reply"}),
    ("IPv4 UDP SNAT, counters", {"counter": True}),
    ("not offloaded", {"measure": "miss", "nat": "none"}),
]


def pair(cell):
    return [median(cell, "c"), median(cell, "rs")]


def instructions(cells):
    for measure, title in (("hook", "The hook"), ("hook_and_transmit", "The hook and the transmission")):
        found = [(label, find(cells, "instructions", HIT | {"measure": measure} | labels))
                 for label, labels in SHOWN]
        rows = [(label, pair(cell)) for label, cell in found if cell]
        if rows:
            yield f"{measure.replace('_', '-')}.svg", \
                bars(f"{title}: instructions per packet", "instructions", NAMES, rows)


def time(cells):
    found = {order: {cell["cell"]["flows"]: cell for cell in cells
                     if matches(cell, "time", {"measure": "hook_and_transmit", "order": order})}
             for order in ("uniform", "zipf")}
    steps = sorted(set(found["uniform"]) & set(found["zipf"]))
    if len(steps) > 1:
        points = [(step, [median(found[order][step], side) for order in found for side in ("c", "rs")])
                  for step in steps]
        yield "time.svg", curves("The hook and the transmission: ns per packet", "ns",
                                 ["C, uniform", "ours, uniform", "C, Zipf", "ours, Zipf"], points)


def ends(cells):
    cell = find(cells, "ends", {"measure": "delivered"})
    if cell:
        rows = [("flowtable of C", [median(cell, "c"), None, None]),
                ("ours", [None, median(cell, "rs"), None]),
                ("plain routing", [None, None, median(cell, "plain")]),
                ("conntrack and NAT", [None, None, median(cell, "nat")])]
        yield "ends.svg", bars("End to end: ns per packet", "ns", NAMES + ["without a flowtable"], rows)


def others(cells):
    """Of all other parts, a chart for each unit, with what was measured of both."""
    for part in dict.fromkeys(cell["part"] for cell in cells):
        if part in ("instructions", "time", "ends", "past"):
            continue
        mine = [cell for cell in cells if cell["part"] == part and {"c", "rs"} <= set(cell["sides"])]
        for count, unit in enumerate(dict.fromkeys(cell["unit"] for cell in mine)):
            rows = [(label_text(cell["cell"]), [max(value, 0) for value in pair(cell)])
                    for cell in mine if cell["unit"] == unit]
            yield f"{part}{f'-{count + 1}' if count else ''}.svg", \
                bars(f"{TITLES.get(part, part)}: {unit}", unit, [SIDES["c"], SIDES["rs"]], rows)


def charts(cells):
    for make in (instructions, time, ends, others, report_past.charts):
        yield from make(cells)
