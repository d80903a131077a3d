# SPDX-License-Identifier: GPL-2.0
"""A virtual service of IPVS with one real server behind NAT, for TCP and UDP, by generic netlink.

    ipvs.py ADDRESS PORT ADDRESS OF THE REAL SERVER PORT SECONDS THAT A CONNECTION MAY BE IDLE
"""
import socket
import struct
import sys

# linux/netlink.h, linux/genetlink.h
NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR, NLA_F_NESTED = 1, 4, 2, 0x8000
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
# linux/ip_vs.h
NEW_SERVICE, NEW_DEST, SET_CONFIG = 1, 5, 12
SERVICE, DEST, TIMEOUT_TCP, TIMEOUT_TCP_FIN, TIMEOUT_UDP = 1, 2, 4, 5, 6
SVC_AF, SVC_PROTOCOL, SVC_ADDR, SVC_PORT, SVC_SCHED, SVC_FLAGS, SVC_TIMEOUT, SVC_NETMASK = 1, 2, 3, 4, 6, 7, 8, 9
DEST_ADDR, DEST_PORT, DEST_METHOD, DEST_WEIGHT, DEST_UPPER, DEST_LOWER = 1, 2, 3, 4, 5, 6


def attribute(kind, data):
    size = 4 + len(data)
    return struct.pack("=HH", size, kind) + data + bytes(-size % 4)


def ask(s, family, command, attributes):
    body = struct.pack("=BBH", command, 1, 0) + attributes
    s.send(struct.pack("=IHHII", 16 + len(body), family, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
    answer = None
    while True:
        data = s.recv(65536)
        if struct.unpack_from("=H", data, 4)[0] == NLMSG_ERROR:
            error = struct.unpack_from("=i", data, 16)[0]
            if error:
                raise OSError(-error, f"command {command}")
            return answer
        answer = data[20:]


def number_of(s, name):
    """The number of a family of generic netlink."""
    answer = ask(s, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, attribute(CTRL_ATTR_FAMILY_NAME, name + b"\0"))
    while answer:
        size, kind = struct.unpack_from("=HH", answer)
        if kind == CTRL_ATTR_FAMILY_ID:
            return struct.unpack_from("=H", answer, 4)[0]
        answer = answer[(size + 3) & ~3:]
    raise KeyError(name)


def main():
    address, port, real, real_port, seconds = sys.argv[1:]
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    s.settimeout(10)
    s.bind((0, 0))
    family = number_of(s, b"IPVS")

    def host(text):
        return socket.inet_aton(text) + bytes(12)

    ask(s, family, SET_CONFIG, b"".join(attribute(kind, struct.pack("=I", int(seconds)))
                                        for kind in (TIMEOUT_TCP, TIMEOUT_TCP_FIN, TIMEOUT_UDP)))
    for protocol in socket.IPPROTO_TCP, socket.IPPROTO_UDP:
        which = (attribute(SVC_AF, struct.pack("=H", socket.AF_INET)) +
                 attribute(SVC_PROTOCOL, struct.pack("=H", protocol)) +
                 attribute(SVC_ADDR, host(address)) + attribute(SVC_PORT, struct.pack("!H", int(port))))
        ask(s, family, NEW_SERVICE, attribute(
            SERVICE | NLA_F_NESTED,
            which + attribute(SVC_SCHED, b"rr\0") + attribute(SVC_FLAGS, struct.pack("=II", 0, 0xFFFFFFFF)) +
            attribute(SVC_TIMEOUT, struct.pack("=I", 0)) + attribute(SVC_NETMASK, b"\xff" * 4)))
        # Method 0 is NAT.
        ask(s, family, NEW_DEST, attribute(SERVICE | NLA_F_NESTED, which) + attribute(
            DEST | NLA_F_NESTED,
            attribute(DEST_ADDR, host(real)) + attribute(DEST_PORT, struct.pack("!H", int(real_port))) +
            b"".join(attribute(kind, struct.pack("=I", value)) for kind, value in
                     ((DEST_METHOD, 0), (DEST_WEIGHT, 1), (DEST_UPPER, 0), (DEST_LOWER, 0)))))


main()
