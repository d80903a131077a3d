# SPDX-License-Identifier: GPL-2.0
"""Instructions per packet, of the C modules' hook and of ours, on the same frames: runs in a guest whose
clock counts instructions.

    instructions.py [LAYER[+direct]...]

A cell has these labels: `measure` (hook; hook_and_transmit; miss, which is the hook on a packet that is
not offloaded; miss_fresh and miss_churned, the same past a table that many flows have just filled, and past
that after each was replaced many times), what is between Ethernet and IP on the clients' side (layer),
whether that is below a bridge, with flows that write Ethernet headers of their own (direct), and whether
flows are counted (counter); version of IP, protocol, what is translated (nat), and which way the packet
goes (direction).

There is no IPIP below a bridge: C takes no flow of that into its table.

Where an entry is within its bucket, or which entries are before it, is drawn at each boot, as hashes are
keyed; so each figure is a mean over some flows, in a table that has no other ones. They are few, so that
all buckets have room. A packet that is not offloaded takes more where the table has anything: as that is
seldom, its figure is a mean over many, lest one more or less be taken for a change. The clock counts
interrupts, too: of some runs that find all as the one before has left it, the least is without any.

For the last two, flows are made and expire, so that there are always about as many: as many as fit before
our table grows, where it is fullest. Waiting takes no time.
"""
import random
import sys
import time

from conntrack import forget, keep, within
from orders import write
from packets import KINDS, TCP, UDP, Flow, template
from sides import handshake_templates, start_cases
from stats import emit

SEED = 1
NUMBERS = random.Random(SEED).sample(range(1 << 16), 8 + 1024)
FLOWS, STRANGERS = NUMBERS[:8], NUMBERS[8:]   # those that are made, and others
PACKETS = 12 * len(FLOWS)
# The least of several, into which no timer has come. Those of a miss have ten times the packets, so that
# one comes sooner.
RUNS, MISS_RUNS = 3, 7
# Flows at any time, those that are made at a time, and how often each is replaced. They are none of the
# strangers.
LIVE, BATCH, LIFETIMES = 1000, 250, 10
CHURNED = 1 << 16
SECONDS = 3  # that a flow stays without a packet
LAYERS = ["plain", "vlan", "pppoe", "ipip"]
PROTOCOLS = {UDP: "udp", TCP: "tcp"}


def setups(words):
    """Options of sides by name, which are labels, too."""
    found = {}
    for layer in words or LAYERS + [f"{layer}+direct" for layer in LAYERS if layer != "ipip"]:
        name, _, direct = layer.partition("+")
        for counter in (True, False):
            found[layer.replace("+", "-") + ("" if counter else "-bare")] = \
                {"layer": name, "direct": bool(direct), "counter": counter}
    return found


def labels(setup, flow, direction):
    return setup | {"version": flow.version, "protocol": PROTOCOLS[flow.protocol], "nat": flow.kind,
                    "direction": direction}


def instructions(side, mode, packets=PACKETS, runs=RUNS):
    """Of a packet of template 0."""
    return min(side.command(f"run {mode} 0 {packets}")["tsc"] for _ in range(runs)) / packets


def make(sides, flow, layer):
    """The flows, in empty tables."""
    # First of all sides, for this may take as long as a flow lives without packets.
    for side in sides.values():
        forget(side)
    templates = handshake_templates(sides["c"], flow, layer)
    for side in sides.values():
        for n in FLOWS:
            side.command(f"make {n} {n + 1} {templates}")


def cells(sides, setup, flow):
    """Cells of both directions; whether all packets took the fast path, and came out the same."""
    make(sides, flow, setup["layer"])
    write(FLOWS)
    good = [hit(sides, setup, flow, reply) for reply in (False, True)]
    if flow.kind == "none":
        write(STRANGERS)
        good.append(miss(sides, setup, flow))
    return all(good)


def hit(sides, setup, flow, reply):
    values = {"hook": {}, "hook_and_transmit": {}}
    out = {}
    for name, side in sides.items():
        side.command(f"template 0 {template(flow, reply, setup['layer'])}")
        # As in life, where a packet that the hook leaves alone, say since a route is new, goes on and
        # has the flow looked at.
        side.command(f"run receive 0 {len(FLOWS)}")
        digest = side.command(f"run digest 0 {PACKETS}")
        out[name] = {key: digest[key] for key in ("digest", "stolen", "sent")}
        build = instructions(side, "build")
        hook = instructions(side, "hook")
        values["hook_and_transmit"][name] = [hook - build]
        # A packet that was not forwarded cannot be transmitted alone.
        values["hook"][name] = [hook - instructions(side, "xmit") if digest["stolen"] else 0]
    equal = out["c"] == out["rs"] and out["c"]["stolen"] == out["c"]["sent"] == PACKETS
    more = {} if equal else {"out": out}
    for measure, found in values.items():
        emit("instructions", {"measure": measure} | labels(setup, flow, "reply" if reply else "original"),
             "instructions", found, equal, seed=SEED, **more)
    return equal


def miss(sides, setup, flow, measure="miss"):
    """A packet that is not offloaded, past a table with flows; whether it was left alone."""
    values, left, packets = {}, True, len(STRANGERS)
    for name, side in sides.items():
        side.command(f"template 0 {template(flow, False, setup['layer'])}")
        left = left and side.command(f"run hook 0 {packets}")["accepted"] == packets
        hook, build = (instructions(side, mode, packets, MISS_RUNS) for mode in ("hook", "build"))
        values[name] = [hook - build]
    emit("instructions", {"measure": measure} | labels(setup, flow, "original"), "instructions", values, left,
         seed=SEED)
    return left


def flows_of(side):
    """Of ours, without a program whose loading would make the clock jump."""
    with within(side), open("/proc/self/net/nft_offload_rs") as file:
        return int(dict(line.split() for line in file)["flows"])


def churn(sides, setup, flow):
    """Cells of a packet that is not offloaded, past a table that is fresh, and one that is not."""
    for side in sides.values():
        forget(side)
    templates = handshake_templates(sides["c"], flow, setup["layer"])
    write(STRANGERS)
    made, good, fresh = 0, True, True
    for _ in range(1000):
        more = min(BATCH, LIVE - flows_of(sides["rs"]))
        if more <= 0 and fresh:
            good &= miss(sides, setup, flow, "miss_fresh")
            fresh = False
        elif more <= 0 and made >= LIVE * (LIFETIMES + 1):
            return good & miss(sides, setup, flow, "miss_churned")
        for side in sides.values() if more > 0 else ():
            side.command(f"make {CHURNED + made} {CHURNED + made + more} {templates}")
        made += max(more, 0)
        time.sleep(SECONDS * BATCH / LIVE / 2)
    raise RuntimeError(f"{made} flows were made, and {flows_of(sides['rs'])} are there")


def main():
    good = True
    wanted = setups(sys.argv[1:])
    sides = start_cases(wanted)
    for pair in sides.values():
        for side in pair.values():
            # Ours lets go of a connection that is deleted when its flow would have ended.
            keep(side, SECONDS)
    for name, setup in wanted.items():
        for version in (4, 6):
            for protocol in PROTOCOLS:
                for kind in KINDS:
                    good &= cells(sides[name], setup, Flow(version, protocol, kind))
    if "plain" in sides:
        good &= churn(sides["plain"], wanted["plain"], Flow(4, UDP, "none"))
    if not good:
        sys.exit("not ok 0 - packets took another way, or came out otherwise")


if __name__ == "__main__":
    main()
