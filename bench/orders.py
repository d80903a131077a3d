# SPDX-License-Identifier: GPL-2.0
"""Which flow each packet is of: orders for the bench module, as lists of numbers of flows."""
import itertools
import random
import struct

LENGTH = 1 << 18   # at least, so that no branch predictor learns one by heart


def shuffled(numbers, seed):
    numbers = list(numbers)
    random.Random(seed).shuffle(numbers)
    return numbers


def uniform(flows, seed):
    """All flows the same number of times, shuffled each time."""
    source = random.Random(seed)
    numbers = []
    while len(numbers) < LENGTH:
        numbers += source.sample(range(flows), flows)
    return numbers


def zipf(flows, seed):
    """Draws of flows of which the k-th most frequent has 1/k of the packets of the first. Which is which
    is drawn as well: frequent ones are no neighbours."""
    source = random.Random(seed)
    weights = list(itertools.accumulate(1 / k for k in range(1, flows + 1)))
    return source.choices(source.sample(range(flows), flows), cum_weights=weights, k=max(flows, LENGTH))


ORDERS = {"uniform": uniform, "zipf": zipf}


def write(numbers):
    with open("/proc/nfo_bench/order", "wb") as file:
        file.write(struct.pack(f"={len(numbers)}I", *numbers))
