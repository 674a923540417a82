"""Calibration ratios, of one arm and of two."""
import math

import numpy as np
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.rates import confint_poisson

from . import check
from .mathematics import fieller, t_of, z_of


@check("exact interval", "statsmodels")
def exact_interval(O, E, level):
    low, high = confint_poisson(O, E, method="exact-c", alpha=1 - level)
    low = low if O else 0
    return {"Q": O / E, "Q_lo": low, "Q_hi": high,
            "C": E / O if O else math.inf, "C_lo": 1 / high, "C_hi": 1 / low if low else math.inf}


def poisson_regression(p, y, **weights):
    model = sm.GLM(y, np.ones(len(p)), family=sm.families.Poisson(), offset=np.log(p), **weights)
    return lambda **cov: model.fit(tol=1e-12, maxiter=200, **cov)


def by_cluster(user):
    return {"cov_type": "cluster", "cov_kwds": {"groups": user, "use_correction": False}}


@check("clustered ratio", "statsmodels")
def clustered_ratio(p, y, user, level):
    fit = poisson_regression(p, y)(**by_cluster(user))
    half = z_of(level) * fit.bse[0]
    return {"Q": math.exp(fit.params[0]), "var_logQ": fit.bse[0]**2,
            "Q_lo": math.exp(fit.params[0] - half), "Q_hi": math.exp(fit.params[0] + half)}


@check("clustered ratio", "definition")
def clustered_fieller(p, y, user, level):
    groups = np.unique(user)
    o, e = (np.array([v[user == g].sum() for g in groups]) for v in (y, p))
    cov = np.cov(o, e, ddof=1) / len(groups)
    limits = fieller(o.mean(), e.mean(), cov[0, 0], cov[1, 1], cov[0, 1], t_of(level, len(groups) - 1))
    low, high = (-math.inf, math.inf) if limits is None else limits
    return {"fieller_lo": low, "fieller_hi": high, "fieller_bounded": limits is not None}


@check("clustered ratio of few", "statsmodels")
def clustered_ratio_of_few(p, y, user, level):
    count = y.sum()
    few = count
    if count and len(np.unique(user)) > 1:
        v = poisson_regression(p, y)(**by_cluster(user)).bse[0]**2
        # What the design effect has above 1 counts threefold.
        few = max(1, count / (1 + 3 * (max(count * v, 1) - 1)))
    low, high = confint_poisson(few, p.sum(), method="exact-c", alpha=1 - level)
    scale = count / few if count else 1
    return {"effective": few, "Q_lo": low * scale if count else 0, "Q_hi": high * scale}


@check("hash-bucket ratio", "definition")
def hash_bucket_ratio(O_g, E_g, level):
    # The design effect as the variance of residuals over that of a Poisson count.
    g, q = len(O_g), O_g.sum() / E_g.sum()
    residual = O_g - q * E_g
    deff = g * np.var(residual, ddof=1) / O_g.sum()
    v = deff / O_g.sum()
    half = t_of(level, np.count_nonzero(O_g) - 1) * math.sqrt(v)
    return {"var_logQ": v, "log_lo": math.log(q) - half, "log_hi": math.log(q) + half,
            "deff": deff, "deff_upper": deff * (g - 1) / stats.chi2.ppf(.05, g - 1)}


@check("jackknife", "definition")
def jackknife(O_g, E_g):
    # By pseudo-values. Buckets without anything are none.
    used = (O_g != 0) | (E_g != 0)
    o, e, g = O_g[used], E_g[used], used.sum()
    whole = math.log(o.sum() / e.sum())
    pseudo = g * whole - (g - 1) * np.log((o.sum() - o) / (e.sum() - e))
    return {"value": whole, "var": np.var(pseudo, ddof=1) / g}


@check("weighted ratio", "statsmodels")
def weighted_ratio(p, y, w, user, level):
    fit = poisson_regression(p, y, freq_weights=w)(**by_cluster(user))
    return {"Q": math.exp(fit.params[0]), "var_logQ": fit.bse[0]**2}


@check("weighted ratio", "definition")
def weighted_interval(p, y, w, user, level):
    effective = (w * y).sum()**2 / (w * w * y).sum()
    low, high = stats.gamma.isf([.5 + level / 2, .5 - level / 2], [effective, effective + 1])
    scale = (w * y).sum() / effective / (w * p).sum()
    return {"effective": effective, "Q_lo": low * scale, "Q_hi": high * scale}


@check("arm ratio", "statsmodels")
def arm_ratio(O_T, E_T, O_C, E_C, level):
    fit = sm.GLM([O_T, O_C], [[1, 1], [1, 0]], family=sm.families.Poisson(), offset=np.log([E_T, E_C])).fit(tol=1e-13, maxiter=200)
    low, high = fit.conf_int(1 - level)[1]
    return {"log_ratio": fit.params[1], "low": low, "high": high}


@check("exact arm ratio", "scipy")
@check("arm ratio", "scipy")
def conditional_test(O_T, E_T, O_C, E_C, level):
    return {"p_exact": stats.binomtest(O_T, O_T + O_C, E_T / (E_T + E_C)).pvalue}


@check("exact arm ratio", "scipy")
def exact_arm_ratio(O_T, E_T, O_C, E_C, level):
    interval = stats.binomtest(O_T, O_T + O_C).proportion_ci(level, method="exact")
    # The odds of the upper limit from the other arm's side, which keeps their digits near 1.
    other = stats.binomtest(O_C, O_T + O_C).proportion_ci(level, method="exact")
    odds = E_C / E_T
    return {"ratio": O_T / O_C * odds if O_C else math.inf,
            "low": interval.low / other.high * odds if O_T else 0, "high": interval.high / other.low * odds if O_C else math.inf}
