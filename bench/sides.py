# SPDX-License-Identifier: GPL-2.0
"""Routers side by side in one guest, each of an implementation or of none, and their flows."""
import subprocess
import time

import slabs
from packets import handshake
from side import Side

MODULES = ["nf_flow_table_inet", "nft_flow_offload"]
# Another side: the same rules without a flowtable.
NAT = {"nat": "nat"}
# Of UDP's templates: conntrack knows of a connection from the first packet, so the reply makes the flow.
FIRST, MAKES = "1", "2"
NEW = f"{FIRST},{MAKES}"


def start_cases(cases, others=None, bench=()):
    """For each of `cases` (options of Side, by name) sides by name: c and rs, and `others`, which are
    rules. `bench` are parameters of the bench module."""
    subprocess.run(["modprobe", "nfo_bench", *bench], check=True)
    subprocess.run(["modprobe", "-a", *MODULES], check=True)
    sides = {case: {} for case in cases}

    def add(name, **rules):
        for case, options in cases.items():
            full = name if case is None else f"{name}-{case}"
            sides[case][name] = Side(full, **options, **rules)

    for name, rules in (others or {}).items():
        add(name, rules=rules)
    add("c")
    subprocess.run(["modprobe", "nft_offload_rs"], check=True)
    # Of two modules, the one that has registered first makes the flowtables, until it lets the other go
    # first.
    next(iter(sides.values()))["c"].command("demote r1")
    add("rs")
    return sides


def start(others=None, bench=()):
    """The same of one case, without options."""
    return start_cases({None: {}}, others, bench)[None]


def is_ours(side):
    return side.name.split("-")[0] == "rs"


def handshake_templates(side, flow, layer="plain"):
    """Makes templates from 1 on; returns what `make` is to be told. They are for all sides, since devices
    are looked for where templates are used."""
    steps = handshake(flow, layer)
    for number, words in enumerate(steps):
        side.command(f"template {number + 1} {words}")
    return ",".join(str(number + 1) for number in range(len(steps)))


def complete(side, first, last, template):
    """Ours refuses flows while its table grows, and the next packet makes them: so this sends these.
    Returns how many were refused."""
    refused = 0
    for _ in range(100):
        missing = last - side.ours()["flows"]
        if missing <= 0:
            return refused
        refused = refused or missing
        time.sleep(0.05)
        side.command(f"make {first} {last} {template}")
    raise RuntimeError(f"{side.name}: {missing} flows are missing of {last}: {side.ours()}")


def fill(side, first, last, templates):
    """Makes connections, and flows where there is a flowtable, which has all those before `first`."""
    side.command(f"make {first} {last} {templates}")
    if is_ours(side):
        complete(side, first, last, templates.split(",")[-1])


def close(side):
    """Ends a side, and waits until its connections and flows are forgotten."""
    before = left = slabs.connections(), slabs.c_flows()
    side.close()
    for _ in range(300):
        # Longer than a turn of anybody's garbage collection.
        time.sleep(1.2)
        now = slabs.connections(), slabs.c_flows()
        if now == left and (now != before or now < (1000, 1000)):
            return
        left = now
    raise RuntimeError(f"{left} connections and flows stay")
