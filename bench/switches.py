# SPDX-License-Identifier: GPL-2.0
"""Sides whose flowtables are of this module with one or both of its switches on: direct_transmit, by which
packets go to a device's driver at once where nothing would see that, and batch, by which they are
forwarded some at a time.

A flowtable does for its whole life what the switches said when it was made. batch is a number, of flows from
which on it is done.
"""
import os
import sys

from side import Side
from sides import start_cases

PARAMETERS = "/sys/module/nft_offload_rs/parameters/"
SWITCHES = {"direct": ("direct_transmit",), "batch": ("batch",), "both": ("direct_transmit", "batch")}
# What counts the packets for which a switch made the difference.
COUNTERS = {"direct_transmit": "packets_forwarded_directly", "batch": "packets_batched"}


def is_on(switch):
    with open(PARAMETERS + switch) as file:
        return file.read().strip() not in ("N", "0")


def turn(switches, on):
    for switch in switches:
        with open(PARAMETERS + switch, "w") as file:
            file.write("1" if on else "0")


def start_switched(wanted, others=None, counter=True):
    """Sides c, rs, which has none of them on, `others`, and those `wanted` of the ones above; and names of
    those that cannot be had, since the module has no such switch."""
    sides, missing = start_cases({None: {"counter": counter}}, others)[None], []
    present = [switch for switch in COUNTERS if os.path.exists(PARAMETERS + switch)]
    assert not any(is_on(switch) for switch in present)
    for name in wanted:
        switches = SWITCHES[name]
        if not set(switches) <= set(present):
            missing.append(name)
            continue
        turn(switches, True)
        # As if it were a case of that side, so that it is known to be ours.
        sides[name] = Side(f"rs-{name}", counter=counter)
        turn(present, False)
    return sides, missing


def obeyed(sides):
    """Whether our sides did what their switches say, and nothing else."""
    good = True
    for name, side in sides.items():
        if name in ("rs", *SWITCHES):
            counts = side.ours()
            did = {switch for switch, counter in COUNTERS.items() if counts.get(counter)}
            good &= did == set(SWITCHES.get(name, ()))
    return good


def end(good, missing):
    """What is to be said at the end, and the exit status: nothing is left out without a word."""
    if missing:
        print(f"not ok 0 - not measured, since the module has no such switches: {', '.join(missing)}")
    if not good:
        print("not ok 0 - packets took another way, or came out otherwise")
    sys.exit(1 if missing or not good else 0)
