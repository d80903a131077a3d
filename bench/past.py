# SPDX-License-Identifier: GPL-2.0
"""Nanoseconds per packet of what this module does only when told so, beside the C modules and beside itself
without: IPv4, UDP, SNAT, in a User-mode Linux of one CPU.

    past.py [ROUNDS [FLOWS...]]

Sides: plain routing without conntrack (plain), the C modules (c), ours (rs), and ours with switches on:
direct transmit (direct), batches (batch), and both. A cell has these labels: `measure`; `flows`, drawn
uniformly; and `at_a_time`, how many packets come before softirqs run, as of a busy NIC or of an idle one.

hook_and_transmit   until softirqs have run, and with that the packets have left which the hook has kept.
                    Packets are made before and freed afterwards, and what the loop takes without hooks is
                    subtracted
receive             end to end: from netif_receive_skb(), memory of packets included

Ratios are those of each side to C's, round by round; for plain routing, how much longer that takes.
"""
import random
import statistics
import sys

from conntrack import count, keep, room_for
from ends import RECORDED, frames, prepare
from orders import uniform, write
from packets import UDP, Flow
from sides import fill, handshake_templates
from stats import ROUNDS, emit, interleave, summary
from switches import SWITCHES, end, obeyed, start_switched

STEPS = [1 << 10, 1 << 20]
PACKETS = 20_000   # few, as in time.py
BUSY, IDLE = 64, 1
SEED = 1


def at_a_time(packets):
    with open("/sys/module/nfo_bench/parameters/dozen", "w") as file:
        file.write(str(packets))


def equal_output(sides, packets):
    """Whether all but plain routing send the same in the same order, for each packet of the order; and
    end to end, for the first ones."""
    prepare(sides["c"], "snat")
    routers = {name: side for name, side in sides.items() if name != "plain"}
    equal = True
    for dozen, number in ((BUSY, packets), (IDLE, PACKETS)):
        at_a_time(dozen)
        fed = [side.command(f"run feed-digest 0 {number}") for side in routers.values()]
        equal &= len({one["digest"] for one in fed}) == 1
        equal &= all(one["stolen"] == one["sent"] == number for one in fed)
    left = [frames(side) for side in routers.values()]
    equal &= len(set(left)) == 1 and left[0].count("\n") == RECORDED
    prepare(sides["plain"], "none")
    return equal and frames(sides["plain"]).count("\n") == RECORDED


def measures(sides, length, source):
    """A run of each mode on each side."""
    def run(name, mode, dozen=BUSY):
        def measure():
            at_a_time(dozen)
            prepare(sides[name], "none" if name == "plain" else "snat")
            found = sides[name].command(f"run {mode} 0 {PACKETS} {source.randrange(length)}")
            # What is not sent, or not now, is not measured.
            assert mode == "feed-nothing" or found["sent"] == PACKETS, (name, mode, found)
            return found["ns"] / PACKETS
        return measure
    found = {(name, "receive"): run(name, "receive") for name in sides}
    for dozen in (BUSY, IDLE):
        for name in sides:
            if name != "plain":
                found[name, f"feed {dozen}"] = run(name, "feed", dozen)
        found["rs", f"nothing {dozen}"] = run("rs", "feed-nothing", dozen)
    return found


def report(measure, dozen, values, flows, equal):
    ratios = {f"{name}:c": summary([a / b for a, b in zip(values[name], values["c"])])
              for name in values if name in SWITCHES}
    if "plain" in values:
        ratios |= {f"plain:{name}": summary([a / b for a, b in zip(values["plain"], values[name])])
                   for name in values if name != "plain"}
    emit("past", {"measure": measure, "flows": flows, "at_a_time": dozen}, "ns", values, equal,
         ratios=ratios, seed=SEED)


def cells(sides, flows, rounds):
    numbers = uniform(flows, SEED)
    write(numbers)
    equal = equal_output(sides, len(numbers))
    found = interleave(measures(sides, len(numbers), random.Random(SEED)), rounds, SEED)
    for dozen in (BUSY, IDLE):
        nothing = statistics.median(found["rs", f"nothing {dozen}"])
        report("hook_and_transmit", dozen, {name: [ns - nothing for ns in found[name, f"feed {dozen}"]]
                                            for name in sides if name != "plain"}, flows, equal)
    report("receive", BUSY, {name: found[name, "receive"] for name in sides}, flows, equal)
    return equal


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2 * ROUNDS
    steps = [int(word) for word in sys.argv[2:]] or STEPS
    sides, missing = start_switched(SWITCHES, {"plain": "none"})
    routers = {name: side for name, side in sides.items() if name != "plain"}
    room_for(len(routers) * steps[-1] + (1 << 16))
    templates = handshake_templates(sides["c"], Flow(4, UDP, "snat"))
    made, good = 0, True
    for side in routers.values():
        keep(side)
    for flows in steps:
        for side in routers.values():
            fill(side, made, flows, templates)
        made = flows
        good &= cells(sides, flows, rounds)
    # Conntrack without being asked for would make plain routing slow.
    good &= count(sides["plain"]) == 0
    end(good and obeyed(sides), missing)


main()
