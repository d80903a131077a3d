# SPDX-License-Identifier: GPL-2.0
"""Makes many UDP flows with ready-made frames, then sends once more over each, in both directions;
and all of that again while somebody reads the list of flows."""
import subprocess
import sys
import time

from frames import back, enter, tap, there

count = int(sys.argv[1])


def counters():
    enter("router")
    with open("/proc/self/net/nft_offload_rs") as file:
        return {name: int(value) for name, value in (line.split() for line in file)}


client, server = tap("client", "c0"), tap("server", "s0")


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
