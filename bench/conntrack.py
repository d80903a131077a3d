# SPDX-License-Identifier: GPL-2.0
"""Conntrack of a side's namespace: room for many connections, how long they stay, and an end to
them all."""
import contextlib
import os
import socket
import struct
import subprocess
import time

DAY = 86400
COUNT = "/proc/sys/net/netfilter/nf_conntrack_count"
# The message of ctnetlink, which without an address is about all connections.
NETFILTER, DELETE, REQUEST_ACK = 12, (1 << 8) | 2, 1 | 4


@contextlib.contextmanager
def within(side):
    """The namespace of a side, for what is done in between."""
    os.setns(side.there, os.CLONE_NEWNET)
    try:
        yield
    finally:
        os.setns(side.here, os.CLONE_NEWNET)


def count(side):
    with within(side), open(COUNT) as file:
        return int(file.read())


def forget(side):
    """Deletes all connections, and waits until they are gone: until no flow holds any."""
    with within(side), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER) as netlink:
        netlink.send(struct.pack("=IHHIIBBH", 20, DELETE, REQUEST_ACK, 1, 0, socket.AF_UNSPEC, 0, 0))
        _, _, _, _, _, error = struct.unpack_from("=IHHIIi", netlink.recv(4096))
        assert error == 0, error
    for _ in range(500):
        if count(side) == 0:
            return
        time.sleep(0.2)
    raise RuntimeError(f"{side.name}: {count(side)} connections stay")


def room_for(connections):
    """Lets conntrack have so many in all, none of which has to share its hash bucket with many others."""
    buckets = 1 << (max(connections, 1 << 16) - 1).bit_length()
    subprocess.run(["sysctl", "-qw", f"net.netfilter.nf_conntrack_buckets={buckets}",
                    f"net.netfilter.nf_conntrack_max={2 * connections}"], check=True)


def keep(side, flows=DAY, connections=DAY):
    """For how many seconds flows made from now on stay without a packet, and connections without a flow."""
    side.run("sysctl", "-qw", f"net.netfilter.nf_flowtable_udp_timeout={flows}",
             f"net.netfilter.nf_flowtable_tcp_timeout={flows}",
             f"net.netfilter.nf_conntrack_udp_timeout={connections}",
             f"net.netfilter.nf_conntrack_udp_timeout_stream={connections}")
