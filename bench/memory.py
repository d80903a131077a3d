# SPDX-License-Identifier: GPL-2.0
"""Bytes per flow: what the machine has less of, for each connection more than one without a flow.

    memory.py [FLOWS [STEPS]]

Each side makes flows in steps: to 64 K, each step some per cent more so that every fill of the tables is
seen, to FLOWS. After each step, when memory has come to rest, the kernel's accounts are read. A namespace
with the same connections but no flowtable says what of it is conntrack's. The greatest number of bytes
per flow is that of a table that has just grown. Nothing here is random but the layout of memory, so
there are no rounds.
"""
import sys
import time

import slabs
from conntrack import keep, room_for
from packets import UDP, Flow
from sides import NAT, NEW, close, fill, handshake_templates, start_cases
from stats import emit

PART = "memory"
SIDES = ("nat", "c", "rs")
START = 65536
# What the kernel counts: all that is not free, slabs, and what is mapped piece by piece.
ACCOUNTS = {"used": "MemFree", "slab": "SUnreclaim", "vmalloc": "VmallocUsed"}


def read():
    with open("/proc/meminfo") as info:
        lines = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in info}
    found = {name: lines.get(account, 0) for name, account in ACCOUNTS.items()}
    return found | {"used": -found["used"], "pages": -found["used"] - found["slab"] - found["vmalloc"]}


def rest():
    """The accounts when nothing moves any more."""
    with open("/proc/sys/vm/drop_caches", "w") as drop:
        drop.write("3")
    last = None
    for _ in range(100):
        time.sleep(0.1)
        now = read()
        if last and abs(now["used"] - last["used"]) <= 4 * slabs.PAGE:
            return now
        last = now
    return last


def curve(side, sizes):
    """The accounts at each of the sizes, and bytes per flow by slab, of those that grow with flows."""
    before, begun, done, points = rest(), slabs.sizes(), 0, []
    for size in sizes:
        fill(side, done, size, NEW)
        done = size
        now = rest()
        points.append({name: now[name] - before[name] for name in now})
    ended = slabs.sizes()
    grown = {name: round((ended[name] - begun.get(name, 0)) / done, 1) for name in ended}
    return points, {name: each for name, each in grown.items() if each >= 0.5}


def report(version, sizes, found, detail):
    cell, per_flow = {"version": version}, {}
    for name in ("c", "rs"):
        per_flow[name] = [{account: (own[account] - other[account]) / size for account in own}
                          for size, own, other in zip(sizes, found[name], found["nat"])]

    def tell(where, places, **more):
        """A cell of one point of each side's curve."""
        points = {name: per_flow[name][at] for name, at in places.items()}
        rounded = {name: {key: round(value, 1) for key, value in point.items()}
                   for name, point in points.items()}
        emit(PART, cell | where, "bytes", {name: [point["used"]] for name, point in points.items()},
             accounts=rounded, **more)

    for size in dict.fromkeys((START, 4 * START, sizes[-1])):
        at = sizes.index(size)
        tell({"flows": size, "what": "per flow"}, dict.fromkeys(per_flow, at),
             connection=found["nat"][at]["used"] / size)
    most = {name: max(range(len(sizes)), key=lambda at, points=points: points[at]["used"])
            for name, points in per_flow.items()}
    tell({"what": "per flow, when that is most"}, most, at={name: sizes[at] for name, at in most.items()})
    curves = {name: [point["used"] for point in points] for name, points in per_flow.items()}
    emit(PART, cell | {"what": "per flow, all sizes"}, "bytes", curves, sizes=sizes, curve=curves,
         slabs=detail)


def main():
    flows, steps = ([int(word) for word in sys.argv[1:]] + [None] * 2)[:2]
    flows, steps = flows or 1 << 20, steps or 24
    between = (int(START * (flows / START) ** (step / steps)) for step in range(steps))
    sizes = sorted({START, 4 * START, flows, *between})
    versions = (4, 6)
    cases = start_cases({version: {} for version in versions}, NAT)
    room_for(sizes[-1] + 10000)
    for version, sides in cases.items():
        handshake_templates(sides["c"], Flow(version, UDP, "snat"))
        found, detail = {}, {}
        for name in SIDES:
            keep(sides[name])
            found[name], detail[name] = curve(sides[name], sizes)
            close(sides[name])
        report(version, sizes, found, detail)


main()
