# SPDX-License-Identifier: GPL-2.0
"""What is to be reached: the figures that this module must have, and those that it aims at."""
from dataclasses import dataclass

from results import find, median

MILLION = 1 << 20
VERDICTS = {"goal": "goal reached", "must": "must reached", "short": "SHORT OF MUST"}
HIT = {"layer": "plain", "direct": False, "counter": False, "version": 4, "protocol": "udp", "nat": "snat",
       "direction": "original"}


@dataclass
class Goal:
    what: str
    part: str
    labels: dict
    must: float
    goal: float
    figure: str = "rs"      # our median, or "ratio", or one of `ratios`, or ours of what has that name
    unit: str = None        # of the cell, where there are others with the same labels
    more: bool = False      # is better

    def value(self, cell):
        if self.figure == "ratio":
            return cell.get("ratio", {}).get("median")
        if self.figure in cell.get("ratios", {}):
            return cell["ratios"][self.figure]["median"]
        return self.both(cell)[1]

    def both(self, cell):
        """C's figure and ours, where there are these."""
        if self.figure in ("rs", "ratio"):
            return median(cell, "c"), median(cell, "rs")
        of = cell.get(self.figure, {})
        return of.get("c"), of.get("rs")

    def look(self, cells):
        """The cell, the figure and what it is worth: "goal", "must", "short", or none of them."""
        cell = find(cells, self.part, self.labels, self.unit)
        value = cell and self.value(cell)
        if value is None:
            return cell, None, "not measured"
        # As it is printed.
        shown = round(value, 2)
        better = (lambda bound: shown >= bound) if self.more else (lambda bound: shown <= bound)
        return cell, value, "goal" if better(self.goal) else "must" if better(self.must) else "short"


GOALS = [
    Goal("hook, IPv4 UDP SNAT: instructions", "instructions", HIT | {"measure": "hook"}, 320, 175),
    Goal("hook and transmit: instructions", "instructions", HIT | {"measure": "hook_and_transmit"}, 680, 540),
    Goal("a packet that is not offloaded: instructions", "instructions",
         HIT | {"measure": "miss", "nat": "none"}, 130, 90),
    Goal("hook, IPv6 TCP DNAT: ratio of instructions", "instructions",
         HIT | {"measure": "hook", "version": 6, "protocol": "tcp", "nat": "dnat"}, 0.35, 0.2, "ratio"),
    Goal("hook, VLAN: ratio of instructions", "instructions", HIT | {"measure": "hook", "layer": "vlan"},
         0.35, 0.2, "ratio"),
    Goal("hook, PPPoE: ratio of instructions", "instructions", HIT | {"measure": "hook", "layer": "pppoe"},
         0.35, 0.2, "ratio"),
    Goal("cache lines of the flow, per packet", "lines", {"measure": "per_flow", "version": 4}, 3, 2.2),
    Goal("hook and transmit, 1 K flows: ratio of time", "time",
         {"measure": "hook_and_transmit", "flows": 1024, "order": "uniform"}, 0.5, 0.37, "ratio"),
    Goal("hook and transmit, 1 M flows: ratio of time", "time",
         {"measure": "hook_and_transmit", "flows": MILLION, "order": "uniform"}, 0.65, 0.5, "ratio"),
    Goal("end to end: ratio of time", "ends", {"measure": "delivered"}, 0.6, 0.5, "ratio"),
    Goal("end to end: times as fast as plain routing", "ends", {"measure": "delivered"}, 1.3, 1.65, "plain:rs",
         more=True),
    Goal("insert: instructions", "churn", {"what": "grow"}, 2000, 1300, unit="instructions per flow"),
    # An instruction is a nanosecond there. In time that somebody else's work on the host adds to, see "garbage".
    Goal("GC at 1 M flows: million instructions per second", "passes",
         {"what": "time of each second", "flows": MILLION}, 10, 3, "mean"),
    Goal("GC at 1 M flows: longest section, thousand instructions", "passes",
         {"what": "longest section", "flows": MILLION}, 500, 100, "most"),
    Goal("bytes per IPv4 flow", "memory", {"version": 4, "flows": MILLION}, 230, 130),
    Goal("from one CPU to two: times as fast", "cpus",
         {"what": "disjoint", "mode": "hook and transmit"}, 1.9, 1.95, more=True),
]
# Of what is done only behind switches: the same bound for both.
PAST = [
    Goal("batches, 1 M flows: ratio of time", "past",
         {"measure": "hook_and_transmit", "flows": MILLION, "at_a_time": 64}, 0.25, 0.25, "batch:c"),
    Goal("batches and direct transmit, 1 M flows: ratio of time", "past",
         {"measure": "hook_and_transmit", "flows": MILLION, "at_a_time": 64}, 0.25, 0.25, "both:c"),
]
