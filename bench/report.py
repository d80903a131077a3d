# SPDX-License-Identifier: GPL-2.0
"""Makes a report of results: report.txt, instructions.txt (the whole matrix), report.json, and charts.

    report.py RESULTS FACTS DIRECTORY [WHAT-FAILED]...
"""
import json
import os
import sys

import report_charts
import report_text
from results import read


def write(directory, name, text):
    with open(os.path.join(directory, name), "w") as file:
        file.write(text)


def main():
    results, facts, directory, *failed = sys.argv[1:]
    cells = read(results)
    with open(facts) as file:
        facts = json.load(file)
    os.makedirs(directory, exist_ok=True)
    for name, text in report_charts.charts(cells):
        write(directory, name, text)
    found = {"facts": facts, "failed": failed, "cells": cells}
    write(directory, "report.json", json.dumps(found, indent=1) + "\n")
    write(directory, "instructions.txt", report_text.matrix(cells))
    text = report_text.report(cells, facts, failed)
    write(directory, "report.txt", text)
    print(text, end="")


main()
