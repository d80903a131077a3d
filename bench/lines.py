# SPDX-License-Identifier: GPL-2.0
"""Packets for the plugin of QEMU to look at, of C's hook first, then of ours: for each line "REPORT" that
this prints, the plugin writes a report, in the same order; lines_report.py puts them together.

    lines.py MARK [FLOWS [VERSION:PROTOCOL:KIND...]] [symbols]

Flows are in random order, so that what belongs to one is never what the packet before has touched. With
"symbols" as the last argument it ends with where the functions of modules are (by_function.py).
"""
import json
import subprocess
import sys

from conntrack import forget, keep, room_for
from orders import shuffled, write
from packets import TCP, UDP, Flow, template
from sides import fill, handshake_templates, start

FLOWS = 8192
CELLS = ["4:udp:snat", "6:tcp:dnat"]
SEED = 1


def measure(mark, name, side, cell, flows):
    """Twice the same packets, as the first ones have warmed up what is shared."""
    digest = side.command(f"run digest 0 {flows}")
    subprocess.run([mark, "reset"], check=True)
    side.command(f"run hook 0 {flows}")
    subprocess.run([mark, "report"], check=True)
    out = {key: digest[key] for key in ("digest", "stolen", "sent")}
    print("REPORT", json.dumps({"side": name, "cell": cell, "seed": SEED, "out": out}), flush=True)


def cell(sides, mark, words, flows):
    version, protocol, kind = words.split(":")
    flow = Flow(int(version), TCP if protocol == "tcp" else UDP, kind)
    labels = {"version": flow.version, "protocol": protocol, "nat": kind, "flows": flows}
    for side in sides.values():
        forget(side)
    templates = handshake_templates(sides["c"], flow)
    for side in sides.values():
        fill(side, 0, flows, templates)
    sides["c"].command(f"template 0 {template(flow, False, 'plain')}")
    for name, side in sides.items():
        measure(mark, name, side, labels, flows)


def show_symbols():
    with open("/proc/kallsyms") as symbols:
        for line in symbols:
            if "\t[" in line and line.split()[2][0] != "$":
                print("SYMBOL", line, end="", flush=False)


def main():
    mark, *words = [word for word in sys.argv[1:] if word != "symbols"]
    flows = int(words[0]) if words else FLOWS
    room_for(4 * flows)
    sides = start(bench=["markers=1"])
    for side in sides.values():
        keep(side, 60)
    write(shuffled(range(flows), SEED))
    for words in words[1:] or CELLS:
        cell(sides, mark, words, flows)
    if "symbols" in sys.argv:
        show_symbols()


if __name__ == "__main__":
    main()
