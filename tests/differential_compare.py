# SPDX-License-Identifier: GPL-2.0
"""Compares what left the router under C and under ours; differences that are meant are listed.

    differential_compare.py ONE OTHER [KIND...]: but not packets of these kinds
"""
import sys


def normal(line):
    """A line without what is random: in ICMP errors, and in what tunnels add."""
    side, vnet, frame = line.split()
    data = bytearray.fromhex(frame)
    # VLAN tags and PPPoE, from the outside in.
    at = 12
    while data[at:at + 2] in (b"\x81\0", b"\x88\xa8"):
        at += 4
    kind, at = bytes(data[at:at + 2]), at + 2
    if kind == b"\x88\x64":
        kind = {b"\0\x21": b"\x08\0", b"\0\x57": b"\x86\xdd"}.get(bytes(data[at + 6:at + 8]))
        at += 8
    # Of a tunnel's header: the identification, so also the checksum; the flow label.
    if kind == b"\x08\0" and data[at + 9] == 4:
        data[at + 4:at + 6] = data[at + 10:at + 12] = b"\0\0"
        at += 20
    if kind == b"\x86\xdd" and data[at + 6] == 41:
        data[at + 1:at + 4] = bytes((data[at + 1] & 0xF0, 0, 0))
        at += 40
    if kind == b"\x08\0" and data[at + 9] == 1:
        data[at + 4:at + 6] = data[at + 10:at + 12] = b"\0\0"
    # Errors of IPv6 can come from an address that the kernel has made up for a tunnel's device.
    if kind == b"\x86\xdd" and data[at + 6] == 58 and data[at + 8:at + 10] == b"\xfe\x80":
        data[at + 8:at + 24] = bytes(16)
        data[at + 42:at + 44] = b"\0\0"
    return f"{side} {vnet} {data.hex()}"


def read(path):
    result = {}
    for line in open(path):
        number, rest = line.split(" ", 1)
        result.setdefault(number, []).append(normal(rest))
    return {number: sorted(lines) for number, lines in result.items()}


c, rs = read(sys.argv[1]), read(sys.argv[2])
what = {line.split(" ", 1)[0]: line.split(" ", 1)[1].strip() for line in open(sys.argv[1] + ".sent")}
equal, different, meant = 0, [], 0
for number in what:
    if what[number].split()[1] in sys.argv[3:]:
        continue
    if what[number].startswith("meant"):
        # C forwards it, ours does not.
        if number in rs:
            different.append(number)
        else:
            meant += 1
    elif c.get(number) == rs.get(number):
        equal += 1
    else:
        different.append(number)
print(f"{equal} of {len(what)} packets equal, {meant} different as they should, "
      f"{len(c)} forwarded by c, {len(rs)} by rs")
for number in different[:10]:
    print(number, what[number])
    print("  c ", c.get(number))
    print("  rs", rs.get(number))
sys.exit(bool(different))
