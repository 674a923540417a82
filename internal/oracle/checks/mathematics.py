"""Integrals, intervals and roots that several checks need."""
import math

import numpy as np
from scipy import integrate, optimize, stats


def z_of(level):
    """The normal quantile of a two-sided interval."""
    return stats.norm.isf((1 - level) / 2)


def t_of(level, df):
    return stats.t.isf((1 - level) / 2, df)


def log_integral(f, mode, width, low=-math.inf, high=math.inf):
    """ln of the integral of e^f, which has its peak near mode and about this width."""
    top = f(mode)
    points = [mode + k * width for k in (-40, -12, -4, 0, 4, 12, 40)]
    points = [low] + [p for p in points if low < p < high] + [high]
    total = sum(integrate.quad(lambda u: math.exp(f(u) - top), a, b, epsabs=0, epsrel=1e-12, limit=200)[0]
                for a, b in zip(points, points[1:]))
    return top + math.log(total)


def root(f, inside, step, limit=math.inf):
    """The x beyond inside, in steps that double, at which f turns positive; limit where it never does."""
    x = inside
    while f(x) <= 0:
        inside, step = x, 2 * step
        x += step
        if abs(x) > abs(limit):
            return limit
    return optimize.brentq(f, inside, x, xtol=1e-14 * max(1e-3, abs(x)), rtol=1e-14)


def fieller(a, b, va, vb, ab, c):
    """The ratios a/b that (a - r*b)^2 <= c^2 * (va - 2*r*ab + r^2*vb) does not exclude, or None where they have no end."""
    quadratic = [b * b - c * c * vb, -2 * (a * b - c * c * ab), a * a - c * c * va]
    if quadratic[0] <= 0:
        return None
    return np.sort(np.roots(quadratic).real)


def folded(d, s):
    """E|X| of normal variables with means d and deviations s."""
    d, s = np.abs(np.asarray(d, float)), np.asarray(s, float)
    out = d.copy()
    some = s > 0
    out[some] = stats.foldnorm.mean(d[some] / s[some], scale=s[some])
    return out


def parts(rows, k):
    """Sorted rows in k parts, the first with one row more where they do not divide."""
    return np.array_split(np.array(sorted(rows)), k)


def clean(value, scale=1):
    """The value, or 0 where it is what rounding has left of terms of this scale."""
    return 0. if abs(value) < 1e-15 * scale else value
