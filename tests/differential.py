# SPDX-License-Identifier: GPL-2.0
"""Sends packets of offloaded connections through the router, and records what leaves.

Connections are set up by packets of their own, through the classic path. Then the forward chain is
made to drop everything, so that what leaves was forwarded by the fast path. Packets are of two kinds:
generated, with a number in each by which input and output are matched; and recorded, from real
conversations of the hosts' own stacks, large super-packets among them, sent again one by one.
"""
import fcntl
import os
import random
import select
import socket
import struct
import subprocess
import sys

from frames import C0, R1, R2, S0, enter

impl, seed, count, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
layer = sys.argv[5] if len(sys.argv) > 5 else "none"
rng = random.Random(seed)
ETH_P_ALL = 3
PACKET_AUXDATA = 8
PACKET_VNET_HDR = 15
SOL_PACKET = 263


def tap(name, dev):
    enter(name)
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
    s.bind((dev, ETH_P_ALL))
    s.setblocking(False)
    return s


class Tap:
    """The far end of a tap device of the router, in the client's place: what comes out of it is as a
    network card says it is, also that its checksum has been verified. `pieces`: every packet is in
    fragments of memory, cut wherever it happens, in the middle of headers too."""

    def __init__(self, dev, pieces):
        self.pieces = pieces
        enter("router")
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        # TUNSETIFF: IFF_TAP, IFF_NO_PI, IFF_VNET_HDR; IFF_NAPI, IFF_NAPI_FRAGS.
        fcntl.ioctl(self.fd, 0x400454CA,
                    struct.pack("16sH22x", dev.encode(), 0x5032 if pieces else 0x5002))
        subprocess.run(["ip", "netns", "exec", "router", "ethtool", "-K", dev, "gro", "off"], check=True)
        # TUNSETOFFLOAD: checksums, TSO for both versions, USO.
        fcntl.ioctl(self.fd, 0x400454D0, 0x67)
        subprocess.run(["ip", "-n", "router", "-batch", "-"], text=True, check=True, input=f"""
link set {dev} address {R1.hex(":")} mtu 2100 up
addr add 10.0.1.1/24 dev {dev}
addr add fd00:1::1/64 dev {dev} nodad
""")
        # An address that ends being tentative changes routes, which ends flows.
        while subprocess.run(["ip", "-n", "router", "-6", "addr", "show", "tentative"],
                             capture_output=True, check=True).stdout:
            select.select([], [], [], 0.05)

    def fileno(self):
        return self.fd

    def send(self, data):
        if data[0] == 0 and rng.random() < 0.5:
            # VIRTIO_NET_HDR_F_DATA_VALID
            data = b"\x02" + data[1:]
        if not self.pieces:
            os.write(self.fd, data)
            return
        parts, at = [data[:10]], 10
        while at < len(data):
            # The device wants to see an Ethernet header, and no piece larger than a page.
            size = rng.choice((rng.randrange(14, 80), 1500)) if at == 10 else rng.choice(
                (rng.randrange(1, 60), rng.randrange(60, 4000)) if len(parts) < 14 else (4000,))
            parts.append(data[at:at + size])
            at += size
        os.writev(self.fd, parts)

    def recvmsg(self, size, _):
        return os.read(self.fd, size), [], 0, None


def nft(text):
    subprocess.run(["ip", "netns", "exec", "router", "nft", "-f", "-"], input=text, text=True,
                   check=True)


def csum(data, start=0):
    if len(data) % 2:
        data += b"\0"
    total = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def addr(text):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return socket.inet_pton(family, text)


def vlan(kind, number):
    return struct.pack("!HH", kind, number)


def session(number):
    """A PPPoE header; its length and protocol depend on what is inside."""
    return lambda ethertype, length: struct.pack(
        "!HBBHHH", 0x8864, 0x11, 0, number, length + 2, {0x0800: 0x21, 0x86DD: 0x57}[ethertype])


# What is between the client and the router, from the outside in; see layers.sh. The client's end is
# played here, frame by frame.
LAYERS = {
    "none": [], "bridge": [], "bridge_untag": [],
    "vlan": [vlan(0x8100, 10)],
    "8021ad": [vlan(0x88A8, 10)],
    "qinq": [vlan(0x88A8, 100), vlan(0x8100, 10)],
    "vlan_in_vlan": [vlan(0x8100, 100), vlan(0x8100, 10)],
    "bridge_tag": [vlan(0x8100, 10)],
    "pppoe": [session(4660)],
    "vlan_pppoe": [vlan(0x8100, 7), session(4661)],
    "ipip": [], "ip6ip6": [], "tap": [], "pieces": [],
}
TUNNELS = {"ipip": ("10.0.9.2", "10.0.9.1"), "ip6ip6": ("fd00:9::2", "fd00:9::1")}


def wrapped(ethertype, ip_and_more):
    """What stands between the Ethernet addresses and a packet, with the packet's EtherType."""
    if layer in TUNNELS:
        src, dst = map(addr, TUNNELS[layer])
        length = len(ip_and_more)
        if layer == "ipip":
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 7, 0, 64, 4, 0) + src + dst
            head = head[:10] + struct.pack("!H", 0xFFFF ^ csum(head)) + head[12:]
        else:
            head = struct.pack("!IHBB", 0x60000000, length, 41, 64) + src + dst
        return struct.pack("!H", ethertype) + head
    head = b""
    for item in LAYERS[layer]:
        if callable(item):
            return head + item(ethertype, len(ip_and_more))
        head += item
    return head + struct.pack("!H", ethertype)


def unwrapped(frame):
    """A frame of the client's side as if there were nothing in between; None if it is another."""
    at, items = 12, list(LAYERS[layer])
    for item in items:
        if callable(item):
            if frame[at:at + 6] != item(0x0800, 0)[:6]:
                return None
            ethertype = {0x21: b"\x08\0", 0x57: b"\x86\xdd"}.get(
                int.from_bytes(frame[at + 8:at + 10], "big"))
            return ethertype and frame[:12] + ethertype + frame[at + 10:]
        if frame[at:at + 4] != item:
            return None
        at += 4
    if layer in TUNNELS:
        size, kind = (20, 4) if layer == "ipip" else (40, 41)
        if frame[at + 2 + (9 if size == 20 else 6)] != kind:
            return None
        return frame[:12] + frame[at:at + 2] + frame[at + 2 + size:]
    return frame[:12] + frame[at:]


class Packet:
    """What is generated, and then bent."""

    def __init__(self, src, dst, sport, dport, proto, payload=b"", flags=0x10, seq=1, ack=1):
        self.six = len(src) == 16
        self.src, self.dst, self.sport, self.dport = src, dst, sport, dport
        self.proto, self.payload, self.flags, self.seq, self.ack = proto, payload, flags, seq, ack
        self.ttl, self.tos, self.ident, self.frag, self.options = 64, 0, 0, 0x4000, b""
        self.csum = "right"     # or "wrong", "zero", "partial"
        self.padding = b""
        self.label = 0
        self.gso = 0            # bytes of payload in a segment

    def l4(self):
        if self.proto == 6:
            head = struct.pack("!HHIIBBHHH", self.sport, self.dport, self.seq, self.ack, 0x50,
                               self.flags, 8192, 0, 0)
            at = 16
        else:
            head = struct.pack("!HHHH", self.sport, self.dport, 8 + len(self.payload), 0)
            at = 6
        data = head + self.payload
        pseudo = csum(self.src + self.dst + struct.pack("!II", len(data), self.proto))
        if self.csum == "partial":
            value = pseudo
        elif self.csum == "zero":
            value = 0
        else:
            value = 0xFFFF ^ csum(data, pseudo)
            if self.proto == 17 and value == 0:
                value = 0xFFFF
            if self.csum == "wrong":
                value ^= 0x5A01
        return data[:at] + struct.pack("!H", value) + data[at + 2:], at

    def frame(self, eth, inside=False):
        data, at = self.l4()
        if self.six:
            ip = struct.pack("!IHBB", 0x60000000 | self.tos << 20 | self.label, len(data),
                             self.proto, self.ttl) + self.src + self.dst
            ethertype = 0x86DD
        else:
            ihl = 5 + len(self.options) // 4
            ip = struct.pack("!BBHHHBBH", 0x40 | ihl, self.tos, ihl * 4 + len(data), self.ident,
                             self.frag, self.ttl, self.proto, 0) + self.src + self.dst + self.options
            ip = ip[:10] + struct.pack("!H", 0xFFFF ^ csum(ip)) + ip[12:]
            ethertype = 0x0800
        head = eth + struct.pack("!H", ethertype)
        if inside:
            head = eth + wrapped(ethertype, ip + data)
        vnet = struct.pack("<BBHHHH", 0, 0, 0, 0, 0, 0)
        if self.csum == "partial":
            start = len(head) + len(ip)
            kind, length = 0, 0
            if self.gso:
                kind = 5 if self.proto == 17 else 4 if self.six else 1
                length = start + (20 if self.proto == 6 else 8)
            vnet = struct.pack("<BBHHHH", 1, kind, length, self.gso, start, at)
        return vnet, head + ip + data + self.padding, len(head) + len(ip), at


RECORDED_PORT = 4500
# Where the numbers of recorded packets begin.
RECORDED = 90000000

CONVERSATION = """
import socket, sys
kind, host, sport = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.bind(("", sport))
s.settimeout(5)
s.connect((host, 4500))
for n in [1, 10, 100] * 3 + [1000] * 5 + ([60000] * 3 if kind == "tcp" else [1400] * 5):
    s.sendall(bytes(i * n % 251 for i in range(n)))
    got = 0
    while got < n:
        got += len(s.recv(65536))
"""


def record(path):
    """Records conversations that the classic path carries: (side, connection, frame) in order."""
    echo = [subprocess.Popen(["ip", "netns", "exec", "server", "socat",
                              f"{kind}6-LISTEN:{RECORDED_PORT},fork,reuseaddr,ipv6only=0", "EXEC:cat"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for kind in ("TCP", "UDP")]
    lines = []
    number = 0
    for host in "10.0.2.2", "fd00:2::2":
        for kind in "tcp", "udp":
            for _ in range(100):
                drain(client), drain(server)
                talk = subprocess.Popen(["ip", "netns", "exec", "client", "python3", "-c",
                                         CONVERSATION, kind, host, str(4600 + number)])
                frames = []
                while talk.poll() is None:
                    select.select([client, server], [], [], 0.01)
                    for sock, side, mac in (client, "c", C0), (server, "s", S0):
                        for raw in drain(sock):
                            parsed = parse(raw)
                            # The end of the conversation before may come late.
                            if parsed and parsed[5][6:12] == mac and 4600 + number in parsed[2:4]:
                                frames.append((side, number, raw))
                if talk.returncode == 0:
                    break
            assert talk.returncode == 0
            lines += frames
            number += 1
    for process in echo:
        process.kill()
    with open(path, "w") as file:
        for side, connection, raw in lines:
            file.write(f"{side} {connection} {raw.hex()}\n")


def recorded(path):
    return [(side, int(connection), bytes.fromhex(raw))
            for side, connection, raw in (line.split() for line in open(path))]


on_tap = layer in ("tap", "pieces")
client = Tap("lan0", layer == "pieces") if on_tap else tap("client", "c0")
server = tap("server", "s0")
# With a simulated NIC in place of the cables, which takes no super-packets.
nic = os.path.exists("/proc/simnic")
hardware = os.environ.get("HARDWARE", "")
V4 = ("10.0.1.2", "10.0.2.2", "10.0.1.1", "10.0.2.1")
V6 = ("fd00:1::2", "fd00:2::2", "fd00:1::1", "fd00:2::1")

def setup_rules():
    nft(("""
flush ruleset
table inet filter {
	flowtable ft { hook ingress priority 0; devices = { r1, r2 }; FLAGS }
	chain forward { type filter hook forward priority 0; policy accept;
		meta l4proto { tcp, udp } flow add @ft; }
}
table inet nat {
	chain pre { type nat hook prerouting priority dstnat;
		iifname != "r2" ip daddr 10.0.1.1 meta l4proto { tcp, udp } th dport 7000-7999 dnat ip to 10.0.2.2;
		iifname != "r2" ip6 daddr fd00:1::1 meta l4proto { tcp, udp } th dport 7000-7999 dnat ip6 to fd00:2::2; }
	chain post { type nat hook postrouting priority srcnat;
		oifname "r2" meta l4proto { tcp, udp } th sport 5000-5999 masquerade; }
}
""").replace("r1,", "lan0," if on_tap else "r1,").replace("FLAGS", hardware and "flags offload;"))


def quiet_hosts():
    """From then on the hosts answer nothing by themselves."""
    for name in "client", "server":
        subprocess.run(["ip", "netns", "exec", name, "nft", "-f", "-"], text=True, check=True, input="""
table inet quiet { chain in { type filter hook input priority 0; meta l4proto { tcp, udp } drop; }; }
""")


# Every address on the links is known.
inside = {"none": "r1", "pppoe": None, "vlan_pppoe": None, "bridge": "br0", "bridge_tag": "br0",
          "tap": "lan0", "pieces": "lan0", "ipip": None, "ip6ip6": None}.get(layer, "top")
for dev, four, six, mac in ((inside, V4[0], V6[0], C0), ("r2", V4[1], V6[1], S0)):
    for address in (four, six) if dev else ():
        subprocess.run(["ip", "-n", "router", "neigh", "replace", address, "lladdr",
                        mac.hex(":"), "dev", dev], check=True)
subprocess.run(["ip", "netns", "exec", "router", "sysctl", "-qw",
                "net.netfilter.nf_flowtable_tcp_timeout=600",
                # An error for each packet that earns one.
                "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0",
                # And none for fragments whose others do not come, while a slow guest sends the rest.
                "net.ipv4.ipfrag_time=600", "net.ipv6.ip6frag_time=600",
                "net.netfilter.nf_conntrack_frag6_timeout=600",
                "net.netfilter.nf_flowtable_udp_timeout=600"], check=True)


def send(sock, packet, eth, bend=None):
    vnet, frame, transport, _ = packet.frame(eth, sock is client)
    if bend:
        network = transport - (40 if packet.six else 20 + len(packet.options))
        frame = bend(bytearray(frame), network, transport, packet)
    sock.send(vnet + frame)
    # Differences that are meant, see docs/differences.md: ours does not forward frames for others, nor
    # a version of IP that is not the EtherType's.
    return bend is other_host or (bend in (ip_first, one_byte)
                                  and frame[network] >> 4 != (6 if packet.six else 4))


# What nobody means well with: each takes a frame and where its headers are, and returns another.
def short(frame, network, transport, packet):
    return frame[:rng.choice((rng.randrange(14, len(frame)), rng.randrange(14, transport + 20)))]


def ip_length(frame, network, transport, packet):
    at, right = (network + 4, len(frame) - network - 40) if packet.six else (network + 2, len(frame) - network)
    wrong = rng.choice((0, 1, 19, 20, 27, 28, 39, 40, 47, 48, right - 1, right + 1, 65535))
    frame[at:at + 2] = struct.pack("!H", wrong & 0xFFFF)
    if not packet.six and rng.random() < 0.8:
        frame[network + 10:network + 12] = b"\0\0"
        frame[network + 10:network + 12] = struct.pack(
            "!H", 0xFFFF ^ csum(bytes(frame[network:network + 20])))
    return frame


def ip_first(frame, network, transport, packet):
    frame[network] = rng.choice((frame[network] & 0xF0 | rng.randrange(16), rng.randrange(256)))
    return frame


def l4_length(frame, network, transport, packet):
    if packet.proto == 6:
        frame[transport + 12] = rng.randrange(16) << 4
    else:
        frame[transport + 4:transport + 6] = struct.pack(
            "!H", rng.choice((0, 7, 8, rng.randrange(65536))))
    return frame


def one_byte(frame, network, transport, packet):
    at = rng.randrange(network, min(len(frame), transport + 20))
    # FIN, RST and SYN would change what the flow does next, and with another number it would pass for
    # another packet.
    if at != transport + 13 and at < transport + (20 if packet.proto == 6 else 8):
        frame[at] = rng.randrange(256)
    return frame


def nested(frame, network, transport, packet):
    tags = b"".join(struct.pack("!HH", rng.choice((0x8100, 0x88A8)), rng.choice((1, 10, 100, 4095)))
                    for _ in range(rng.randrange(1, 5)))
    if rng.random() < 0.3:
        tags += session(rng.choice((4660, 4661)))(0x86DD if packet.six else 0x0800, len(frame) - network)
        return frame[:12] + tags + frame[network:]
    return frame[:12] + tags + frame[12:]


def bare_packet(frame, network, transport, packet):
    return frame[:12] + (b"\x86\xdd" if packet.six else b"\x08\0") + frame[network:]


def ppp(frame, network, transport, packet):
    """Another session, another protocol, a length that is wrong; not another version, type or code,
    at which C does not look."""
    if frame[network - 8:network - 6] != b"\x11\0":
        return bare_packet(frame, network, transport, packet)
    at, value = rng.choice((
        (network - 6, rng.randrange(65536)),
        (network - 4, rng.choice((0, 1, 2, rng.randrange(65536), 65535))),
        (network - 2, rng.choice((0x0021, 0x0057, 0xC021, 0x8021, 0x2100, 0x2145, 0xFFFF, 0)))))
    frame[at:at + 2] = struct.pack("!H", value)
    return frame


def ethertype(frame, network, transport, packet):
    frame[12:14] = rng.choice((b"\x08\0", b"\x86\xdd", b"\x88\x64", b"\x88\x63", b"\x81\0",
                               b"\x88\xa8", b"\x08\x06", b"\0\x40"))
    return frame


def other_host(frame, network, transport, packet):
    frame[:6] = rng.choice((bytes.fromhex("02ffffffff01"), bytes.fromhex("ffffffffffff"),
                            bytes.fromhex("01005e000001")))
    return frame


HOSTILE = {bend.__name__: bend for bend in (
    short, ip_length, ip_first, l4_length, one_byte, nested, bare_packet, ppp, ethertype, other_host)}


def drain(sock):
    frames = []
    while True:
        try:
            raw, ancillary, _, _ = sock.recvmsg(262144, 256)
        except BlockingIOError:
            return frames
        for level, kind, data in ancillary:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                # A tag that the kernel keeps beside the frame: TP_STATUS_VLAN_VALID.
                status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
                if status & 0x10:
                    raw = raw[:22] + struct.pack("!HH", tpid or 0x8100, tci) + raw[22:]
        frames.append(raw)


def await_frame(sock, want, what):
    """The first frame that `want` accepts, as (network header, transport header) bytes."""
    for _ in range(500):
        select.select([sock], [], [], 0.01)
        for raw in drain(sock):
            parsed = parse(raw, sock)
            if parsed and want(parsed):
                return parsed
    raise SystemExit(f"no {what}")


def parse(raw, sock=None):
    frame = raw[10:]
    if sock is client:
        frame = unwrapped(frame)
        if frame is None:
            return None
    ethertype = frame[12:14]
    if ethertype == b"\x08\0" and frame[23] in (6, 17):
        ihl = (frame[14] & 15) * 4
        l4 = frame[14 + ihl:]
        return frame[26:30], frame[30:34], *struct.unpack("!HH", l4[:4]), frame[23], frame, raw
    if ethertype == b"\x86\xdd" and frame[20] in (6, 17):
        return frame[22:38], frame[38:54], *struct.unpack("!HH", frame[54:58]), frame[20], frame, raw
    return None


# The conversations are recorded once, for both implementations.
tape = "/tmp/recorded"
if layer == "none" and not nic and not os.path.exists(tape):
    record(tape)
quiet_hosts()
setup_rules()
tape = recorded(tape) if layer == "none" and not nic else []

flows = []
for version in {"ipip": (V4,), "ip6ip6": (V6,)}.get(layer, (V4, V6)):
    for proto in 6, 17:
        for nat in "none", "snat", "dnat", "both":
            index = len(flows)
            sport = (5000 if nat in ("snat", "both") else 4000) + index
            dport = (7000 if nat in ("dnat", "both") else 8000) + index
            c = addr(version[0])
            there = addr(version[2] if nat in ("dnat", "both") else version[1])
            original = (c, there, sport, dport, proto)
            step = [(2, 0)] if proto == 6 else [(0, 0)]
            # First packet, and how it arrives at the server.
            send(client, Packet(*original, b"" if proto == 6 else b"first", flags=0x02, ack=0), R1 + C0)
            seen = await_frame(server, lambda p: p[4] == proto and (p[3] == dport), "first packet")
            reply = (seen[1], seen[0], seen[3], seen[2], proto)
            send(server, Packet(*reply, b"" if proto == 6 else b"answer", flags=0x12, ack=2), R2 + S0)
            await_frame(client, lambda p: p[4] == proto and p[3] == sport, "answer")
            for number in range(3):
                send(client, Packet(*original, b"%d" % number, seq=2 + number, ack=2), R1 + C0)
                await_frame(server, lambda p: p[4] == proto and p[3] == dport, "packet")
            flows.append((original, reply, nat))

# The first packets of each recorded conversation make its connection, and have it offloaded.
OPENING = 9
opened = {}
for side, connection, raw in tape:
    opened[connection] = opened.get(connection, 0) + 1
    if opened[connection] <= OPENING:
        (client if side == "c" else server).send(raw)
        await_frame(server if side == "c" else client, lambda p: RECORDED_PORT in p[2:4], "opening")

if hardware:
    # Both directions of each are in hardware.
    for _ in range(500):
        if f"rules {2 * len(flows)}\n" in open("/proc/simnic/stats").read():
            break
        select.select([], [], [], 0.01)
    else:
        sys.exit("not all flows are in hardware")

# From now on only the fast path forwards.
nft('insert rule inet filter forward drop')
drain(client), drain(server)

MUTATIONS = ("plain", "plain", "plain", "ttl", "tos", "wrong", "zero", "partial", "padding", "frag",
             "df", "options", "long", "flags", "other", "label", "empty", "gso", "large gso", *HOSTILE)
# What has left without a number in it.
UNNUMBERED = 99999999
sent = {UNNUMBERED: ("same", "short")}
with open(out, "w") as record:
    for number in range(count):
        original, reply, nat = rng.choice(flows)
        forward = rng.random() < 0.5
        tuple_ = original if forward else reply
        mark = b"#%08d#" % number
        packet = Packet(*tuple_, mark + rng.randbytes(rng.choice((0, 1, 2, 3, 50, 500, 1200))))
        packet.seq, packet.ack = rng.getrandbits(32), rng.getrandbits(32)
        packet.ident = rng.getrandbits(16)
        packet.ttl = rng.randrange(2, 256)
        what = rng.choice(MUTATIONS)
        if (layer != "none" and not on_tap or nic) and "gso" in what:
            # A socket cannot send super-packets with all that around them.
            what = "plain"
        if what == "ttl":
            packet.ttl = rng.choice((0, 1, 2, 255))
        elif what == "tos":
            packet.tos = rng.randrange(256)
        elif what in ("wrong", "zero", "partial"):
            packet.csum = what
        elif what == "padding":
            packet.padding = rng.randbytes(rng.randrange(1, 20))
        elif what == "frag":
            packet.frag = rng.choice((0x2000, 0x2001, 0x0100, 0x1FFF, 0x6000))
            if packet.six:
                packet.proto = rng.choice((0, 43, 44, 60))
        elif what == "df":
            packet.frag = 0
        elif what == "options":
            packet.options = rng.choice((b"\x01" * 4, b"\x07\x07\x04" + bytes(5), bytes(4)))
            if packet.six:
                packet.proto = 58
        elif what == "long":
            # Around the MTU of the way there; on the way back the sender's own is the limit.
            room = (1990 if forward else 1490) - (40 if packet.six else 20)
            room -= 20 if packet.proto == 6 else 8
            packet.payload = mark + rng.randbytes(rng.randrange(room - 560, room) - 10)
        elif what in ("gso", "large gso"):
            packet.csum = "partial"
            packet.gso = 1000 if what == "gso" else 1600
            packet.payload = mark + rng.randbytes(packet.gso * rng.randrange(2, 5))
        elif what == "flags":
            # FIN, RST and SYN change what the flow does next, in the same way on both sides.
            packet.flags = rng.choice((0x00, 0x08, 0x18, 0x20, 0x30, 0x50, 0xD0))
        elif what == "other":
            packet.dport ^= 1 << rng.randrange(16)
        elif what == "label":
            packet.label = rng.getrandbits(20)
        elif what == "empty":
            packet.payload = mark
        meant = send(client if forward else server, packet, (R1 + C0) if forward else (R2 + S0),
                     HOSTILE.get(what))
        sent[number] = ("meant" if meant else "same", what, nat, "there" if forward else "back")
        if number % 64 == 63 or number == count - 1:
            # The router is a queue away: what has not come after silence is not coming.
            idle = 0
            while idle < 3:
                got = 0
                for sock, side in (client, "c"), (server, "s"):
                    for raw in drain(sock):
                        frame = raw[10:]
                        # Not what this socket's own host has sent.
                        if frame[6:12] in (C0, S0):
                            continue
                        at = frame.find(b"#", 34)
                        while at >= 0 and not (frame[at + 1:at + 9].isdigit()
                                               and frame[at + 9:at + 10] == b"#"):
                            at = frame.find(b"#", at + 1)
                        if at < 0 and not parse(raw, sock):
                            continue
                        n = int(frame[at + 1:at + 9]) if at >= 0 else UNNUMBERED
                        record.write(f"{n:08d} {side} {raw[:10].hex()} {frame.hex()}\n")
                        got += 1
                idle = 0 if got else idle + 1
                select.select([client, server], [], [], 0.01)

replayed = {}
with open(out, "a") as record_file:
    for index, (side, connection, raw) in enumerate(tape):
        replayed[connection] = replayed.get(connection, 0) + 1
        # Where the flags of TCP are, behind what the socket says of the frame, in either version.
        protocol, flags = (23, 47) if raw[10 + 12:10 + 14] == b"\x08\0" else (20, 67)
        # What begins and ends a connection is conntrack's.
        if replayed[connection] <= OPENING or (raw[10 + protocol] == 6 and raw[10 + flags] & 7):
            continue
        drain(client), drain(server)
        (client if side == "c" else server).send(raw)
        number = RECORDED + index
        sent[number] = ("same", "recorded", f"connection {connection}", side)
        for _ in range(20):
            select.select([client, server], [], [], 0.01)
            left = [(name, got) for sock, name, mac in ((client, "c", C0), (server, "s", S0))
                    for got in drain(sock)
                    if got[10 + 6:10 + 12] not in (C0, S0) and RECORDED_PORT in (parse(got) or (0,) * 4)[2:4]]
            if left:
                break
        for name, got in left:
            record_file.write(f"{number:08d} {name} {got[:10].hex()} {got[10:].hex()}\n")

with open(out + ".sent", "w") as file:
    for number, what in sent.items():
        file.write(f"{number:08d} {' '.join(what)}\n")
left = sum(1 for _ in open(out))
with open(out + ".summary", "w") as file:
    file.write(f"{impl}: {len(flows)} connections, {count} generated and "
               f"{len(sent) - 1 - count} recorded packets sent, {left} frames left\n")
assert left > count // 2, left
