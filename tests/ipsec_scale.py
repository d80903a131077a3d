# SPDX-License-Identifier: GPL-2.0
"""Makes many flows of UDP between the hosts of topology.sh, a thousand after the other, and says in
microseconds what one of the first and of the last took: "first LAST RATIO"."""
import sys
import time

from frames import back, tap, there

PART, ENDS = 1000, 5
count = int(sys.argv[1])
client, server = tap("client", "c0"), tap("server", "s0")


def make(part):
    """The microseconds that each answer takes, which is what makes the flow."""
    frames = [(there(i), back(i)) for i in range(part * PART, (part + 1) * PART)]
    for to, _ in frames:
        client.send(to)
    took = []
    for _, fro in frames:
        began = time.monotonic_ns()
        server.send(fro)
        took.append((time.monotonic_ns() - began) / 1e3)
    for to, _ in frames:
        client.send(to)
    return took


def typical(times):
    """What is not more than it takes: while others have the machine, few are disturbed in between."""
    return sorted(times)[len(times) // 4]


first = sum((make(part) for part in range(ENDS)), [])
for part in range(ENDS, count // PART - ENDS):
    make(part)
# Each flow is visited once, a second after it was made: by now most have been, and the last are made as the
# first are, without somebody else who visits.
time.sleep(3)
last = sum((make(part) for part in range(count // PART - ENDS, count // PART)), [])
first, last = typical(first), typical(last)
print(f"{first:.1f} {last:.1f} {last / first:.2f}")
