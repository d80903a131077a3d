# SPDX-License-Identifier: GPL-2.0
"""Many flowtables without anything in them, as anybody can make who has a namespace of their own, and
stations that nobody has heard of. Says what they cost, as lines of a name and a number.

  flowtables COUNT [memory]   memory of each, and the time to delete some of the first and of the last; unless
                              memory is all: of a station on a bridge, with those flowtables and without
  many COUNT                makes and deletes so many
  hosts COUNT               makes flows to so many hosts behind a bridge
  stations PORT               of a station that is new on a bridge, which the frames of PORT come to"""
import os
import socket
import struct
import sys
import time

import frames

NEWTABLE, DELTABLE, NEWFLOWTABLE, DELFLOWTABLE = 0, 2, 22, 24
INET = 1
# In one transaction, and in one table: longer lists would cost nf_tables itself some time.
PART = 1000
MODULES = "nft_offload_rs", "nf_flow_table_inet"


def attribute(kind, data):
    return struct.pack("=HH", len(data) + 4, kind) + data + b"\0" * (-len(data) % 4)


def name(kind, text):
    return attribute(kind, text.encode() + b"\0")


def message(kind, flags, payload, family=INET, resource=0):
    body = struct.pack("!BBH", family, 0, resource) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, flags | 1, 0, 0) + body


class Ruleset:
    """Transactions of nf_tables, without a program between that lists what is there before each."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.socket.bind((0, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    def commit(self, messages):
        parts = [message(0x10, 0, b"", 0, 10)]
        for i, (kind, payload) in enumerate(messages):
            # The last one is answered; what is wrong always is.
            flags = 0x400 if kind in (NEWTABLE, NEWFLOWTABLE) else 0
            parts.append(message(10 << 8 | kind, flags | (4 if i == len(messages) - 1 else 0), payload))
        self.socket.send(b"".join(parts) + message(0x11, 0, b"", 0, 10))
        kind, = struct.unpack_from("=H", answer := self.socket.recv(65536), 4)
        error, = struct.unpack_from("=i", answer, 16)
        assert kind == 2
        if error:
            raise OSError(-error, os.strerror(-error))

    @staticmethod
    def flowtables(part, more=b""):
        return [name(1, f"t{part}") + name(2, f"f{i}") + more for i in range(PART)]

    def make(self, part):
        hook = attribute(3 | 0x8000, attribute(1, struct.pack("!I", 0)) + attribute(2, struct.pack("!I", 0)))
        self.commit([(NEWTABLE, name(1, f"t{part}"))] +
                    [(NEWFLOWTABLE, flowtable) for flowtable in self.flowtables(part, hook)])

    def delete(self, part):
        self.commit([(DELFLOWTABLE, flowtable) for flowtable in self.flowtables(part)] +
                    [(DELTABLE, name(1, f"t{part}"))])


def references():
    """Flowtables that are not freed yet, as the modules count them."""
    total = 0
    for module in MODULES:
        try:
            with open(f"/sys/module/{module}/refcnt") as file:
                total += int(file.read())
        except FileNotFoundError:
            pass
    return total


def available():
    """Memory that is, in bytes."""
    with open("/proc/meminfo") as file:
        values = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return 1024 * values["MemAvailable"]


def charged():
    """Memory that this control group has used, in bytes; 0 if there is none."""
    try:
        with open("/sys/fs/cgroup/crowd/memory.current") as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


class Stations:
    """Sends frames, each of a station that nobody has heard of, and says what one takes, in microseconds."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((port, 0))
        self.number = 0

    def once(self, count):
        frames = []
        for _ in range(count):
            self.number += 1
            # To a station of which nothing is known, with nothing that anybody would look at.
            frames.append(b"\2\xee\0\0\0\1" + b"\2\xcc" + struct.pack("!I", self.number) + b"\x88\xb5" +
                          b"\0" * 46)
        began = time.monotonic()
        for frame in frames:
            self.socket.send(frame)
        return (time.monotonic() - began) * 1e6 / count

    def cost(self, rounds=20):
        # Whoever sends does all the work. What else the machine does comes in between now and then: the
        # least has none of it.
        return min(self.once(30) for _ in range(rounds))


def flowtables(count, memory_only):
    parts = range(count // PART)
    ruleset = Ruleset()
    base = references()
    # Whatever is allocated once.
    ruleset.make(0)
    ruleset.delete(0)
    while references() > base:
        time.sleep(0.01)
    if not memory_only:
        os.system("ip link set lo up; ip link add br0 type bridge; ip link set br0 up; "
                  "ip link add c0 type veth peer name r1; ip link set r1 up master br0; ip link set c0 up")
        stations = Stations("c0")
        stations.once(300)
        before = stations.cost()
        print("station_without", round(before, 2))

    times = [[] for _ in parts]
    for attempt in range(1 if memory_only else 3):
        free, used = available(), charged()
        for part in parts:
            ruleset.make(part)
        if attempt == 0:
            print("each", round((free - available()) / count))
            print("fall", free - available())
            print("growth", charged() - used)
            if not memory_only:
                after = stations.cost()
                print("station_with", round(after, 2))
                print("station_ratio", round(after / before, 2))
        for number, part in enumerate(parts):
            began = time.monotonic()
            ruleset.delete(part)
            # They are freed a moment later, and by somebody else.
            while references() > base + count - (number + 1) * PART:
                pass
            times[number].append(time.monotonic() - began)
    # What else the machine does comes in between: the least of a quarter has the least of that.
    quarter = max(len(parts) // 4, 1)
    first, last = (1e6 * min(sum(some, [])) / PART for some in (times[:quarter], times[-quarter:]))
    print("first", round(first, 2))
    print("last", round(last, 2))
    print("deletion_ratio", round(first / last, 2))
    print("left", references() - base)


def many(count):
    """Makes so many, or as many as there is memory for, and deletes them."""
    ruleset, base, made = Ruleset(), references(), 0
    try:
        while made < count // PART:
            ruleset.make(made)
            made += 1
    except OSError as error:
        print("error", error.errno)
    print("made", made * PART)
    for part in range(made):
        ruleset.delete(part)
    while references() > base:
        time.sleep(0.01)
    print("left", references() - base)


def hosts(count):
    """Has flows between the server and so many hosts behind the router's bridge."""
    client, server = frames.tap("client", "c0"), frames.tap("server", "s0")
    for i in range(count):
        host, mac = socket.inet_aton(f"10.8.{i >> 8}.{i & 255}"), b"\2\xaa\0\0" + struct.pack("!H", i)
        there = frames.frame(frames.R2 + frames.S0, frames.SERVER, host, 2000, 3000)
        back = frames.frame(frames.R1 + mac, host, frames.SERVER, 3000, 2000)
        for _ in range(2):
            server.send(there)
            client.send(back)


if sys.argv[1] == "flowtables":
    flowtables(int(sys.argv[2]), sys.argv[3:] == ["memory"])
elif sys.argv[1] == "many":
    many(int(sys.argv[2]))
elif sys.argv[1] == "hosts":
    hosts(int(sys.argv[2]))
else:
    stations = Stations(sys.argv[2])
    # Not those of the one before.
    stations.number = int(time.monotonic() * 1e5) & 0xFFFFFFFF
    print("station", round(stations.cost(100), 2))
