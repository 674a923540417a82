"""Delayed conversions."""
import math

import numpy as np
from lifelines import KaplanMeierFitter
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from . import check
from .mathematics import clean, z_of


def reversed_time(age, delay, days):
    """Delays that are seen only if they have passed are left-truncated in reversed time."""
    return days - delay + 1, days - age


@check("delay curve", "lifelines")
def delay_curve(age, delay, days, tail):
    time, entry = reversed_time(age, delay, days)
    fit = KaplanMeierFitter().fit(time, np.ones(len(time)), entry=entry)
    return {"F": tail * fit.survival_function_at_times(days - np.arange(1, days + 1)).fillna(1).values}  # before the first entry


@check("delay curve", "statsmodels")
def delay_curve_variance(age, delay, days, tail):
    time, entry = reversed_time(age, delay, days)
    fit = SurvfuncRight(time, np.ones(len(time)), entry=entry)
    steps = dict(zip(fit.surv_times, fit.surv_prob_se))
    var, last = [], 0
    for u in range(days):
        last = steps.get(u, last)
        var.append(tail**2 * last**2 if math.isfinite(last) else 0)
    return {"var": var[::-1]}


@check("delay curve", "definition")
def delay_counts(age, delay, days, tail):
    u = np.arange(1, days + 1)[:, None]
    return {"events": (delay == u).sum(1), "at_risk": ((delay <= u) & (age >= u)).sum(1)}


@check("delay shift", "statsmodels")
def delay_shift(age_T, delay_T, age_C, delay_C, days):
    (time_T, entry_T), (time_C, entry_C) = reversed_time(age_T, delay_T, days), reversed_time(age_C, delay_C, days)
    arm = np.repeat([1, 0], [len(time_T), len(time_C)])
    time, entry = np.concatenate([time_T, time_C]), np.concatenate([entry_T, entry_C])
    chi2, _ = survdiff(time, np.ones(len(time)), arm, entry=entry)
    return {"p_value": stats.chi2.sf(chi2, 1)}  # its own is 1 less the distribution function


@check("delay shift", "definition")
def delay_shift_z(age_T, delay_T, age_C, delay_C, days):
    # At each delay the treatment's share of the conversions is drawn like balls from an urn.
    excess = variance = 0
    for u in range(1, days + 1):
        n_T, n_C = (((d <= u) & (a >= u)).sum() for a, d in ((age_T, delay_T), (age_C, delay_C)))
        d_T, d_C = (delay_T == u).sum(), (delay_C == u).sum()
        if n_T + n_C > 1:
            urn = stats.hypergeom(n_T + n_C, n_T, d_T + d_C)
            excess, variance = excess + d_T - urn.mean(), variance + urn.var()
    excess = clean(excess, len(age_T))
    return {"z": excess / math.sqrt(variance), "observed_less_expected": excess}


@check("survival curve", "lifelines")
def survival(duration, event, days):
    fit = KaplanMeierFitter().fit(duration, event)
    return {"S": fit.survival_function_at_times(np.arange(1, days + 1)).values}


@check("survival curve", "statsmodels")
def survival_variance(duration, event, days):
    fit = SurvfuncRight(duration, event)
    steps = dict(zip(fit.surv_times, fit.surv_prob_se))
    var, last = [], 0
    for t in range(1, days + 1):
        last = steps.get(t, last)
        var.append(last**2 if math.isfinite(last) else 0)
    return {"var": var}


@check("maturity", "definition")
def maturity(E, F, varF, O, phi, level):
    matured, expected, z = E @ F, E.sum(), z_of(level)
    sd = math.sqrt(E**2 @ varF)
    # ln(O/Lambda) by the delta method: of each F the slope times its deviation.
    slopes = -E / matured
    v = max(phi, 1) / O + (slopes**2 * varF).sum()
    q = O / matured
    if O >= 10:
        low, high = q * math.exp(-z * math.sqrt(v)), q * math.exp(z * math.sqrt(v))
    else:
        n = min(O, 1 / v)
        low, high = stats.gamma.ppf([.5 - level / 2, .5 + level / 2], [n, n + 1]) * O / n / matured
    rest = E @ (1 - F)
    # What is still to come has an error from Q and a chance of its own.
    chance = max(phi, 1) * q * rest * z**2
    return {"matured": matured, "share": matured / expected, "share_lo": max(0, matured - z * sd) / expected,
            "share_hi": min(1, (matured + z * sd) / expected), "Q": q, "Q_lo": low, "Q_hi": high, "var_log": v,
            "nowcast": O + q * rest,
            "nowcast_lo": max(O, O + q * rest - math.sqrt(((q - low) * rest)**2 + chance)),
            "nowcast_hi": O + q * rest + math.sqrt(((high - q) * rest)**2 + chance)}


@check("maturity under a curve", "definition")
def maturity_under_curve(age, delay, days, E):
    # By the full covariance of the curve at all pairs of ages.
    u = np.arange(1, days + 1)[:, None]
    d, n = (delay == u).sum(1), ((delay <= u) & (age >= u)).sum(1)
    hazard = np.divide(d, n, out=np.zeros(days), where=n > 0)
    f = np.array([np.prod(1 - hazard[a + 1:]) for a in range(days)])
    terms = np.where(d < n, d / np.maximum(1, n * (n - d)), 0)
    later = np.array([terms[a + 1:].sum() for a in range(days)])
    ages = np.arange(days)
    cov = np.outer(f, f) * later[np.maximum.outer(ages, ages)]
    return {"matured": E @ f, "variance": E @ cov @ E}


@check("delayed feedback", "scipy")
def delayed_feedback(p, rate, converted, delay, elapsed):
    # A mixture of those who convert, after an exponential time, and those who never do.
    late = stats.expon.logsf(elapsed, scale=1 / rate)
    return {"loglik": np.where(converted, np.log(p) + stats.expon.logpdf(delay, scale=1 / rate),
                               np.logaddexp(np.log1p(-p), np.log(p) + late)).sum()}
