# SPDX-License-Identifier: GPL-2.0
"""Connections to an echo server that stay until the input ends: each exchanges five packets.

    connections.py PROTOCOL:HOST:SOURCE PORT..., with commas for the colons of an address
"""
import socket
import sys

connections = []
for word in sys.argv[1:]:
    kind, host, port = word.split(":")
    host = host.replace(",", ":")
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET,
                      socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", int(port)))
    s.settimeout(10)
    s.connect((host, 7))
    for number in range(5):
        s.sendall(b"%08d" % number)
        assert s.recv(100) == b"%08d" % number
    connections.append(s)
print("said", flush=True)
sys.stdin.read()
