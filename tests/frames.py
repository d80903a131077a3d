# SPDX-License-Identifier: GPL-2.0
"""Ready-made frames between the hosts of topology.sh, and sockets to send them with."""
import ctypes
import socket
import struct

libc = ctypes.CDLL(None, use_errno=True)
R1, R2 = bytes.fromhex("020000000101"), bytes.fromhex("020000000201")
C0, S0 = bytes.fromhex("020000000102"), bytes.fromhex("020000000202")
CLIENT, SERVER = socket.inet_aton("10.0.1.2"), socket.inet_aton("10.0.2.2")


def enter(name):
    with open(f"/run/netns/{name}") as file:
        assert libc.setns(file.fileno(), 0x40000000) == 0


def tap(name, dev):
    enter(name)
    # Sends only: what arrives is counted elsewhere.
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.bind((dev, 0))
    return s


def csum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF ^ ((total & 0xFFFF) + (total >> 16))


def frame(eth, src, dst, sport, dport):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 32, 0, 0x4000, 64, 17, 0, src, dst)
    ip = ip[:10] + struct.pack("!H", csum(ip)) + ip[12:]
    return eth + b"\x08\0" + ip + struct.pack("!HHHH", sport, dport, 12, 0) + b"data"


def there(i):
    """A packet of the client's in connection number i."""
    return frame(R1 + C0, CLIENT, SERVER, 1024 + i % 60000, 1024 + i // 60000)


def back(i):
    """The server's answer."""
    return frame(R2 + S0, SERVER, CLIENT, 1024 + i // 60000, 1024 + i % 60000)
