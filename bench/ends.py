# SPDX-License-Identifier: GPL-2.0
"""Nanoseconds per packet from end to end: a new packet, netif_receive_skb(), and freed when it is sent. IPv4
and UDP, in a User-mode Linux of one CPU.

    ends.py [ROUNDS [FLOWS]]

Sides: plain routing without conntrack (plain); with conntrack, source NAT and a few rules (nat); the same
with a flowtable, of the C modules (c) and of ours (rs). The label `measure` is receive; delivered, which is
that without writing the packet's bytes, as a NIC writes them by itself; or forwarding, without all that making
and freeing a packet takes.
"""
import random
import statistics
import sys

from conntrack import count, keep, room_for
from orders import uniform, write
from packets import UDP, Flow, template
from sides import fill, handshake_templates, start
from stats import ROUNDS, emit, interleave, summary

FLOWS = 1 << 10
PACKETS = 20_000   # few, as in time.py
RECORDED = 64
SEED = 1
# Beside ours to C's: other : ours, so that more is better.
COMPARED = [("plain", "c"), ("plain", "rs"), ("nat", "c"), ("nat", "rs")]


def frames(side):
    """What leaves for the first packets."""
    side.command(f"record {RECORDED}")
    side.command(f"run receive 0 {RECORDED}")
    with open("/proc/nfo_bench/sent") as sent:
        found = sent.read()
    side.command("record 0")
    return found


def prepare(side, kind):
    """Template 0: packets of a client. Without conntrack there is no NAT."""
    side.command(f"template 0 {template(Flow(4, UDP, kind), False, 'plain')}")


def measures(sides, source):
    def run(name, mode):
        def measure():
            prepare(sides[name], "none" if name == "plain" else "snat")
            return sides[name].command(f"run {mode} 0 {PACKETS} {source.randrange(FLOWS)}")["ns"] / PACKETS
        return measure
    found = {name: run(name, "receive") for name in sides}
    found["alloc"] = run("rs", "alloc")
    found["write"] = run("rs", "write")
    return found


def report(measure, values, flows, equal):
    ratios = {f"{one}:{other}": summary([a / b for a, b in zip(values[one], values[other])])
              for one, other in COMPARED}
    emit("ends", {"measure": measure, "flows": flows}, "ns", values, equal, ratios=ratios, seed=SEED)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3 * ROUNDS
    flows = int(sys.argv[2]) if len(sys.argv) > 2 else FLOWS
    sides = start(others={"plain": "none", "nat": "nat"})
    room_for(1 << 16)
    flow = Flow(4, UDP, "snat")
    routers = {name: side for name, side in sides.items() if name != "plain"}
    templates = handshake_templates(sides["c"], flow)
    for side in routers.values():
        keep(side)
        fill(side, 0, flows, templates)
    write(uniform(flows, SEED))
    prepare(sides["c"], "snat")
    left = {name: frames(side) for name, side in routers.items()}
    equal = len(set(left.values())) == 1 and left["c"].count("\n") == RECORDED
    prepare(sides["plain"], "none")
    equal &= frames(sides["plain"]).count("\n") == RECORDED
    found = interleave(measures(sides, random.Random(SEED)), rounds, SEED)
    # Conntrack without being asked for would make plain routing slow.
    equal &= count(sides["plain"]) == 0
    less = {name: found.pop(name) for name in ("alloc", "write")}
    report("receive", found, flows, equal)
    for measure, name in (("delivered", "write"), ("forwarding", "alloc")):
        nothing = statistics.median(less[name])
        rest = {side: [ns - nothing for ns in taken] for side, taken in found.items()}
        report(measure, rest, flows, equal)
        emit("ends", {"measure": name, "flows": flows}, "ns", {name: less[name]}, seed=SEED)
    if not equal:
        sys.exit("not ok 0 - packets took another way, or came out otherwise")


if __name__ == "__main__":
    main()
