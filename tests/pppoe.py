#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""One end of a PPPoE session without discovery and negotiation: pppoe.py DEVICE MAC SESSION.

Both ends agree on everything beforehand, so the session is up when the interface is there. Ends
with its process. Each line on standard input is the number of a session to redial with, on the same
interface.
"""
import array
import fcntl
import os
import socket
import struct
import sys

AF_PPPOX = 24
PX_PROTO_OE = 0
PPPIOCGCHAN = 0x80047437
PPPIOCATTCHAN = 0x40047438
PPPIOCNEWUNIT = 0xC004743E
PPPIOCCONNECT = 0x4004743A
PPPIOCSFLAGS = 0x40047459
PPPIOCSNPMODE = 0x4008744B
PPP_IP, PPP_IPV6 = 0x21, 0x57
NPMODE_PASS = 0


def connect(libc, device, mac, session):
    """A channel for a session."""
    sock = libc.socket(AF_PPPOX, socket.SOCK_STREAM, PX_PROTO_OE)
    assert sock >= 0, "no PPPoE"
    address = struct.pack("=HIH6s16s", AF_PPPOX, PX_PROTO_OE, socket.htons(session), mac,
                          device.encode())
    address = address.ljust(30, b"\0")
    if libc.connect(sock, address, len(address)):
        import ctypes
        raise OSError(ctypes.get_errno(), "connect")
    number = array.array("i", [0])
    fcntl.ioctl(sock, PPPIOCGCHAN, number, True)
    channel = os.open("/dev/ppp", os.O_RDWR)
    fcntl.ioctl(channel, PPPIOCATTCHAN, number, True)
    return sock, channel


def main():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    device, mac, session = sys.argv[1], bytes.fromhex(sys.argv[2].replace(":", "")), int(sys.argv[3])
    link = connect(libc, device, mac, session)
    unit = os.open("/dev/ppp", os.O_RDWR)
    number = array.array("i", [0])
    fcntl.ioctl(unit, PPPIOCNEWUNIT, number, True)
    fcntl.ioctl(link[1], PPPIOCCONNECT, number, True)
    for protocol in PPP_IP, PPP_IPV6:
        fcntl.ioctl(unit, PPPIOCSNPMODE, struct.pack("ii", protocol, NPMODE_PASS))
    print("up", flush=True)
    while True:
        # Redials are rare; without any the interface stays until somebody ends the process.
        line = sys.stdin.readline()
        if not line:
            break
        os.close(link[1])
        os.close(link[0])
        link = connect(libc, device, mac, int(line))
        fcntl.ioctl(link[1], PPPIOCCONNECT, number, True)
        print("redialled", flush=True)
    while True:
        if not os.read(unit, 1500):
            break


main()
