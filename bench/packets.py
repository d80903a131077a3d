# SPDX-License-Identifier: GPL-2.0
"""Frames of many connections, as templates for the bench module.

Connection number n is that of client 10.1.x.y (fd00:1::x:y), where x.y are the low 16 bits of n, and
of source port 1024 + the bits above. Its destination port says what the router translates. All
clients are behind one neighbour, as behind a router of their own.
"""
import dataclasses
import socket
import struct

ROUTER_LEFT, ROUTER_RIGHT = bytes.fromhex("020000000101"), bytes.fromhex("020000000201")
CLIENT_MAC, SERVER_MAC = bytes.fromhex("020000000102"), bytes.fromhex("020000000202")

KINDS = ("none", "snat", "dnat", "both")
VLAN, SESSION = 10, 4660
IPV4, IPV6, VLAN_TYPE, PPPOE_TYPE = 0x0800, 0x86DD, 0x8100, 0x8864
TCP, UDP = 6, 17
ACK, SYN = 0x10, 0x02

# By version: the clients, what they are translated to, the server, what it is translated from, and the
# ends of the tunnel.
ADDRESSES = {
    4: ("10.1.0.0", "100.64.0.0", "10.0.2.2", "10.0.2.99", "10.0.9.2", "10.0.9.1"),
    6: ("fd00:1::", "fd00:64::", "fd00:2::2", "fd00:2::99", "fd00:9::2", "fd00:9::1"),
}


def packed(version, name):
    return socket.inet_pton(socket.AF_INET if version == 4 else socket.AF_INET6, name)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF ^ total


@dataclasses.dataclass(frozen=True)
class Flow:
    """Connections of a kind: version of IP, protocol, and what is translated."""
    version: int
    protocol: int
    kind: str

    @property
    def port(self):
        return 7000 + KINDS.index(self.kind)

    def ends(self, reply):
        """Source and destination of packets as they come in."""
        client, translated, server, published = (packed(self.version, name)
                                                 for name in ADDRESSES[self.version][:4])
        if reply:
            return server, translated if self.kind in ("snat", "both") else client
        return client, published if self.kind in ("dnat", "both") else server


def ip_packet(version, protocol, source, destination, payload):
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + source + destination + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0,
                       source, destination)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def segment(flow, source, destination, reply, flags, numbers, payload):
    """The part after IP's header, with its checksum, and where in it that is."""
    ports = (flow.port, 1024) if reply else (1024, flow.port)
    if flow.protocol == TCP:
        data = struct.pack("!HHIIBBHHH", *ports, *numbers, 5 << 4, flags, 65535, 0, 0) + payload
        place = 16
    else:
        data = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
        place = 6
    pseudo = source + destination + struct.pack("!IHBB", len(data), 0, 0, flow.protocol)
    total = checksum(pseudo + data) or 0xFFFF
    return data[:place] + struct.pack("!H", total) + data[place + 2:], place


def template(flow, reply, layer, flags=ACK, numbers=(1000, 2000), payload=b"measured by bench"):
    """The words of a template after its number: device, frame and fields. Packets of the client are
    within `layer`: plain, vlan, pppoe or ipip; the server's are not within anything."""
    source, destination = flow.ends(reply)
    data, place = segment(flow, source, destination, reply, flags, numbers, payload)
    packet = ip_packet(flow.version, flow.protocol, source, destination, data)
    head, version = b"", flow.version
    kind = IPV4 if version == 4 else IPV6
    if reply:
        layer = "plain"
    if layer == "ipip":
        near, far = (packed(version, name) for name in ADDRESSES[version][4:6])
        outer = ip_packet(version, 4 if version == 4 else 41, near, far, packet)
        head = outer[:len(outer) - len(packet)]
    elif layer == "pppoe":
        head = struct.pack("!BBHHH", 0x11, 0, SESSION, 2 + len(packet), 0x21 if version == 4 else 0x57)
        kind = PPPOE_TYPE
    elif layer == "vlan":
        head = struct.pack("!HH", VLAN, kind)
        kind = VLAN_TYPE
    macs = ROUTER_RIGHT + SERVER_MAC if reply else ROUTER_LEFT + CLIENT_MAC
    head = macs + struct.pack("!H", kind) + head
    ip = len(head)
    l4 = ip + (20 if version == 4 else 40)
    # The client's address and port, where these are: source, or destination.
    address = ip + (14 if version == 4 else 22) + ((4 if version == 4 else 16) if reply else 0)
    port = l4 + (2 if reply else 0)
    sums = ([ip + 10] if version == 4 else []) + [l4 + place]
    fields = [f"field {address}:2:1:65536:" + ",".join(map(str, sums)),
              f"field {port}:2:65536:32768:{l4 + place}"]
    return " ".join(["r2" if reply else "r1", (head + packet).hex(), *fields])


def handshake(flow, layer):
    """Templates that make the connection, and the flow."""
    if flow.protocol == UDP:
        return [template(flow, reply, layer) for reply in (False, True, False)]
    steps = ((False, SYN, (999, 0)), (True, SYN | ACK, (1999, 1000)),
             (False, ACK, (1000, 2000)), (True, ACK, (2000, 1000)))
    return [template(flow, reply, layer, flags, numbers, b"") for reply, flags, numbers in steps]
