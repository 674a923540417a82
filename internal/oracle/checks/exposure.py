"""Exposure and selection."""
import math

import numpy as np
import statsmodels.api as sm
from scipy import stats

from . import check
from .mathematics import fieller, log_integral, z_of


@check("SNIPS", "statsmodels")
def snips(p, y, propensity, shown, level):
    r = shown / propensity
    rate = sm.WLS(y[shown == 1], np.ones(shown.sum()), weights=r[shown == 1]).fit(cov_type="HC0")
    out = {"rate": rate.params[0], "rate_half": z_of(level) * rate.bse[0]}
    if y[shown == 1].any():
        on = shown == 1
        fit = sm.GLM(y[on], np.ones(on.sum()), family=sm.families.Poisson(), offset=np.log(p[on]), freq_weights=r[on]).fit(
            cov_type="cluster", cov_kwds={"groups": np.arange(on.sum()), "use_correction": False}, tol=1e-12, maxiter=200)
        half = z_of(level) * fit.bse[0]
        q = math.exp(fit.params[0])
        out |= {"Q": q, "var_logQ": fit.bse[0]**2, "Q_lo": q * math.exp(-half), "Q_hi": q * math.exp(half)}
    return out


@check("SNIPS", "definition")
def ipw(p, y, propensity, shown, level):
    r = shown / propensity
    return {"ipw_p": np.mean(r * p), "ipw_y": np.mean(r * y), "ess": np.mean(r)**2 / np.mean(r * r) * len(r)}


@check("winner's curse", "scipy")
def winner(K, tau, s):
    def log_moment(t):
        # Of the largest of K normal variables, by integrating over the value.
        def f(z):
            return t * z + stats.norm._logpdf(z) + (K - 1) * stats.norm._logcdf(z)
        grid = np.linspace(-10, 15 + t, 5000)
        return math.log(K) + log_integral(f, grid[np.argmax(f(grid))], .3, -12, 20 + t)
    v = tau**2 + s**2
    return {"C": math.exp(-s * s / 2 - tau**2 * s**2 / (2 * v) + log_moment(math.sqrt(v)) - log_moment(tau**2 / math.sqrt(v)))}


@check("ramp trend", "statsmodels")
def trend(share, delta, var, level):
    x = sm.add_constant(share)
    fit = sm.WLS(delta, x, weights=1 / var).fit(cov_type="fixed scale")
    low, high = fit.conf_int(1 - level)[1]
    left = ((delta - fit.fittedvalues)**2 / var).sum()
    out = {"slope": fit.params[1], "lo": low, "hi": high, "se": fit.bse[1], "z": fit.tvalues[1], "p_decrease": stats.norm.cdf(fit.tvalues[1]),
           "heterogeneity_p": 1}
    if len(share) > 2:
        out |= {"heterogeneity": left, "heterogeneity_p": stats.chi2.sf(left, len(share) - 2)}
    from_, to = np.array([1, .2]), np.array([1, .7])
    a, b, cov = to @ fit.params, from_ @ fit.params, fit.cov_params()
    limits = fieller(a, b, to @ cov @ to, from_ @ cov @ from_, to @ cov @ from_, z_of(level))
    low, high = (-math.inf, math.inf) if limits is None else 1 - limits[::-1]
    return out | {"at_20": b, "at_70": a, "closed": 1 - a / b, "closed_lo": low, "closed_hi": high}
