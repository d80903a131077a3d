# SPDX-License-Identifier: GPL-2.0
"""Some packets of one UDP multicast through the router of topology.sh, which the server gets; or, where
the router's kernel routes no multicast, the client itself.

    multicast.py can        whether this kernel routes multicast; in the router
    multicast.py 4|6
"""
import socket
import struct
import sys

from frames import enter

ANY, INIT, ADD_DEVICE, ADD_ROUTE = 0, 200, 202, 204
GROUP = {4: "239.1.2.3", 6: "ff05::7"}
SOURCE = {4: "10.0.1.2", 6: "fd00:1::2"}
PORT = 5007


def daemon(version):
    """What makes a kernel route multicast, as long as it is open."""
    if version == 4:
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
        s.setsockopt(socket.IPPROTO_IP, INIT, 1)
    else:
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        s.setsockopt(socket.IPPROTO_IPV6, INIT, 1)
    return s


def route(s, version):
    """From the first device to the second one."""
    for number, name in enumerate(("r1", "r2")):
        index = socket.if_nametoindex(name)
        if version == 4:
            device = struct.pack("=HBBIi4x", number, 8, 1, 0, index)
            s.setsockopt(socket.IPPROTO_IP, ADD_DEVICE, device)
        else:
            device = struct.pack("=HBBH2xI", number, 0, 1, index, 0)
            s.setsockopt(socket.IPPROTO_IPV6, ADD_DEVICE, device)
    if version == 4:
        s.setsockopt(socket.IPPROTO_IP, ADD_ROUTE,
                     socket.inet_aton(SOURCE[4]) + socket.inet_aton(GROUP[4]) + struct.pack("=H32s2x16x", 0, b"\0\1"))
    else:
        ends = b"".join(struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, host), 0)
                        for host in (SOURCE[6], GROUP[6]))
        s.setsockopt(socket.IPPROTO_IPV6, ADD_ROUTE, ends + struct.pack("=H2x32s", 0, b"\2"))


def frame_for(address, data):
    """A frame of an IPv6 multicast that is for one station."""
    source, group = (socket.inet_pton(socket.AF_INET6, host) for host in ("fd00:1::77", GROUP[6]))
    udp = struct.pack("!HHHH", PORT, PORT, 8 + len(data), 0) + data
    total = sum(struct.unpack(f"!{16 + len(udp) // 2}H", source + group + udp)) + len(udp) + 17
    total = (total & 0xFFFF) + (total >> 16)
    udp = udp[:6] + struct.pack("!H", 0xFFFF ^ ((total & 0xFFFF) + (total >> 16))) + udp[8:]
    return (address + b"\2\0\0\0\1\2\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(udp), 17, 8) +
            source + group + udp)


def main():
    if sys.argv[1] == "can":
        for version in 4, 6:
            try:
                daemon(version).close()
            except OSError:
                sys.exit(1)
        return
    version = int(sys.argv[1])
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    enter("router")
    try:
        router = daemon(version)
        route(router, version)
    except OSError as error:
        print(error)
        router = None
    enter("server" if router else "client")
    server = socket.socket(family, socket.SOCK_DGRAM)
    server.bind(("", PORT))
    server.settimeout(10)
    index = socket.if_nametoindex("s0" if router else "c0")
    if version == 4:
        server.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                          struct.pack("=4s4si", socket.inet_aton(GROUP[4]), b"\0\0\0\0", index))
    else:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                          socket.inet_pton(socket.AF_INET6, GROUP[6]) + struct.pack("=i", index))
    enter("client")
    if router:
        client = socket.socket(family, socket.SOCK_DGRAM)
        client.bind((SOURCE[version], PORT))
        index = socket.if_nametoindex("c0")
        if version == 4:
            client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
            client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                              struct.pack("=4s4si", b"\0\0\0\0", b"\0\0\0\0", index))
        else:
            client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 8)
            client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    else:
        client = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        client.bind(("c0", 0))
    for number in range(6):
        data = b"%08d" % number
        if router:
            client.sendto(data, (GROUP[version], PORT))
        else:
            client.send(frame_for(b"\2\0\0\0\1\1", data))
        back = server.recv(100)
        assert back == data, back


main()
