# SPDX-License-Identifier: GPL-2.0
"""Packets through a UDP tunnel, and what their checksums are worth.

  talk HOST               packets to an echo server: how many are answered
  look FILE TUNNEL WANT   of a capture's frames of this tunnel: outer checksums that are none, right and
                          wrong, and inner ones; fails if there are outer ones of another kind than WANT,
                          none or right, or inner ones that are not right"""
import socket
import struct
import sys


def talk(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.connect((host, 7))
    # None of those that are lost will be answered: nobody waits long for them.
    s.settimeout(0.5)
    answers = 0
    for i in range(100):
        # Of odd length, too.
        s.send(b"." * (20 + i))
        try:
            s.recv(1000)
            answers += 1
        except TimeoutError:
            s.settimeout(0.01)
    print(answers)


def total(data):
    if len(data) % 2:
        data += b"\0"
    n = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while n > 0xFFFF:
        n = (n & 0xFFFF) + (n >> 16)
    return n


def within(packet):
    """Protocol, content and sum of the pseudo header, of a packet of IP."""
    if packet[0] >> 4 == 4:
        start, length = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)[0]
        protocol, addresses = packet[9], packet[12:20]
    else:
        start, length = 40, 40 + struct.unpack_from("!H", packet, 4)[0]
        protocol, addresses = packet[6], packet[8:40]
    content = packet[start:length]
    assert len(content) == length - start, "a frame was not captured whole"
    return protocol, content, total(addresses) + protocol + len(content)


def verdict(packet):
    """Of a transport checksum: none, right or wrong."""
    protocol, content, pseudo = within(packet)
    if protocol == 17 and content[6:8] == b"\0\0":
        return "none"
    return "right" if total(struct.pack("!I", pseudo) + content) == 0xFFFF else "wrong"


def frames(name):
    with open(name, "rb") as file:
        data = file.read()
    order = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack_from(order + "8xI", data, at)[0]
        yield data[at + 16:at + 16 + length]
        at += 16 + length


# Port, and bytes between the header of UDP and the packet inside.
TUNNELS = {"fou": (5555, 0), "fou6": (5555, 0), "gue": (5555, 4), "vxlan": (4789, 22)}


def look(name, tunnel, want):
    port, between = TUNNELS[tunnel]
    outer, inner = dict.fromkeys(("none", "right", "wrong"), 0), dict.fromkeys(("none", "right", "wrong"), 0)
    for frame in frames(name):
        packet = frame[14:]
        if packet[0] >> 4 not in (4, 6) or packet[9 if packet[0] >> 4 == 4 else 6] != 17:
            continue
        content = within(packet)[1]
        if struct.unpack_from("!H", content, 2)[0] != port:
            continue
        inside = content[8 + between:]
        if inside[0] >> 4 not in (4, 6) or inside[9 if inside[0] >> 4 == 4 else 6] not in (6, 17):
            continue
        outer[verdict(packet)] += 1
        inner[verdict(inside)] += 1
    print("outer", *(f"{kind} {n}" for kind, n in outer.items()),
          "inner", *(f"{kind} {n}" for kind, n in inner.items()))
    count = sum(outer.values())
    return count >= 100 and outer[want] == count and inner["right"] == count


if sys.argv[1] == "talk":
    talk(sys.argv[2])
else:
    sys.exit(not look(*sys.argv[2:]))
