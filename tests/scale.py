# SPDX-License-Identifier: GPL-2.0
"""Makes many UDP flows with ready-made frames, then sends once more over each, in both directions;
and all of that again while somebody reads the list of flows."""
import ctypes
import socket
import struct
import subprocess
import sys
import time

count = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
R1, R2 = bytes.fromhex("020000000101"), bytes.fromhex("020000000201")
C0, S0 = bytes.fromhex("020000000102"), bytes.fromhex("020000000202")


def tap(name, dev):
    with open(f"/run/netns/{name}") as file:
        assert libc.setns(file.fileno(), 0x40000000) == 0
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


def counters():
    with open("/run/netns/router") as file:
        assert libc.setns(file.fileno(), 0x40000000) == 0
    with open("/proc/self/net/nft_offload_rs") as file:
        return {name: int(value) for name, value in (line.split() for line in file)}


client, server = tap("client", "c0"), tap("server", "s0")
a, b = socket.inet_aton("10.0.1.2"), socket.inet_aton("10.0.2.2")


def there(i):
    return frame(R1 + C0, a, b, 1024 + i % 60000, 1024 + i // 60000)


def back(i):
    return frame(R2 + S0, b, a, 1024 + i // 60000, 1024 + i % 60000)


begin = time.monotonic()
# A flow that is refused while the table grows is made by the next packet, as in life.
for attempt in range(4):
    for i in range(count):
        if attempt == 0 or i >= made - 20000:
            client.send(there(i))
            if attempt == 0:
                server.send(back(i))
            client.send(there(i))
    for _ in range(100):
        made = counters()["flows"]
        if made >= count:
            break
        time.sleep(0.02)
    if made >= count:
        break
    # All of them once more: those that are there already do not mind.
    made = 0
created = time.monotonic()


def send_over_all():
    """Sends over every flow; seconds it took, the longest single send, packets by the fast path."""
    began = time.monotonic()
    before, longest, last = counters()["packets_forwarded"], 0, began
    for i in range(count):
        client.send(there(i))
        server.send(back(i))
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    for _ in range(200):
        forwarded = counters()["packets_forwarded"] - before
        if forwarded >= 2 * count:
            break
        time.sleep(0.02)
    return last - began, longest, forwarded


took, longest, forwarded = send_over_all()
reader = subprocess.Popen(["wc", "-l", "/proc/self/net/nft_offload_rs_flows"], stdout=subprocess.PIPE)
took_read, longest_read, forwarded_read = send_over_all()
lines = int(reader.communicate()[0].split()[0])
with open("/tmp/scale", "w") as file:
    file.write(f"{count} flows made in {created - begin:.1f} s, "
               f"{2 * count} packets sent over them in {took:.1f} s, {forwarded} by the fast path\n"
               f"while the list of {lines} flows was read: {took_read:.1f} s, {forwarded_read} by the fast "
               f"path; the longest wait was {longest_read * 1e3:.0f} ms, without a reader {longest * 1e3:.0f} ms\n")
assert forwarded >= 2 * count and forwarded_read >= 2 * count, (forwarded, forwarded_read)
assert lines == counters()["flows"], lines
