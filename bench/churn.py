# SPDX-License-Identifier: GPL-2.0
"""Inserts and deletes: what making a flow adds to the packet that makes it, and what taking it away costs.

    churn.py [FLOWS [STEADY [ROUNDS]]]      nanoseconds, in a guest that runs at full speed
    churn.py count [FLOWS [STEADY]]         instructions, in a guest whose clock counts them

Flows are of IPv4, UDP, with source NAT. Each connection's second packet, the reply, makes its flow, by
the real classic path; in a third namespace, `nat`, the same packet makes no flow, and what it takes there
is subtracted.

grow    from no flow to FLOWS, a chunk of each side a round, while tables grow. All are to one server,
        so that ours has just found the way for another
spread  the same, but the second packet is the client's once more, and the way that is looked up is the
        one to that client: no two flows have the same, nor is it ever known
steady  STEADY flows stay; each round a tenth as many more are made, of the same connections, which
        have gone by the next round
drain   STEADY flows are made, which are due at once; the CPU time that their removal takes is
        measured by who did not get it. Rounds in which some were removed before that are thrown away
"""
import random
import sys
import time

from conntrack import keep, room_for
from packets import UDP, Flow
from sides import FIRST, MAKES, NAT, NEW, close, complete, handshake_templates, start_cases
from slabs import c_flows, tells
from stats import ROUNDS, emit, interleave

PART = "churn"
SEED = 1
SIDES = ("c", "nat", "rs")
PHASES = ("grow", "spread", "steady", "drain")
CLIENTS = 1 << 16
WHOLE = 0.9  # of all flows must go in a round of the drain
ABOVE = 16  # power of two of nanoseconds: 65 µs


class Churn:
    def __init__(self, count, flows, steady, rounds):
        self.key, self.unit = ("last_tsc", "instructions") if count else ("last_ns", "ns")
        self.flows, self.steady_flows, self.rounds = flows, steady, rounds
        self.phases = start_cases({phase: {} for phase in PHASES}, NAT)
        room_for(3 * flows + 5 * steady)
        handshake_templates(self.phases["grow"]["c"], Flow(4, UDP, "snat"))

    def run(self):
        for phase, self.sides in self.phases.items():
            for side in self.sides.values():
                keep(side)
            getattr(self, phase)()
            for side in self.sides.values():
                close(side)

    def emit(self, what, found, flows, **more):
        """What a flow takes beyond the classic path, and the longest packets."""
        each = {name: [run[self.key] / run["last"] for run in runs] for name, runs in found.items()}
        extra = {name: [a - b for a, b in zip(each[name], each["nat"])] for name in ("c", "rs")}
        emit(PART, {"what": what, "flows": flows}, f"{self.unit} per flow", extra, seed=SEED, **more)
        emit(PART, {"what": f"{what}, the packet", "flows": flows}, f"{self.unit} per packet", each,
             seed=SEED)
        longest = {name: [run["last_longest_ns"] / 1000 for run in runs] for name, runs in found.items()}
        slow = {name: sum(value for run in runs for key, value in run.items()
                          if key.startswith("hist_") and int(key[5:]) >= ABOVE)
                for name, runs in found.items()}
        emit(PART, {"what": f"{what}, longest packet of a round", "flows": flows}, "µs", longest, seed=SEED,
             worst={name: max(values) for name, values in longest.items()}, over_65_us=slow)

    def make(self, name, first, last, words):
        """Makes flows, and times the last packet of each."""
        began = time.monotonic()
        run = self.sides[name].command(f"make {first} {last} {words}")
        run["wall"] = (time.monotonic() - began) * 1e9
        run["last"] = last - first
        return run

    def grow(self):
        self.make_all("grow", self.flows, NEW, MAKES)

    def spread(self):
        self.make_all("spread", min(self.flows, CLIENTS), f"{FIRST},{FIRST}", FIRST)

    def make_all(self, what, flows, words, makes):
        chunk = max(flows // self.rounds, 1)
        found, refused = {name: [] for name in SIDES}, []
        done = dict.fromkeys(SIDES, 0)

        def measure(name):
            def step():
                first = done[name]
                done[name] = last = first + chunk
                found[name].append(self.make(name, first, last, words))
                if name == "rs":
                    refused.append(complete(self.sides["rs"], first, last, makes))
                return found[name][-1]["wall"] / chunk
            return step

        wall = interleave({name: measure(name) for name in SIDES}, self.rounds, SEED)
        flows = chunk * self.rounds
        self.emit(what, found, flows, refused=sum(refused))
        extra = {name: [a - b for a, b in zip(wall[name], wall["nat"])] for name in ("c", "rs")}
        emit(PART, {"what": f"{what}, all told: with workers and the resize", "flows": flows}, "ns per flow",
             extra, seed=SEED,
             per_second={name: 1e9 * len(times) / sum(times) for name, times in wall.items()})

    def steady(self):
        base, last = self.steady_flows, self.steady_flows * 11 // 10
        self.make("nat", 0, last, NEW)
        for name in ("c", "rs"):
            self.make(name, 0, base, NEW)
        complete(self.sides["rs"], 0, base, MAKES)
        for name in ("c", "rs"):
            # These are due at once.
            keep(self.sides[name], flows=0)
            self.make(name, base, last, NEW)
        theirs = c_flows()
        found = {name: [] for name in SIDES}

        def measure(name):
            def step():
                found[name].append(self.make(name, base, last, MAKES))
            return step

        def wait():
            """Until the flows of the last round have gone. Nothing else is measured meanwhile."""
            for _ in range(100):
                time.sleep(0.1)
                if self.sides["rs"].ours()["flows"] <= base and c_flows() <= theirs:
                    return
            raise RuntimeError("flows stay")

        time.sleep(2.5)
        theirs = c_flows()
        source = random.Random(SEED)
        for _ in range(self.rounds):
            wait()
            for name in source.sample(SIDES, len(SIDES)):
                measure(name)()
        self.emit("steady", found, base)

    def present(self, name):
        """Flows that a side has; of C's, whose kernel may not tell, none."""
        return self.sides["rs"].ours()["flows"] if name == "rs" else c_flows()

    def after_collection(self):
        """Waits until C's garbage collection has just been, which takes all that is due once a second: a
        few flows that are due have gone. So the next ones live until they are all there, as a rule."""
        self.make("c", 0, 1024, MAKES)
        many = c_flows()
        for _ in range(400):
            if c_flows() < many - 512:
                return
            time.sleep(0.005)

    def drained(self, name):
        """The time that nobody else had while flows were removed, and how many these were."""
        flows = self.steady_flows
        if name == "nat":
            return self.sides[name].command("gaps 1500")["ns"], 0
        if name == "c" and tells():
            self.after_collection()
        before = self.present(name)
        self.make(name, 0, flows, MAKES)
        made = self.present(name)
        spent = self.sides[name].command("gaps 1500")["ns"]
        if name == "c" and not tells():
            return spent, flows
        return spent, made - max(before, self.present(name))

    def drain(self):
        flows = self.steady_flows
        for name in SIDES:
            if name != "nat":
                keep(self.sides[name], flows=0)
            self.make(name, 0, flows, NEW)
        time.sleep(3)
        rounds = self.rounds if self.key == "last_ns" else 3
        found, early = [], 0
        source = random.Random(SEED)
        while len(found) < rounds and early < rounds:
            taken = {name: self.drained(name) for name in source.sample(SIDES, len(SIDES))}
            # If many had gone before anybody looked at the clock, or are still there, the time is not
            # that of their removal.
            if all(taken[name][1] >= WHOLE * flows for name in ("c", "rs")):
                found.append(taken)
            else:
                early += 1
        if not found:
            raise RuntimeError(f"flows were gone too early, or stayed, in all of {early} rounds")
        each = {name: [(taken[name][0] - taken["nat"][0]) / taken[name][1] for taken in found]
                for name in ("c", "rs")}
        emit(PART, {"what": "drain", "flows": flows}, f"{self.unit} per flow", each, seed=SEED,
             thrown_away=early)


def main():
    words = sys.argv[1:]
    count = words[:1] == ["count"]
    numbers = [int(word) for word in words[count:]]
    flows, steady, rounds = (numbers + [None] * 3)[:3]
    flows = flows or (16384 if count else 1 << 20)
    steady = steady or (8192 if count else 65536)
    Churn(count, flows, steady, rounds or (8 if count else ROUNDS + 2)).run()


main()
