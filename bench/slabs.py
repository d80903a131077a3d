# SPDX-License-Identifier: GPL-2.0
"""The kernel's slabs, of all namespaces: what is in them. A kernel that does not tell has none."""
import os

INFO = "/proc/slabinfo"
PAGE = 4096


def rows():
    if not os.path.exists(INFO):
        return []
    with open(INFO) as info:
        return [line.split() for line in info.readlines()[2:]]


def tells():
    return bool(rows())


def objects(name):
    return sum(int(row[1]) for row in rows() if row[0] == name)


def connections():
    return objects("nf_conntrack")


def c_flows():
    """Flows of the C modules', and those that are about to be freed."""
    return objects("flow_offload")


def sizes():
    """Bytes by slab."""
    return {row[0]: int(row[14]) * int(row[5]) * PAGE for row in rows()}
