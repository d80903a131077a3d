# SPDX-License-Identifier: GPL-2.0
"""Nanoseconds per packet over the number of flows, of the C modules' hook and of ours: IPv4, UDP, SNAT, in
a User-mode Linux of one CPU.

    time.py [ROUNDS [FLOWS...]]

A cell has these labels: `measure` (hook_and_transmit; hook, which is that without what sending the same
packets takes), `flows`, and `order` (uniform; zipf, where the k-th most frequent flow has 1/k of the
packets of the first). Tables are as large as so many flows make them: flows are added from step to step.

What is subtracted is the median of its runs. All runs of a round are of other pieces of the order, so
that a large table is not in the cache. Both implementations' garbage collection goes on: its time is not
in the figures, but what it does to caches is, for either side.
"""
import random
import statistics
import sys

from conntrack import keep, room_for
from orders import ORDERS, write
from packets import UDP, Flow, template
from sides import fill, handshake_templates, start
from stats import ROUNDS, emit, interleave

STEPS = [1, 1 << 10, 1 << 14, 1 << 16, 1 << 18, 1 << 20]
# Short runs and many: one that something else of the host interrupts is an outlier, and not all are.
PACKETS = 20_000
SEED = 1
RUNS = ("hook", "xmit", "build")


def equal_output(sides, packets):
    """Whether both send the same for all of the order, by the fast path."""
    found = [side.command(f"run digest 0 {packets}") for side in sides.values()]
    return len({(one["digest"], one["stolen"], one["sent"]) for one in found}) == 1 \
        and found[0]["stolen"] == found[0]["sent"] == packets


def measures(sides, length, source):
    """A run of each mode on each side."""
    def run(side, mode):
        return lambda: side.command(f"run {mode} 0 {PACKETS} {source.randrange(length)}")["ns"] / PACKETS
    return {(name, mode): run(side, mode) for name, side in sides.items() for mode in RUNS}


def cell(sides, flows, kind, rounds):
    numbers = ORDERS[kind](flows, SEED)
    write(numbers)
    equal = equal_output(sides, len(numbers))
    found = interleave(measures(sides, len(numbers), random.Random(SEED)), rounds, SEED)
    for measure, less in (("hook_and_transmit", "build"), ("hook", "xmit")):
        values = {name: [hook - statistics.median(found[name, less]) for hook in found[name, "hook"]]
                  for name in sides}
        emit("time", {"measure": measure, "flows": flows, "order": kind}, "ns", values, equal, seed=SEED)
    return equal


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3 * ROUNDS
    steps = [int(word) for word in sys.argv[2:]] or STEPS
    flow = Flow(4, UDP, "snat")
    sides = start()
    room_for(2 * steps[-1])
    for side in sides.values():
        keep(side)
    templates = handshake_templates(sides["c"], flow)
    sides["c"].command(f"template 0 {template(flow, False, 'plain')}")
    made, good = 0, True
    for flows in steps:
        for side in sides.values():
            fill(side, made, flows, templates)
        made = flows
        for kind in ORDERS:
            good &= cell(sides, flows, kind, rounds)
    if not good:
        sys.exit("not ok 0 - packets took another way, or came out otherwise")


if __name__ == "__main__":
    main()
