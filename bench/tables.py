# SPDX-License-Identifier: GPL-2.0
"""Tables of figures as text, and the words that they have in common."""
import math

SIDES = {"plain": "plain", "nat": "conntrack+NAT", "c": "C", "rs": "ours", "direct": "direct transmit",
         "batch": "batches", "both": "both"}


def number(value):
    """With three or four figures that count."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 3)}f}"


def table(head, rows):
    """Columns as wide as they need; the first one to the left."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = []
    for row in [head, *rows]:
        first = row[0].ljust(widths[0])
        rest = [word.rjust(width) for word, width in zip(row[1:], widths[1:])]
        lines.append("  ".join([first, *rest]).rstrip())
    lines.insert(1, "-" * max(len(line) for line in lines))
    return "\n".join(lines) + "\n"


def heading(words):
    return f"\n{words}\n{'=' * len(words)}\n"


def label_text(labels):
    """Labels as words; what is only true or false says its name."""
    words = []
    for key, value in labels.items():
        if isinstance(value, bool):
            words.append(key if value else f"no {key}")
        elif key == "flows":
            words.append(f"{value:,} flows")
        elif key == "at_a_time":
            words.append(f"{value} at a time")
        elif key == "version":
            words.append(f"IPv{value}")
        else:
            words.append(str(value).replace("_", " "))
    return ", ".join(words)


def ratio_text(ratio):
    if ratio["rounds"] == 1:
        return number(ratio["median"])
    return f"{number(ratio['median'])} [{number(ratio['low'])} {number(ratio['high'])}]"
