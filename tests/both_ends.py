# SPDX-License-Identifier: GPL-2.0
"""One UDP connection whose two ends are in one program, so that it knows of each packet whether it
arrived: lines with what is to be done, answered by how many packets have arrived.
  talk N       N packets from the client, each answered
  client N     N packets from the client only, the server being silent
  server N     N packets from the server only, the client being silent
Behind that there may be how many bytes they have, if not 8; none is ever sent in fragments.
Usage: both_ends.py CLIENT'S ADDRESS SERVER'S ADDRESS"""
import socket
import sys
import time

from frames import enter

PAUSE = 0.01  # seconds between two packets
PATIENCE = 0.3  # seconds for the last one to arrive

hosts = sys.argv[1:3]
ports = (40100, 9)
family = socket.AF_INET6 if ":" in hosts[0] else socket.AF_INET
ends = []
for name, host, port in zip(("client", "server"), hosts, ports):
    enter(name)
    end = socket.socket(family, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # The addresses may go and come back under the socket.
    end.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
    # Whatever routers say of large packets is not heeded.
    end.setsockopt(socket.SOL_IP, 10, 3)  # IP_MTU_DISCOVER, IP_PMTUDISC_PROBE
    if family == socket.AF_INET6:
        end.setsockopt(socket.IPPROTO_IPV6, 23, 3)  # IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE
    end.bind((host, port))
    ends.append(end)
number, size = 0, 8


def send(side):
    global number
    number += 1
    try:
        ends[side].sendto((b"%08d" % number).ljust(size, b"."), (hosts[1 - side], ports[1 - side]))
    except OSError:
        # An ICMP error about an earlier one, or no way at all; this one has not left.
        pass
    return number


def arrived(side, wanted):
    """Takes out what has arrived there, and counts what is wanted."""
    count = 0
    while True:
        try:
            count += int(ends[side].recv(65536, socket.MSG_DONTWAIT)[:8]) in wanted
        except BlockingIOError:
            return count
        except OSError:
            pass


def pass_on(side, wanted):
    """Waits for what is wanted, but not for long."""
    count, end = 0, time.monotonic() + PATIENCE
    while count < len(wanted) and time.monotonic() < end:
        count += arrived(1 - side, wanted)
        time.sleep(0.002)
    return count


for line in sys.stdin:
    what, count, size = (line.split() + ["8"])[:3]
    size = int(size)
    total = 0
    if what == "talk":
        for _ in range(int(count)):
            if pass_on(0, {send(0)}):
                total += pass_on(1, {send(1)})
    else:
        side = ("client", "server").index(what)
        arrived(1 - side, ())
        wanted = set()
        for _ in range(int(count)):
            wanted.add(send(side))
            time.sleep(PAUSE)
            total += arrived(1 - side, wanted)
        while len(wanted) > total:
            more = pass_on(side, wanted)
            if not more:
                break
            total += more
    print(total, flush=True)
