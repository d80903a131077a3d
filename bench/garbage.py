# SPDX-License-Identifier: GPL-2.0
"""Garbage collection of flows that live, and see no packet: the CPU time that it takes of every second,
and for how long nobody else gets the CPU.

    garbage.py [FLOWS+FLOWS... [ROUNDS [SECONDS]]]
    garbage.py count [FLOWS+FLOWS...]       instructions, in a guest whose clock counts them

One side at a time has flows, since nobody can tell whose work it is. A side without a flowtable but with
as many connections says what the rest of the kernel takes; that is subtracted. Flows are made over SECONDS
seconds, as many each second: the C modules visit every flow every second, ours one after 30 seconds, and
so in the rhythm in which flows came.

The time of a round of a second is what a loop of the lowest priority did not get; where instructions are
counted, and such a loop would take long, what the kernel's workers have had, which User-mode Linux knows
by the tick only. The longest section is how late a task of the highest priority wakes up: in User-mode
Linux, which does not preempt itself, that is what runs without a break.

The clock goes on while somebody else has the host's CPU. On a busy host these figures mean nothing, and the
side without flows shows it.
"""
import statistics
import sys
import time

import slabs
from conntrack import keep, room_for
from packets import UDP, Flow
from sides import NAT, NEW, close, fill, handshake_templates, start_cases
from stats import ROUNDS, emit

TIMED, COUNTED = "garbage", "passes"
SEED = 1
SIDES = ("nat", "c", "rs")
WAKES = 5  # rounds of a second


class Garbage:
    def __init__(self, count, sizes, rounds, seconds, wakes):
        self.count = count
        self.part, self.unit = (COUNTED, "million instructions") if count else (TIMED, "ms")
        self.sizes, self.rounds, self.seconds, self.wakes = sizes, rounds, seconds, wakes
        self.sides = start_cases({size: {} for size in sizes}, NAT)
        # Each connection is in two buckets.
        room_for(3 * max(sizes))
        handshake_templates(self.sides[sizes[0]]["c"], Flow(4, UDP, "snat"))

    def filled(self, name, size):
        """A side with as many new flows each second; C's come in no rhythm, and connections neither."""
        side, steps = self.sides[size][name], self.seconds if name == "rs" else 1
        keep(side)
        began = time.monotonic()
        for step in range(steps):
            fill(side, size * step // steps, size * (step + 1) // steps, NEW)
            time.sleep(max(0, began + step + 1 - time.monotonic()) if steps > 1 else 1.5)
        return side

    @staticmethod
    def workers(side):
        """Their milliseconds in a second."""
        began, before = time.monotonic(), side.command("workers")["ns"]
        time.sleep(1)
        after = side.command("workers")["ns"]
        return (after - before) / 1e6 / (time.monotonic() - began)

    def measure(self, name, size):
        side = self.filled(name, size)
        rounds = self.rounds if name != "nat" else min(self.rounds, 8)
        if self.count:
            spent = [self.workers(side) for _ in range(rounds)]
            gaps = [side.command("gaps 1000") for _ in range(self.wakes)]
        else:
            gaps = [side.command("gaps 1000") for _ in range(rounds)]
            spent = [gap["ns"] / 1e6 for gap in gaps]
        wakes = [side.command("wakes 1000") for _ in range(self.wakes)]
        if name == "rs":
            assert side.ours()["flows"] == size
        elif name == "c" and slabs.c_flows():
            assert slabs.c_flows() >= size
        close(side)
        return spent, gaps, wakes

    def run(self):
        for size in self.sizes:
            found = {name: self.measure(name, size) for name in SIDES}
            self.report(size, found)

    def report(self, size, found):
        cell = {"flows": size}
        spent = {name: spent for name, (spent, _, _) in found.items()}
        idle = statistics.median(spent["nat"])
        own = {name: [value - idle for value in spent[name]] for name in ("c", "rs")}
        mean = {name: sum(values) / len(values) for name, values in own.items()}
        emit(self.part, cell | {"what": "time of each second"}, self.unit, own, seed=SEED, mean=mean,
             most={name: max(values) for name, values in own.items()},
             rounds={name: [round(value, 2) for value in values] for name, values in spent.items()},
             ratio_of_means=mean["rs"] / mean["c"] if mean["c"] else None, without_flows=idle)
        emit(self.part, cell | {"what": "longest time away in a second"}, "µs",
             {name: [gap["longest_ns"] / 1e3 for gap in gaps] for name, (_, gaps, _) in found.items()},
             seed=SEED)
        late = {name: [wake["longest_ns"] / 1e3 for wake in wakes] for name, (_, _, wakes) in found.items()}
        emit(self.part, cell | {"what": "longest section"}, "µs", late, seed=SEED,
             most={name: max(values) for name, values in late.items()},
             over_131_us={name: sum(value for wake in wakes for key, value in wake.items()
                                    if key.startswith("hist_") and int(key[5:]) >= 17)
                          for name, (_, _, wakes) in found.items()})


def main():
    words = sys.argv[1:]
    count = words[:1] == ["count"]
    words = words[count:]
    # In a list of arguments commas would separate these.
    sizes = [8192] if count else [65536, 262144, 1 << 20]
    sizes = [int(word) for word in words[0].split("+")] if words else sizes
    rounds = int(words[1]) if len(words) > 1 else ROUNDS
    seconds = int(words[2]) if len(words) > 2 else 30
    Garbage(count, sizes, rounds, seconds, 2 if count else WAKES).run()


main()
