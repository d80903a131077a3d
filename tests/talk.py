# SPDX-License-Identifier: GPL-2.0
"""A connection to an echo server that says as much as it is told to: lines with a number of packets,
and their size if it is not 8 bytes. The answer is how often a packet had to be sent again."""
import os
import socket
import sys

kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if len(sys.argv) > 4:
    s.bind(("", int(sys.argv[4])))
s.connect((host, port))
if kind == "tcp":
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
# How long an answer may take before the packet is taken for lost, in seconds.
patience = float(os.environ.get("PATIENCE", "0.3"))
number = 0
for line in sys.stdin:
    try:
        again = 0
        count, size = (line.split() + ["8"])[:2]
        for _ in range(int(count)):
            number += 1
            data = (b"%08d" % number).ljust(int(size), b".")
            # UDP may lose a packet when the path changes; TCP may not.
            s.settimeout(15 if kind == "tcp" else patience)
            for attempt in range(1 if kind == "tcp" else 20):
                again += attempt > 0
                s.sendall(data)
                try:
                    back = s.recv(65536)
                    while len(back) < len(data) or (kind == "udp" and back != data):
                        back = back + s.recv(65536) if kind == "tcp" else s.recv(65536)
                    break
                except TimeoutError:
                    back = b""
            assert back == data, (data, back)
        print("said", again, flush=True)
    except (OSError, AssertionError) as error:
        print("failed:", error, flush=True)
s.close()
