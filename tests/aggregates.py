# SPDX-License-Identifier: GPL-2.0
"""Bursts between the hosts of topology.sh that the router's devices join to aggregates, or not: every byte
arrives once and whole, and nobody writes into what others hold, too.

  aggregates.py LAYER nic|veth fast|classic VERSIONS KINDS ROOMS CLONES PACKETS

LAYER is only a word in what is said. With "nic" the cables are those of nic.sh, which are told how much room
there is before a frame (ROOMS) and who
else has a clone of it (CLONES: never, before, behind, after); veth cannot be told.
VERSIONS of IP: 4, 6 or 4,6. KINDS: of fraglist, gso, udpgso and none. "classic" says that there is no flow.
What it prints is "ok NAME", "not ok NAME", or begins with "#".
"""
import select
import socket
import struct
import subprocess
import sys
import time

from frames import enter

PORT = 9
SIZE = 1104
# Frames of a burst that come to the router in one poll.
HOLD = 16
# What the kernel joins to one at most.
MOST = 64
# How the router's devices are told to join what they receive: GRO, as a list of frames, also UDP.
HOW = {"fraglist": ("on", "on", "off"), "gso": ("on", "off", "off"), "udpgso": ("on", "off", "on"),
       "none": ("off", "off", "off")}
# What is joined to aggregates then.
JOINS = {("fraglist", "udp"), ("fraglist", "tcp"), ("gso", "tcp"), ("udpgso", "udp"), ("udpgso", "tcp")}
# Offsets of tcpi_total_retrans and tcpi_dsack_dups in struct tcp_info.
TCP_INFO_TOTAL_RETRANS = 100
TCP_INFO_DSACK_DUPS = 216
# So many packets by the classic path are no sign that the flow is not offloaded.
FEW = 3
# How long a packet may take, in seconds.
PATIENCE = 20
# So many packets are lost before a TCP connection is given up.
ENOUGH = 10

# Bytes of which no part looks like another.
PATTERN = b"".join(struct.pack("!I", (n * 2654435761) & 0xffffffff) for n in range(1 << 16))


class Numbers:
    """Lines of names and numbers, in the namespace in which the file is opened."""

    def __init__(self, path):
        self.file = open(path)

    def read(self):
        self.file.seek(0)
        return dict(line.split()[:2] for line in self.file if len(line.split()) == 2)


class Router:
    def __init__(self, nic):
        enter("router")
        self.nic = Numbers("/proc/simnic/stats") if nic else None
        try:
            self.ours = Numbers("/proc/self/net/nft_offload_rs")
        except FileNotFoundError:
            self.ours = None
        self.snmp = open("/proc/self/net/snmp")
        self.snmp6 = Numbers("/proc/self/net/snmp6")

    def classic(self):
        """How many packets the classic path has forwarded."""
        self.snmp.seek(0)
        names, values = (line.split() for line in self.snmp if line.startswith("Ip:"))
        return (int(values[names.index("ForwDatagrams")])
                + int(self.snmp6.read()["Ip6OutForwDatagrams"]))

    def numbers(self):
        found = {"classic": self.classic()}
        if self.ours:
            found |= {name: int(number) for name, number in self.ours.read().items()
                      if name.startswith("dropped_") or name == "packets_forwarded"}
        if self.nic:
            found |= {name: int(number) for name, number in self.nic.read().items()
                      if name.startswith("scribbled") or name in ("joined", "cloned")}
        return found

    def control(self, *words):
        if self.nic:
            with open("/proc/simnic/control", "w") as file:
                file.write(" ".join(map(str, words)))


def ethtool(dev, kind):
    values = HOW[kind]
    subprocess.run(["ip", "netns", "exec", "router", "ethtool", "-K", dev, "gro", values[0],
                    "rx-gro-list", values[1], "rx-udp-gro-forwarding", values[2]],
                   check=True, stdout=subprocess.DEVNULL)


class Wrong(Exception):
    """What is not as it has to be."""


class Udp:
    def __init__(self, host):
        enter("server")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.server = socket.socket(family, socket.SOCK_DGRAM)
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind((host, PORT))
        enter("client")
        self.client = socket.socket(family, socket.SOCK_DGRAM)
        self.client.connect((host, PORT))
        for s in self.client, self.server:
            # SO_RCVBUFFORCE: all of a burst fits.
            s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
            s.settimeout(PATIENCE)

    def greet(self):
        self.client.send(b"hello")
        data, peer = self.server.recvfrom(100)
        self.server.connect(peer)
        self.server.send(data)
        self.client.recv(100)

    def burst(self, source, sink, packets):
        """What got lost, as text."""
        for number in range(packets):
            source.send(self.packet(number))
        came, broken = [0] * packets, 0
        mark, end = b"end", time.monotonic() + PATIENCE
        sink.setblocking(False)
        # What ends it comes alone, so that it is not joined, and again until it has arrived.
        while mark:
            source.send(mark)
            if not select.select([sink], [], [], 0.05)[0] and time.monotonic() > end:
                raise Wrong("nothing comes any more")
            while True:
                try:
                    data = sink.recv(65536)
                except BlockingIOError:
                    break
                if data == mark:
                    mark = b""
                    continue
                number = int.from_bytes(data[:4], "big")
                if number < packets and data == self.packet(number):
                    came[number] += 1
                elif data != b"end":
                    broken += 1
        sink.settimeout(PATIENCE)
        lost, twice = came.count(0), sum(n > 1 for n in came)
        if lost or twice or broken:
            raise Wrong(f"{lost} of {packets} lost, {twice} twice, {broken} broken")

    @staticmethod
    def packet(number):
        return struct.pack("!I", number) + PATTERN[4 * number:4 * number + SIZE - 4]

    def close(self):
        self.client.close()
        self.server.close()


class Tcp:
    def __init__(self, host):
        enter("server")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, PORT))
        listener.listen()
        listener.settimeout(PATIENCE)
        enter("client")
        self.client = socket.socket(family, socket.SOCK_STREAM)
        self.client.settimeout(PATIENCE)
        self.client.connect((host, PORT))
        self.server = listener.accept()[0]
        listener.close()
        for s in self.client, self.server:
            s.settimeout(PATIENCE)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # It ends at once, and nobody waits for late packets.
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def greet(self):
        self.client.send(b"hello")
        self.server.recv(100)
        self.server.send(b"hello")
        self.client.recv(100)

    @staticmethod
    def lost(s):
        """Packets that were sent again, and the other end did not have them already."""
        info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
        again, twice = (struct.unpack_from("=I", info, at)[0]
                        for at in (TCP_INFO_TOTAL_RETRANS, TCP_INFO_DSACK_DUPS))
        return max(0, again - twice)

    def burst(self, source, sink, packets):
        size = packets * SIZE
        data = memoryview(PATTERN * (1 + size // len(PATTERN)))[:size]
        before, sent, came, end = self.lost(source), 0, 0, time.monotonic() + PATIENCE
        source.setblocking(False)
        while came < len(data):
            lost = self.lost(source) - before
            if lost > ENOUGH or time.monotonic() > end:
                raise Wrong(f"{came} of {len(data)} bytes came, {lost} packets were lost")
            readable, writable, _ = select.select([sink], [source] if sent < len(data) else [], [], 0.2)
            if writable:
                sent += source.send(data[sent:sent + 65536])
            if readable:
                piece = sink.recv(1 << 20)
                if piece != data[came:came + len(piece)]:
                    raise Wrong(f"other bytes after {came}")
                came += len(piece)
        source.settimeout(PATIENCE)
        # The other end's word that it has had them already may be on its way.
        end = time.monotonic() + 1
        while (lost := self.lost(source) - before) and time.monotonic() < end:
            time.sleep(0.01)
        if lost:
            raise Wrong(f"{lost} packets were lost, and sent again")

    def close(self):
        self.client.close()
        self.server.close()


class Cell:
    """One conversation, a burst in each direction; `faults` are what was wrong."""

    def __init__(self, router, kind, clones, protocol, version, fast, packets):
        self.faults, self.joins = [], (kind, protocol) in JOINS
        try:
            # Packets that come alone need not wait for others.
            router.control("hold", 1)
            talk = (Udp if protocol == "udp" else Tcp)("fd00:2::2" if version == 6 else "10.0.2.2")
        except OSError as error:
            self.faults.append(f"no connection: {error}")
            return
        try:
            if not self.offloaded(router, talk, fast):
                self.faults.append("is not offloaded")
                return
            router.control("hold", HOLD)
            for where, source, sink in (("to the client", talk.server, talk.client),
                                        ("to the server", talk.client, talk.server)):
                self.one(router, clones, where, lambda: talk.burst(source, sink, packets), fast, packets)
        except OSError as error:
            self.faults.append(f"no answer: {error}")
        finally:
            talk.close()

    @staticmethod
    def offloaded(router, talk, fast):
        """Until packets of both directions do not come by the classic path any more."""
        for _ in range(20):
            before = router.classic()
            talk.greet()
            if not fast or router.classic() == before:
                return True
        return False

    def one(self, router, clones, where, burst, fast, packets):
        before = router.numbers()
        wrong = []
        try:
            burst()
        except Wrong as error:
            wrong.append(str(error))
        # Looks at those that are still kept.
        router.control("cloned", clones)
        after = router.numbers()
        changed = {name: after[name] - before.get(name, 0) for name in after}
        joined = changed.pop("joined", None)
        cloned, forwarded = changed.pop("cloned", 0), changed.pop("packets_forwarded", None)
        classic = changed.pop("classic")
        if joined and clones in ("before", "behind"):
            # The kernel itself writes lengths and Ethernet headers into what others hold: when it joins
            # packets, and when it takes them apart again. It does not write before that.
            changed.pop("scribbled")
        wrong += [f"{name} {number}" for name, number in changed.items() if number]
        if fast and classic > FEW:
            wrong.append(f"{classic} packets by the classic path")
        if fast and forwarded is not None and forwarded < packets / MOST - FEW:
            wrong.append(f"{forwarded} packets by the fast path")
        # Fewer if TCP sends the small rest of its window now and then. What was lost may have come alone.
        if joined is not None and not wrong and (joined < packets / 4 if self.joins else joined):
            wrong.append(f"{joined} were joined to others")
        if clones != "never" and cloned < packets / (2 * HOLD):
            wrong.append(f"{cloned} were cloned")
        if wrong:
            self.faults.append(f"{where}: " + ", ".join(wrong))


def main():
    layer, cable, path, versions, kinds, rooms, clones, packets = sys.argv[1:]
    nic, fast, packets = cable == "nic", path == "fast", int(packets)
    router = Router(nic)
    router.control("hold", HOLD)
    for kind in kinds.split(","):
        for dev in "r1", "r2":
            ethtool(dev, kind)
        for protocol in "udp", "tcp":
            faults, cells = [], 0
            for room in rooms.split(",") if nic else ["none"]:
                for cloned in clones.split(",") if nic else ["never"]:
                    if cloned in ("before", "behind") and kind in ("gso", "udpgso"):
                        # The kernel's GRO takes for its own what it joins so, and others would lose it.
                        continue
                    router.control("headroom", room)
                    router.control("cloned", cloned)
                    for version in map(int, versions.split(",")):
                        cell = Cell(router, kind, cloned, protocol, version, fast, packets)
                        cells += 1
                        name = f"headroom {room}, {cloned} cloned, IPv{version}"
                        faults += [f"{name}: {fault}" for fault in cell.faults]
            router.control("cloned", "never")
            print(f"{'not ok' if faults else 'ok'} {layer}, {kind}, {protocol.upper()}: {cells} conversations, "
                  f"every byte once", flush=True)
            for fault in faults:
                print(f"# {fault}", flush=True)
    router.control("headroom", "none")
    router.control("hold", 0)


main()
