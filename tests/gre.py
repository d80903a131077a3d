# SPDX-License-Identifier: GPL-2.0
"""GRE of version 0 between raw sockets: echoed, or so many packets there and back.

    gre.py echo 4|6
    gre.py exchange HOST COUNT
"""
import socket
import sys

HEADER = b"\0\0\x08\0"


def opened(family):
    return socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_GRE)


def received(s):
    packet, sender = s.recvfrom(65536)
    # Only of IPv4, raw sockets get the header, too.
    return packet[20:] if s.family == socket.AF_INET else packet, sender


what, argument = sys.argv[1:3]
if what == "echo":
    s = opened(socket.AF_INET if argument == "4" else socket.AF_INET6)
    while True:
        packet, sender = received(s)
        s.sendto(packet, sender)
s = opened(socket.AF_INET6 if ":" in argument else socket.AF_INET)
s.settimeout(5)
for number in range(int(sys.argv[3])):
    packet = HEADER + b"%08d" % number
    s.sendto(packet, (argument, 0))
    while received(s)[0] != packet:
        pass
