"""Mixes and rates, causes, and what samples can tell."""
import math
from fractions import Fraction

import mpmath
import numpy as np
from scipy import optimize, stats

from . import check
from .mathematics import fieller, z_of


def split(f_T, f_C, m_T, m_C):
    """Kitagawa's split in exact arithmetic: mix and rate as the mean of both orders of exchanging one for the other."""
    share_T, share_C = ([Fraction(v) / sum(map(Fraction, f)) for v in f] for f in (f_T, f_C))
    m_T, m_C = ([m if isinstance(m, Fraction) else Fraction(m) for m in v] for v in (m_T, m_C))

    def mean(share, m):
        return sum(a * b for a, b in zip(share, m))
    mix = (mean(share_T, m_T) - mean(share_C, m_T) + mean(share_T, m_C) - mean(share_C, m_C)) / 2
    rate = (mean(share_T, m_T) - mean(share_T, m_C) + mean(share_C, m_T) - mean(share_C, m_C)) / 2
    return share_T, share_C, m_T, m_C, mix, rate


@check("mix and rate", "definition")
def mix_and_rate(E_T, E_C, m_T, m_C):
    share_T, share_C, t, c, mix, rate = split(E_T.tolist(), E_C.tolist(), m_T.tolist(), m_C.tolist())
    middle = sum((a + b) / 2 * (x + y) / 2 for a, b, x, y in zip(share_T, share_C, t, c))
    return {"total": float(mix + rate), "mix": float(mix), "rate": float(rate),
            "mix_by_slice": [float((a - b) * ((x + y) / 2 - middle)) for a, b, x, y in zip(share_T, share_C, t, c)],
            "rate_by_slice": [float((x - y) * (a + b) / 2) for a, b, x, y in zip(share_T, share_C, t, c)]}


@check("mix and rate of Q", "definition")
def mix_and_rate_of_q(O_T, E_T, O_C, E_C, level):
    o_T, e_T, o_C, e_C = (list(map(Fraction, v.tolist())) for v in (O_T, E_T, O_C, E_C))
    q_T, q_C = ([a / b for a, b in zip(o, e)] for o, e in ((o_T, e_T), (o_C, e_C)))
    share_T, share_C, _, _, mix, rate = split(e_T, e_C, q_T, q_C)
    v = sum(((a + b) / 2)**2 * (o / e**2 + p / f**2) for a, b, o, e, p, f in zip(share_T, share_C, o_T, e_T, o_C, e_C))
    half = z_of(level) * math.sqrt(v)
    return {"Q_T": float(sum(o_T) / sum(e_T)), "Q_C": float(sum(o_C) / sum(e_C)), "mix": float(mix), "rate": float(rate), "var_rate": float(v),
            "z_rate": float(rate) / math.sqrt(v), "lo": float(rate) - half, "hi": float(rate) + half}


@check("stratified arm ratio", "definition")
def stratified(O_T, E_T, O_C, E_C, level):
    # The root of Mantel and Haenszel's estimating equation, and its sandwich with variances of both arms under the common ratio.
    total = E_T + E_C
    log_ratio = optimize.brentq(lambda b: (O_T * E_C / total).sum() * math.exp(-b) - (O_C * E_T / total).sum(), -60, 60, xtol=1e-15, rtol=1e-15)
    r, s = (O_T * E_C / total).sum(), (O_C * E_T / total).sum()
    v = ((O_T + O_C) * E_T * E_C / total**2).sum() / (r * s)
    return {"log_ratio": log_ratio, "half": z_of(level) * math.sqrt(v)}


@check("attributable fraction", "definition")
def attributable(D_all, V_all, D_h, V_h, cov, level):
    # By inverting the test of each ratio: with the numbers as they are it is the quadratic.
    limits = fieller(D_h, D_all, V_h, V_all, cov, z_of(level))
    low, high = (-math.inf, math.inf) if limits is None else 1 - limits[::-1]
    return {"AF": 1 - D_h / D_all, "lo": low, "hi": high, "bounded": limits is not None}


@check("ladder share", "definition")
def ladder_share(step, all, level):
    cov = np.cov(step, all, ddof=1) / len(step)
    limits = fieller(step.mean(), all.mean(), cov[0, 0], cov[1, 1], cov[0, 1], z_of(level))
    low, high = (-math.inf, math.inf) if limits is None else limits
    return {"share": step.mean() / all.mean(), "lo": low, "hi": high}


@check("power", "definition")
def power(share, deff, alpha, power, ratio, have):
    # From the power of a two-sided z test, of which the far side is left out.
    def of(log_ratio, n):
        return stats.norm.cdf(abs(log_ratio) / math.sqrt(deff / (n * share * (1 - share))) - stats.norm.isf(alpha / 2)) - power
    # Its root in the logarithm of the number, and of the effect.
    needed = optimize.brentq(lambda x: of(math.log(ratio), math.exp(x)), -20, 60, xtol=1e-14, rtol=1e-15)
    effect = optimize.brentq(lambda x: of(math.exp(x), have), -30, 10, xtol=1e-14, rtol=1e-15)
    return {"needed": math.exp(needed), "detectable": math.exp(math.exp(effect))}


@check("information bounds", "definition")
def information(r, share, alpha):
    with mpmath.workdps(40):
        r, share, alpha = mpmath.mpf(r), mpmath.mpf(share), mpmath.mpf(alpha)
        # A Poisson count of mean r against mean 1: the mean of the log likelihood ratio.
        one = sum(mpmath.exp(-r) * r**k / mpmath.factorial(k) * (k * mpmath.log(r) - r + 1) for k in range(int(r) + 150))
        theta = r * share / (r * share + 1 - share)
        two = (r * share + 1 - share) * (theta * mpmath.log(theta / share) + (1 - theta) * mpmath.log((1 - theta) / (1 - share)))
        return {"I1": float(one), "I2": float(two), "bound": float(-mpmath.log(alpha) / one)}
