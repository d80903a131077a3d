# SPDX-License-Identifier: GPL-2.0
"""Steady traffic to an echo server, and what became of each packet.

  steady.py serve PORT              answers both protocols, IPv4 and IPv6
  steady.py HOST PORT [SOURCE PORT]
            talks by UDP, at a rate that is steady while answers come, and by TCP, until its input ends;
            then it says, as NAME=NUMBER, how many datagrams it sent and how many answers never came or
            came twice, how many round trips TCP made, how many of its packets were lost (sent again, and
            the other end did not say that it had them already, as it does on a machine that is too busy
            to answer in time), and the longest time in milliseconds that it waited for an answer.
"""
import select
import socket
import struct
import sys
import time

RATE = 250  # datagrams, and round trips of TCP, at most, per second
# Datagrams without an answer at most: fewer than the queue of a socket holds, so that a server that is
# too busy to answer in time loses none.
WINDOW = 64
# Offsets of tcpi_total_retrans and tcpi_dsack_dups in struct tcp_info.
TCP_INFO_TOTAL_RETRANS = 100
TCP_INFO_DSACK_DUPS = 216


def serve(port):
    def listen(kind):
        s = socket.socket(socket.AF_INET6, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("", port))
        return s

    udp, tcp = listen(socket.SOCK_DGRAM), listen(socket.SOCK_STREAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    tcp.listen()
    sockets = [udp, tcp]
    while True:
        for s in select.select(sockets, [], [])[0]:
            if s is udp:
                data, sender = s.recvfrom(65536)
                s.sendto(data, sender)
            elif s is tcp:
                new = s.accept()[0]
                new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sockets.append(new)
            else:
                data = s.recv(65536)
                if data:
                    s.sendall(data)
                else:
                    sockets.remove(s)
                    s.close()


def talk(host, port, source):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    tcp = socket.socket(family, socket.SOCK_STREAM)
    for s in udp, tcp:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("", source))
        s.connect((host, port))
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sent, got, twice, trips, longest = 0, set(), 0, 0, 0.0
    begin = time.monotonic()
    asked = None
    end = None
    while True:
        now = time.monotonic()
        if end is None and select.select([sys.stdin], [], [], 0)[0]:
            # Answers that are on their way may come.
            end = now + 10
        if end is None:
            # No more at once than a small queue holds, however late it is.
            for _ in range(min(4, int((now - begin) * RATE) + 1 - sent, WINDOW - (sent - len(got)))):
                udp.send(b"%016d" % sent)
                sent += 1
            if asked is None and trips < (now - begin) * RATE:
                tcp.sendall(b"%016d" % trips)
                asked = now
        elif now > end or (len(got) == sent and asked is None):
            break
        for s in select.select([udp, tcp], [], [], 1 / RATE)[0]:
            if s is udp:
                number = int(udp.recv(100))
                if not got:
                    print("talking", flush=True)
                twice += number in got
                got.add(number)
            else:
                back = tcp.recv(100)
                while len(back) < 16:
                    back += tcp.recv(100)
                assert back == b"%016d" % trips, back
                trips += 1
                longest = max(longest, time.monotonic() - asked)
                asked = None
    info = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    again = struct.unpack_from("=I", info, TCP_INFO_TOTAL_RETRANS)[0]
    again = max(0, again - struct.unpack_from("=I", info, TCP_INFO_DSACK_DUPS)[0])
    print(f"sent={sent} lost={sent - len(got)} twice={twice} trips={trips} again={again} "
          f"longest={int(longest * 1000)}", flush=True)


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    talk(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
