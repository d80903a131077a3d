# SPDX-License-Identifier: GPL-2.0
"""Makes many UDP flows, and waits until the simulated NIC has the rules of all of them, or as many as
there is room for.

    hardware_scale.py FLOWS RULES
"""
import sys
import time

from frames import back, tap, there

count, room = int(sys.argv[1]), int(sys.argv[2])


def rules():
    with open("/proc/simnic/stats") as file:
        return int(next(line for line in file if line.startswith("rules ")).split()[1])


def busy():
    """Seconds that CPUs have worked in the kernel."""
    with open("/proc/stat") as file:
        words = file.readline().split()
    return (int(words[3]) + int(words[6]) + int(words[7])) / 100


client, server = tap("client", "c0"), tap("server", "s0")
began, worked = time.monotonic(), busy()
for i in range(count):
    client.send(there(i))
    server.send(back(i))
    client.send(there(i))
sent, waiting = time.monotonic(), 2 * count - rules()
end = sent + 120
while rules() < min(2 * count, room) and time.monotonic() < end:
    time.sleep(0.01)
done = time.monotonic()
print(f"{count} flows: sent in {sent - began:.2f} s, {waiting} rules to go by then, {rules()} in hardware "
      f"after {done - began:.2f} s, {busy() - worked:.2f} s of CPU in the kernel")
assert rules() >= min(2 * count, room), rules()
