"""What others make of the cases that internal/oracle has drawn.

Each module holds the checks of one of the Go files beside it. A check takes the
inputs of a case by name and returns outputs by name, which are compared. It is
by a package that others have written, or by "definition": an integral, a brute
force or a formula that is not the one of internal/stats.
"""
import numpy as np

# What confseq 0.0.11 and ssrm-test 0.1.5 still call them.
np.float_, np.Inf = np.float64, np.inf

CHECKS = {}  # by statistic, in order: lists of (package, function)


def check(statistic, by):
    """Says that the function answers for a statistic, by a package's name or by "definition"."""
    def add(function):
        CHECKS.setdefault(statistic, []).append((by, function))
        return function
    return add
