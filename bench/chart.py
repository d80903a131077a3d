# SPDX-License-Identifier: GPL-2.0
"""Charts as SVG: bars beside each other, and curves over a number of flows. Just these two."""
import math
from html import escape

COLOURS = ["#8593a1", "#d9541e", "#3a7ca5", "#6b8f3c", "#8a5a9e", "#c9a227"]
FONT = 'font-family="sans-serif" font-size="12"'


def picture(width, height, title, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {FONT}>'
    return "\n".join([head,
                      f'<rect width="{width}" height="{height}" fill="white"/>',
                      text(16, 24, title, more='font-size="15" font-weight="bold"'), *parts, "</svg>", ""])


def text(x, y, words, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(words)}</text>'


def legend(names, x, y):
    parts = []
    for name, colour in zip(names, COLOURS):
        parts += [f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>',
                  text(x + 18, y, name)]
        x += 34 + 7 * len(name)
    return parts


def bars(title, unit, names, rows):
    """Horizontal bars: `rows` are pairs of a label and a value for each name, or none."""
    wide, high = 520, 16
    left = max(160, 7 * max(len(label) for label, _ in rows))
    most = max(value for _, values in rows for value in values if value is not None) or 1
    y, parts = 60, legend(names, 16, 44)
    for label, values in rows:
        there = [(colour, value) for colour, value in zip(COLOURS, values) if value is not None]
        parts.append(text(left - 10, y + high * len(there) / 2 + 2, label, "end"))
        for colour, value in there:
            length = wide * value / most
            parts += [f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{high - 3}" fill="{colour}"/>',
                      text(left + length + 6, y + 11, f"{value:,.4g}", more='font-size="11"')]
            y += high
        y += 10
    parts.append(text(left + wide, 44, unit, "end"))
    return picture(left + wide + 80, y + 10, title, parts)


def short(number):
    """1024 as 1 K, and so on."""
    for power, letter in ((20, " M"), (10, " K")):
        if number >= 1 << power and number % (1 << power) == 0:
            return f"{number >> power}{letter}"
    return f"{number:,}"


def step_of(most, steps=5):
    """A round number of which at most so many make `most`."""
    size = 10 ** math.floor(math.log10(most / steps))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor * steps >= most)


def curves(title, unit, names, points):
    """Curves over numbers on a logarithmic axis: `points` are pairs of a number and a value for each name.
    The names are two for a full line, and then two for a dashed one of the same colours."""
    left, top, wide, high = 70, 70, 560, 300
    step = step_of(max(value for _, values in points for value in values))
    most = max(math.ceil(value / step) for _, values in points for value in values) * step
    low, far = math.log(points[0][0]), math.log(points[-1][0])
    parts = [text(left + wide, 44, unit, "end")]
    for line in range(round(most / step) + 1):
        y = top + high - high * line * step / most
        parts += [f'<line x1="{left}" y1="{y:.1f}" x2="{left + wide}" y2="{y:.1f}" stroke="#ddd"/>',
                  text(left - 8, y + 4, f"{line * step:,g}", "end")]
    where = [left + wide * (math.log(number) - low) / (far - low) for number, _ in points]
    parts += [text(x, top + high + 20, short(number), "middle") for x, (number, _) in zip(where, points)]
    beside = 16
    for which, name in enumerate(names):
        colour, dash = COLOURS[which % 2], ' stroke-dasharray="7 4"' if which > 1 else ""
        places = [(x, top + high - high * values[which] / most) for x, (_, values) in zip(where, points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"{dash}/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        parts += [f'<line x1="{beside}" y1="40" x2="{beside + 26}" y2="40" stroke="{colour}" '
                  f'stroke-width="2.5"{dash}/>', text(beside + 32, 44, name)]
        beside += 50 + 7 * len(name)
    parts.append(text(left + wide / 2, top + high + 42, "flows", "middle"))
    return picture(left + wide + 40, top + high + 60, title, parts)
