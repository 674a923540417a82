#!/usr/bin/env python3
"""Compares what internal/stats makes of random cases with what others make of them.

oracle.py CASES VECTORS [STATISTIC...]: CASES is the file that the command draw has
written, and VECTORS the directory of the test vectors, whose tolerances hold. It
prints a line for each statistic and oracle, and ends with status 1 where they
disagree, where an output is compared by nobody, or where a statistic has no case.
"""
import importlib
import importlib.metadata
import json
import math
import os
import sys
import warnings

import numpy as np

from checks import CHECKS

MODULES = ["ratios", "reliability", "losses", "ranking", "exposure", "delays", "mixtures", "sequences", "discoveries", "changes",
           "drifts", "coverage", "diagnosis"]
OPTIONAL = ["confseq"]  # needs a C++ compiler; where it is missing, definitions alone answer
WORDS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def tolerance(directory, name, prefix, read={}):
    """The tolerance of the vectors with this prefix, or of their file."""
    if name not in read:
        with open(os.path.join(directory, name + ".json")) as f:
            read[name] = json.load(f)
    vectors = read[name]
    cases = [c for c in vectors["cases"] if prefix and c["name"].startswith(prefix)]
    return min((c.get("rtol", vectors["rtol"]) for c in cases), default=vectors["rtol"])


def argument(value):
    """An input as checks take it: lists of numbers are arrays."""
    if isinstance(value, list) and not any(isinstance(v, list) for v in value):
        return np.array(value)
    return value


def numbers(value):
    """All numbers in an output, in order."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return [n for v in value for n in numbers(v)]
    return [float(WORDS.get(value, value) if isinstance(value, str) else value)]


def difference(ours, theirs):
    """The largest difference, relative to theirs, and to 1 where that is 0."""
    a, b = numbers(ours), numbers(theirs)
    if len(a) != len(b):
        return math.inf
    worst = 0.
    for x, y in zip(a, b):
        if x != y:
            d = abs(x - y) / abs(y) if y and math.isfinite(y) else abs(x - y)
            # 1e-12 is what a 0 may be off by: the test of the vectors has it so.
            worst = max(worst, 0. if y == 0 and d <= 1e-12 else d if not math.isnan(d) else math.inf)
    return worst


class Row:
    """A line of the table."""
    def __init__(self):
        self.cases, self.worst, self.at, self.error = 0, 0., "", None

    def add(self, case, answer):
        for name in answer:
            d = difference(case["out"][name], answer[name]) if name in case["out"] else math.inf
            if d > self.worst:
                self.worst, self.at = d, f"{name}: {case['out'].get(name)} here, {answer[name]} there, of {case['in']}"


def compare(cases, directory, only):
    """The table: (statistic, oracle, row, tolerance, agrees)."""
    rows, compared, missing = {}, {}, set()
    for line in cases:
        case = json.loads(line)
        statistic = case["statistic"]
        if only and statistic not in only:
            continue
        inputs = {k: argument(v) for k, v in case["in"].items()}
        names, seen = set(), set()
        for by, function in CHECKS.get(statistic, []):
            row = rows.setdefault((statistic, by), Row())
            row.tolerance = tolerance(directory, case["vectors"], case["case"])
            try:
                answer = function(**inputs)
                row.add(case, answer)
                names.update(answer)
            except ImportError as e:
                if by not in OPTIONAL:
                    raise
                row.error = e
                continue
            except Exception as e:
                row.worst, row.at = math.inf, f"{e!r} of {case['in']}"
            row.cases += by not in seen
            seen.add(by)
        compared.setdefault(statistic, set()).update(case["out"].keys() - names)
    for statistic, names in compared.items():
        if names:
            missing.add(f"{statistic}: nobody compares {', '.join(sorted(names))}")
    missing |= {f"{s}: no case" for s in CHECKS if s not in compared and (not only or s in only)}
    return rows, sorted(missing)


def name_of(by):
    return by if by == "definition" else f"{by} {importlib.metadata.version(by)}"


def main(path, directory, *only):
    for module in MODULES:
        importlib.import_module("checks." + module)
    warnings.filterwarnings("ignore")  # statsmodels turns its own on when imported
    with open(path) as f:
        rows, problems = compare(f, directory, only)
    line = "{:<31} {:<30} {:>5} {:>10} {:>10}  {}"
    print(line.format("statistic", "oracle", "cases", "largest", "tolerance", "agrees"))
    for (statistic, by), row in sorted(rows.items(), key=lambda item: list(CHECKS).index(item[0][0])):
        if row.error:
            print(line.format(statistic, by, 0, "", "", f"not installed: {row.error}"))
            continue
        agrees = row.worst <= row.tolerance
        print(line.format(statistic, name_of(by), row.cases, f"{row.worst:.1e}", f"{row.tolerance:.0e}", "yes" if agrees else "NO"))
        if not agrees:
            problems.append(f"{statistic} by {by}: {row.at[:2000]}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
