# SPDX-License-Identifier: GPL-2.0
"""Both ends of connections through the router of topology.sh, in one process, so that each packet is
sent when its turn has come.

    outcomes.py STORY ARGUMENTS...

A story stops now and then, and at its end: it says "ok", or what failed, and goes on when it reads a
line. Connections stay open until its input ends.
"""
import random
import select
import socket
import struct
import sys
import time

from frames import csum, enter

CLIENT, SERVER, ROUTER = "10.0.1.2", "10.0.2.2", "10.0.2.1"
PATIENCE = 15
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
SEND_QUEUE, REPAIR_OFF_SILENTLY = 2, -1
FIN, RST, ACK = 1, 4, 16
IPV6_DSTOPTS = 59
kept = []


def opened(namespace, family, kind, protocol=0):
    """A socket of a namespace: it stays in there, and so does this process until the next one."""
    enter(namespace)
    s = socket.socket(family, kind, protocol)
    s.settimeout(PATIENCE)
    kept.append(s)
    return s


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def everything(s, size):
    data = b""
    while len(data) < size:
        more = s.recv(size - len(data))
        assert more, f"the connection ends after {len(data)} bytes of {size}"
        data += more
    return data


def listening(port, host=SERVER):
    s = opened("server", family_of(host), socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    s.listen(100)
    return s


def connected(listener, port, host=SERVER):
    """Both ends of a TCP connection: the client's, the server's."""
    client = opened("client", family_of(host), socket.SOCK_STREAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("", port))
    client.connect((host, listener.getsockname()[1]))
    server = listener.accept()[0]
    kept.append(server)
    for s in client, server:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.settimeout(PATIENCE)
    return client, server


def exchange(ends, times=12):
    first, second = ends
    for number in range(times):
        for one, other in (first, second), (second, first):
            data = b"%08d" % number
            one.sendall(data)
            back = everything(other, 8)
            assert back == data, (data, back)


def tcp(port):
    ends = connected(listening(port), port)
    exchange(ends)
    for s in ends:
        # What is on its way would be another state. 24 is the place of tcpi_unacked.
        while struct.unpack_from("=I", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 100), 24)[0]:
            time.sleep(0.02)
    return ends


def sequence(s):
    """The next sequence number of a connection's end."""
    s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, SEND_QUEUE)
    number = struct.unpack("=I", s.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, 4))[0]
    s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF_SILENTLY)
    return number


def story_quiet(port):
    """A connection with nothing more to say."""
    ends = tcp(port)
    yield
    yield
    exchange(ends, 1)


def vanish(s):
    """Closes a connection's end without a word."""
    s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    s.close()


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def is_reset(s):
    try:
        s.recv(1)
    except ConnectionResetError:
        return True
    return False


def segment(source, destination, number, acknowledged, flags):
    """A TCP packet without data, between two (ADDRESS, PORT)."""
    ends = socket.inet_aton(source[0]) + socket.inet_aton(destination[0])
    head = struct.pack("!HHIIBBHHH", source[1], destination[1], number & 0xFFFFFFFF,
                       acknowledged & 0xFFFFFFFF, 0x50, flags, 500, 0, 0)
    sum_ = csum(ends + struct.pack("!HH", 6, len(head)) + head)
    head = head[:16] + struct.pack("!H", sum_) + head[18:]
    return struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0, 64, 6, 0) + ends + head


FORGED = {"rst": RST, "rst_ack": RST | ACK, "fin_ack": FIN | ACK}


def story_blind(port, kind):
    """Somebody who knows addresses and ports, and no sequence number, ends a connection: he does not."""
    client, server = tcp(port)
    yield
    ends = {"client": (client.getsockname(), server.getsockname()),
            "server": (server.getsockname(), server.getpeername())}
    ends["client"] = (ends["client"][0], (SERVER, port))
    numbers = {"client": sequence(client), "server": sequence(server)}
    draw = random.Random(port)
    for sender, other in ("client", "server"), ("server", "client"):
        # What the other end acknowledges is none of the guesses.
        guesses = [1, numbers[sender] + (1 << 30), numbers[sender] - (1 << 30), numbers[sender] - 5_000_000,
                   numbers[sender] + 5_000_000]
        while len(guesses) < 8:
            guess = draw.getrandbits(32)
            if 1 << 22 < (guess - numbers[sender]) % (1 << 32) < (1 << 32) - (1 << 22):
                guesses.append(guess)
        raw = opened(sender, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        for guess in guesses:
            acknowledged = draw.getrandbits(32) if FORGED[kind] & ACK else 0
            raw.sendto(segment(*ends[sender], guess, acknowledged, FORGED[kind]), (ends[sender][1][0], 0))
    yield
    exchange((server, client), 3)
    exchange((client, server), 3)


def story_genuine(port, how, who):
    """A connection ends, by one of its ends."""
    client, server = tcp(port)
    yield
    one, other = (client, server) if who == "client" else (server, client)
    if how == "reset":
        reset(one)
        assert is_reset(other)
    elif how == "gone":
        vanish(one)
        other.sendall(b"anybody there?")
        assert is_reset(other)
    elif how == "data":
        # With something that nobody has read: an RST instead of a FIN.
        other.sendall(b"unread")
        select.select([one], [], [], PATIENCE)
        one.close()
        assert is_reset(other)
    else:
        one.close()
        assert other.recv(1) == b""
        other.close()
    # What the last end says comes without anybody hearing of it.
    time.sleep(0.3)


def story_long(port, who):
    """Much is sent both ways, then nothing for a while, and then one end closes, and the other."""
    client, server = tcp(port)
    for _ in range(100):
        pour(client, server, 60000)
        pour(server, client, 60000)
    # Longer than what was noted of a connection in use counts as of now (rust/flow/tcp.rs).
    time.sleep(6)
    one, other = (client, server) if who == "client" else (server, client)
    one.close()
    assert other.recv(1) == b""
    other.close()
    time.sleep(0.3)
    yield


def half_close(one, other):
    one.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""


def pour(one, other, size):
    """Bytes that one sends, while the other reads them."""
    data = bytes(i * 7 % 256 for i in range(size))
    one.sendall(data)
    assert everything(other, size) == data


def story_half(port, who):
    """One end closes its side, the other one is silent, and then goes on."""
    client, server = tcp(port)
    yield
    one, other = (client, server) if who == "client" else (server, client)
    half_close(one, other)
    time.sleep(0.3)
    yield
    for _ in range(5):
        pour(other, one, 3000)
    yield
    other.close()
    assert one.recv(1) == b""
    one.close()
    time.sleep(0.3)


def story_halves(port, count):
    """Many at once, half of them closed by the client."""
    listener = listening(port)
    pairs = []
    for number in range(int(count)):
        client, server = connected(listener, port + number)
        exchange((client, server), 8)
        pairs.append((client, server) if number % 2 else (server, client))
    yield
    for one, other in pairs:
        half_close(one, other)
    for one, other in pairs:
        pour(other, one, 10000)
    yield
    for one, other in pairs:
        pour(other, one, 10000)
    for one, other in pairs:
        other.close()
        assert one.recv(1) == b""
        one.close()


def story_reuse(port, how, who):
    """The same addresses and ports again, right after the last connection."""
    listener = listening(port)
    for _ in range(5):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                client, server = connected(listener, port)
                break
            except OSError:
                # Who closes first waits, if only for a moment.
                kept.pop().close()
                assert time.monotonic() < end
                time.sleep(0.02)
        exchange((client, server), 10)
        one, other = (client, server) if who == "client" else (server, client)
        if how == "reset":
            reset(one)
            assert is_reset(other)
            other.close()
        elif how == "half":
            # A new one on what the other end has not closed: it ends by an RST.
            half_close(one, other)
            reset(other)
            assert is_reset(one)
            one.close()
        else:
            one.close()
            assert other.recv(1) == b""
            other.close()
    yield
    ends = connected(listener, port)
    exchange(ends, 10)


class Udp:
    """A UDP conversation: what the client sends, what the server does."""

    def __init__(self, port, host=SERVER, at=None):
        self.server = opened("server", family_of(host), socket.SOCK_DGRAM)
        self.server.bind((host, at or port))
        self.client = opened("client", family_of(host), socket.SOCK_DGRAM)
        self.client.bind((CLIENT if family_of(host) == socket.AF_INET else "fd00:1::2", port))
        self.client.connect((host, at or port))
        self.number = 0

    def ask(self, size=8):
        self.number += 1
        data = (b"%08d" % self.number).ljust(size, b".")
        self.client.send(data)
        back, self.peer = self.server.recvfrom(65536)
        assert back == data, (data[:8], back[:8])

    def answer(self):
        self.number += 1
        data = b"%08d" % self.number
        self.server.sendto(data, self.peer)
        back = self.client.recv(100)
        assert back == data, (data, back)

    def exchange(self, times):
        for _ in range(times):
            self.ask()
            self.answer()


class Gre:
    """The same, by GRE of version 0."""
    HEADER = b"\0\0\x08\0"

    def __init__(self):
        self.client, self.server = (opened(ns, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_GRE)
                                    for ns in ("client", "server"))
        self.number = 0

    def said(self, one, other, host):
        self.number += 1
        data = self.HEADER + b"%08d" % self.number
        one.sendto(data, (host, 0))
        while other.recv(65536)[20:] != data:
            pass

    def ask(self):
        self.said(self.client, self.server, SERVER)

    def answer(self):
        self.said(self.server, self.client, CLIENT)

    def exchange(self, times):
        for _ in range(times):
            self.ask()
            self.answer()


def story_first(port, protocol, early, then):
    """So many packets before the first answer, and then traffic for more than two seconds, or less."""
    talk = Gre() if protocol == "gre" else Udp(port, SERVER if protocol == "udp" else "fd00:2::2")
    began = time.monotonic()
    for _ in range(int(early)):
        talk.ask()
    if then == "silence":
        return
    if then == "answer":
        talk.answer()
    elif then == "short":
        talk.answer()
        talk.exchange(4)
    elif then == "short_once_more":
        # As DNS does it, whose client asks for two things at once.
        talk.answer()
        talk.answer()
        time.sleep(2.5)
        talk.ask()
    else:
        talk.answer()
        # Deadlines move each second, and with them it is noted that a stream lasts: two seconds are long.
        while time.monotonic() - began < 4.2:
            if then in ("both", "client"):
                talk.ask()
            if then in ("both", "server"):
                talk.answer()
            time.sleep(0.1)
    if then in ("answer", "short") and time.monotonic() - began > 1.8:
        raise AssertionError("too slow")
    yield


class Short:
    """Living connections, each of which something happens to."""

    def __init__(self, port, causes):
        self.talks = {}
        for cause in causes:
            if cause.startswith("tcp"):
                self.talks[cause] = tcp(port)
            else:
                host = {"extension": "fd00:2::2", "mtu": "10.0.2.3"}.get(cause, SERVER)
                self.talks[cause] = Udp(port, host, at=port)
            port += 1

    def happen(self, cause, talk):
        if cause == "fragment":
            # 10 is IP_MTU_DISCOVER: whether DF is set.
            talk.client.setsockopt(socket.IPPROTO_IP, 10, 0)
            talk.ask(3000)
        elif cause == "mtu":
            talk.client.setsockopt(socket.IPPROTO_IP, 10, 0)
            talk.ask(1400)
        elif cause == "option":
            talk.client.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\1\1\1\0")
            talk.ask()
            talk.client.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"")
        elif cause == "extension":
            talk.client.setsockopt(socket.IPPROTO_IPV6, IPV6_DSTOPTS, bytes([0, 0, 1, 4, 0, 0, 0, 0]))
            talk.ask()
        elif cause == "tcp_option":
            talk[0].setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\1\1\1\0")
            exchange(talk, 1)
            talk[0].setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"")
        elif cause == "device":
            talk.client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"c1")
            talk.ask()
            talk.client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"")

    def go_on(self, seconds, times, only_servers=True):
        """They talk so many times, in steps of 0.7 s; only servers do, but for TCP."""
        lost = set()
        last = time.monotonic()
        for _ in range(times):
            time.sleep(0.7)
            for cause in [cause for cause in self.talks if cause not in lost]:
                talk = self.talks[cause]
                try:
                    if not isinstance(talk, Udp):
                        exchange(talk[::-1], 1)
                    elif only_servers:
                        talk.answer()
                    else:
                        talk.exchange(1)
                except (OSError, AssertionError) as error:
                    lost.add(cause)
                    print(f"# {cause}: {type(error).__name__} {error}", file=sys.stderr)
                    # The others have waited for nothing.
                    last = time.monotonic()
            now = time.monotonic()
            if now - last > seconds - 0.5:
                # Longer than the deadline: without offload it would be lost, too.
                raise AssertionError("too slow")
            last = now
        assert not lost, "lost: " + " ".join(sorted(lost))


def story_short(port, seconds, *causes):
    seconds = int(seconds)
    short = Short(port, causes)
    for ends in short.talks.values():
        for s in [ends.client, ends.server] if isinstance(ends, Udp) else ends:
            s.settimeout(1)
    # Offloaded, all of them, and for so long that nobody looks at them any more.
    for talk in short.talks.values():
        if isinstance(talk, Udp):
            talk.exchange(12)
    short.go_on(seconds, 5, False)
    yield
    for cause, talk in short.talks.items():
        short.happen(cause, talk)
    yield
    short.go_on(seconds, 3 * seconds * 10 // 7)


def main():
    name, port, *arguments = sys.argv[1:]
    story = globals()["story_" + name](int(port), *arguments)
    try:
        for _ in story:
            print("ok", flush=True)
            if not sys.stdin.readline():
                return
        print("ok", flush=True)
    except (OSError, AssertionError) as error:
        print(f"failed: {type(error).__name__} {error}", flush=True)
    sys.stdin.read()


main()
