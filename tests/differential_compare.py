# SPDX-License-Identifier: GPL-2.0
"""Compares what left the router under C and under ours; differences that are meant are listed."""
import sys


def normal(line):
    """A line without what is random in the classic path: the identification of ICMP errors."""
    side, vnet, frame = line.split()
    data = bytearray.fromhex(frame)
    if data[12:14] == b"\x08\0" and data[23] == 1:
        data[18:20] = data[24:26] = b"\0\0"
    return f"{side} {vnet} {data.hex()}"


def read(path):
    result = {}
    for line in open(path):
        number, rest = line.split(" ", 1)
        result.setdefault(number, []).append(normal(rest))
    return {number: sorted(lines) for number, lines in result.items()}


c, rs = read(sys.argv[1]), read(sys.argv[2])
what = {line.split(" ", 1)[0]: line.split(" ", 1)[1].strip() for line in open(sys.argv[1] + ".sent")}
equal, different = 0, []
for number in what:
    if c.get(number) == rs.get(number):
        equal += 1
    else:
        different.append(number)
print(f"{equal} of {len(what)} packets equal, {len(c)} forwarded by c, {len(rs)} by rs")
for number in different[:10]:
    print(number, what[number])
    print("  c ", c.get(number))
    print("  rs", rs.get(number))
sys.exit(bool(different))
