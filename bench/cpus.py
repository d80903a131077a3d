# SPDX-License-Identifier: GPL-2.0
"""From one CPU to two: packets of other flows on each, and of the same flows on both.

    cpus.py [FLOWS [PACKETS [ROUNDS]]]

The figure is a speed-up: what two CPUs forward, by what one does, with the same loop. It is that of the
hook and the transmission. Two CPUs of the host may not be twice as fast as one, and others may want
them: so the same is measured of the loop that only builds packets, which shares nothing, and its
speed-up is what may be expected at most. Rounds are interleaved.
"""
import os
import sys

from conntrack import keep, room_for
from orders import shuffled, write
from packets import UDP, Flow, template
from sides import NEW, fill, handshake_templates, start
from stats import ROUNDS, emit, interleave

PART = "cpus"
SEED = 1
# By how much the loops are shorter that do less.
SHORTER = {"hook": 1, "xmit": 4, "build": 12}


def main():
    flows, packets, rounds = ([int(word) for word in sys.argv[1:]] + [None] * 3)[:3]
    flows, rounds = flows or 1024, rounds or 2 * ROUNDS
    half = flows // 2
    # Each CPU goes round and round one half of the flows.
    turns = (packets or 4096) // half
    packets = turns * half
    if os.cpu_count() < 2:
        sys.exit("one CPU")
    flow = Flow(4, UDP, "snat")
    sides = start()
    room_for(2 * flows)
    write(shuffled(range(half), SEED) * (turns + 1) + shuffled(range(half, flows), SEED) * turns)
    handshake_templates(sides["c"], flow)
    for side in sides.values():
        keep(side)
        fill(side, 0, flows, NEW)
    sides["c"].command(f"template 0 {template(flow, False, 'plain')}")
    # Where the second CPU begins: with the other half; with the same flow as the first; half a turn ahead,
    # so that whatever either writes is with the other one by the next time.
    far = {"disjoint": packets + half, "shared, side by side": 0, "shared, in turn": half // 2}

    def one(side, mode):
        number = packets * SHORTER[mode]
        return lambda: side.command(f"run {mode} 0 {number}")["ns"] / number

    def two(side, mode, ahead):
        number = packets * SHORTER[mode]

        def measure():
            run = side.command(f"run2 {mode} 0 {number} 0 {ahead}")
            if mode == "hook":
                assert run["stolen"] == 2 * number, run
            return run["ns"] / number
        return measure

    measures = {}
    for name, side in sides.items():
        for mode in ("hook", "build", "xmit"):
            measures[name, mode, "one"] = one(side, mode)
        for which, ahead in far.items():
            measures[name, "hook", which] = two(side, "hook", ahead)
        for mode in ("build", "xmit"):
            measures[name, mode, "disjoint"] = two(side, mode, far["disjoint"])
    found = interleave(measures, rounds, SEED)

    def speed_up(name, mode, which):
        return [2 * alone / both for alone, both in zip(found[name, mode, "one"], found[name, mode, which])]

    cell = {"flows": flows, "mode": "hook and transmit"}
    for which in far:
        emit(PART, cell | {"what": which}, "times",
             {name: speed_up(name, "hook", which) for name in sides}, seed=SEED)
        emit(PART, cell | {"what": f"{which}, against the loop that shares nothing"}, "times",
             {name: [speed / most for speed, most in
                     zip(speed_up(name, "hook", which), speed_up(name, "build", "disjoint"))]
              for name in sides}, seed=SEED)
    for mode in ("build", "xmit"):
        emit(PART, {"flows": flows, "mode": mode, "what": "disjoint"}, "times",
             {name: speed_up(name, mode, "disjoint") for name in sides}, seed=SEED)
    for which in ("one", *far):
        emit(PART, cell | {"what": f"{which}, time of a packet"}, "ns",
             {name: found[name, "hook", which] for name in sides}, seed=SEED)


main()
