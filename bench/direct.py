# SPDX-License-Identifier: GPL-2.0
"""Instructions of the hook and the transmission of a packet, of the C modules, of ours, and of ours with
direct transmit: in a guest whose clock counts instructions. Part of the report's section of past.py.
"""
from conntrack import keep
from instructions import FLOWS, PACKETS, PROTOCOLS, SEED, instructions, make
from orders import write
from packets import TCP, UDP, Flow, template
from stats import emit, summary
from switches import end, obeyed, start_switched

CELLS = [Flow(4, UDP, "snat"), Flow(6, TCP, "dnat")]


def cell(sides, flow):
    """Whether all packets took the fast path, and came out the same."""
    make(sides, flow, "plain")
    write(FLOWS)
    sides["c"].command(f"template 0 {template(flow, False, 'plain')}")
    values, out = {}, []
    for name, side in sides.items():
        # As instructions.py does it, and why.
        side.command(f"run receive 0 {len(FLOWS)}")
        digest = side.command(f"run digest 0 {PACKETS}")
        out.append((digest["digest"], digest["stolen"], digest["sent"]))
        values[name] = [instructions(side, "hook") - instructions(side, "build")]
    equal = len(set(out)) == 1 and out[0][1:] == (PACKETS, PACKETS)
    ratios = {"direct:c": summary([values["direct"][0] / values["c"][0]])} if "direct" in values else {}
    emit("past", {"measure": "hook_and_transmit", "version": flow.version,
                  "protocol": PROTOCOLS[flow.protocol], "nat": flow.kind,
                  "counter": False},
         "instructions", values, equal, ratios=ratios, seed=SEED)
    return equal


def main():
    sides, missing = start_switched(["direct"], counter=False)
    for side in sides.values():
        # Ours lets go of a connection that is deleted when its flow would have ended.
        keep(side, 3)
    good = [cell(sides, flow) for flow in CELLS]
    end(all(good) and obeyed(sides), missing)


if __name__ == "__main__":
    main()
