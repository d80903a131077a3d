# SPDX-License-Identifier: GPL-2.0
"""Instructions per packet by function, of each report that the plugin wrote with blocks=on.

    by_function.py REPORT SYMBOLS

SYMBOLS is /proc/kallsyms of the guest (as root: it has the modules, too) or a System.map.
"""
import bisect
import sys


def read_symbols(path):
    """Sorted addresses of functions, and their names."""
    symbols = {}
    with open(path) as file:
        for line in file:
            address, kind, name, *module = line.split()
            if kind in "tTwW" and int(address, 16):
                symbols.setdefault(int(address, 16), " ".join([name, *module]))
    addresses = sorted(symbols)
    return addresses, [symbols[address] for address in addresses]


def show(number, packets, functions):
    print(f"report {number}: {packets} packets")
    for name, instructions in sorted(functions.items(), key=lambda item: -item[1]):
        print(f"{instructions / packets:12.3f}  {name}")


def main():
    report, symbols = sys.argv[1:]
    addresses, names = read_symbols(symbols)
    number, packets, functions = "", 0, {}
    with open(report) as file:
        for line in file:
            key, *values = line.split()
            if key == "report":
                number, functions = values[0], {}
            elif key == "packets":
                packets = int(values[0])
            elif key == "block":
                at = bisect.bisect_right(addresses, int(values[0], 16)) - 1
                name = names[at] if at >= 0 else "?"
                functions[name] = functions.get(name, 0) + int(values[1]) * int(values[3])
            elif key == "end" and packets:
                show(number, packets, functions)


main()
