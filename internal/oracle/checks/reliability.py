"""Reliability, calibration errors and tests of calibration."""
import math

import calibration.utils as cu
import numpy as np
import relplot
import statsmodels.api as sm
from scipy import special, stats
from statsmodels.stats.rates import confint_poisson

from . import check
from .mathematics import clean, folded, parts


def binned(p, y, k):
    return cu.equal_bin([(float(a), float(b)) for a, b in zip(p, y)], k)


@check("ECE", "uncertainty-calibration")
def ece(p, y, B):
    bins = binned(p, y, B)
    square = clean(cu.unbiased_square_ce(bins))
    return {"l1": cu.plugin_ce(bins, 1), "l2": cu.plugin_ce(bins, 2), "debiased_sq": square, "debiased_l2": math.sqrt(max(0, square))}


@check("ECE", "definition")
def ece_debiased(p, y, B):
    bins = parts(zip(p, y), B)
    n = np.array([len(b) for b in bins])
    mean_p, mean_y = (np.array([b[:, i].mean() for b in bins]) for i in (0, 1))
    share, d = n / n.sum(), mean_p - mean_y
    # Bernoulli variances of the labels: as seen, and as predicted.
    seen = np.array([b[:, 1].var() / len(b) for b in bins])
    predicted = np.array([stats.bernoulli.var(b[:, 0]).sum() / len(b)**2 for b in bins])
    l1 = (share * abs(d)).sum()
    mixed = np.where(mean_y == 0, predicted, seen)
    return {"n_b": n, "mean_p": mean_p, "mean_y": mean_y, "normal_l1": 2 * l1 - (share * folded(d, np.sqrt(seen))).sum(),
            "debiased_l1": 2 * l1 - (share * folded(d, np.sqrt(mixed))).sum(),
            "null_mean": (share * stats.halfnorm.mean(scale=np.sqrt(predicted))).sum()}


@check("ECE sweep", "uncertainty-calibration")
def ece_sweep(p, y):
    best = binned(p, y, 1)
    while len(best) < len(p):
        bins = binned(p, y, len(best) + 1)
        means = [np.mean([b for _, b in x]) for x in bins]
        if any(a > b for a, b in zip(means, means[1:])):
            break
        best = bins
    return {"B": len(best), "l1": cu.plugin_ce(best, 1), "l2": cu.plugin_ce(best, 2)}


@check("reliability bins", "statsmodels")
def reliability_bins(n, sum_p, sum_y, level):
    each = level**(1 / len(n))
    limits = [confint_poisson(o, e, method="exact-c", alpha=1 - each) for o, e in zip(sum_y, sum_p)]
    return {"C": [e / o if o else math.inf for o, e in zip(sum_y, sum_p)], "lo": [1 / high for _, high in limits],
            "hi": [1 / low if o else math.inf for o, (low, _) in zip(sum_y, limits)]}


@check("grid smECE", "relplot")
def grid_smooth_ece(p, y, sigma):
    return {"smece": relplot.smECE_sigma(p, y, sigma)}


@check("grid smECE at its fixed point", "relplot")
def grid_smooth_ece_fixed(p, y):
    value, sigma = relplot.smECE(p, y, return_width=True)
    return {"smece": value, "sigma": sigma}


@check("smECE", "definition")
def smooth_ece(p, y, sigma):
    # The integral of |mean of (p-y)*K(u, p)|, K a Gaussian with its mirror images at 0 and 1.
    u = (np.arange(4000) + .5) / 4000
    images = range(-math.ceil(5 * sigma) - 1, math.ceil(5 * sigma) + 2)
    smoothed = np.zeros(len(u))
    for a, b in zip(p, y):
        kernel = sum(stats.norm._pdf((u - 2 * k - a) / sigma) + stats.norm._pdf((u - 2 * k + a) / sigma) for k in images)
        smoothed += (a - b) * kernel / sigma
    return {"smece": abs(smoothed).mean() / len(p)}


@check("Spiegelhalter", "definition")
def spiegelhalter(p, y):
    # The Brier score less its mean under the model, in standard deviations.
    variance = ((1 - p)**4 * p + p**4 * (1 - p) - (p * (1 - p))**2).sum()
    z = (((p - y)**2).sum() - (p * (1 - p)).sum()) / math.sqrt(variance)
    return {"z": z, "p_value": 2 * stats.norm.sf(abs(z))}


@check("Cox", "statsmodels")
def cox(p, y):
    x = special.logit(p)
    fit = sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial()).fit(tol=1e-14, maxiter=200)
    large = sm.GLM(y, np.ones(len(p)), family=sm.families.Binomial(), offset=x).fit(tol=1e-14, maxiter=200)
    lr = 2 * (fit.llf - stats.bernoulli.logpmf(y, p).sum())
    return {"intercept": fit.params[0], "slope": fit.params[1], "se": fit.bse, "cov": fit.cov_params()[0, 1],
            "in_the_large": clean(large.params[0]), "in_the_large_se": large.bse[0], "LR": lr, "p_value": stats.chi2.sf(lr, 2)}


@check("Hosmer-Lemeshow", "definition")
def hosmer_lemeshow(p, y):
    groups = [[0., 0., 0]]
    for a, b in sorted(zip(p, y))[::-1]:
        if groups[-1][0] >= 5:
            groups.append([0., 0., 0])
        groups[-1] = [groups[-1][0] + a, groups[-1][1] + b, groups[-1][2] + 1]
    if groups[-1][0] < 5:
        rest = groups.pop()
        groups[-1] = [a + b for a, b in zip(groups[-1], rest)]
    # As Pearson's sum over conversions and their absence.
    chi2 = sum((o - e)**2 / e + ((n - o) - (n - e))**2 / (n - e) for e, o, n in groups)
    return {"groups": groups, "chi2": chi2, "df": len(groups), "p_value": stats.chi2.sf(chi2, len(groups))}
