"""Coverage, versions, covariates and the funnel."""
import math

import numpy as np
import statsmodels.api as sm
from scipy import optimize, stats
from sklearn.metrics import ndcg_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from . import check
from .mathematics import clean, t_of, z_of


def wilson(k, n, level):
    low, high = proportion_confint(k, n, alpha=1 - level, method="wilson")
    return [clean(low) if k == 0 else low, high]


@check("Wilson and Newcombe", "statsmodels")
def newcombe(k1, n1, k2, n2, level):
    return {"diff": k1 / n1 - k2 / n2, "newcombe": confint_proportions_2indep(k1, n1, k2, n2, method="newcomb", compare="diff", alpha=1 - level),
            "wilson1": wilson(k1, n1, level), "wilson2": wilson(k2, n2, level)}


@check("score interval", "definition")
def score_interval(k1, n1, k2, n2, level):
    # statsmodels has a count for a number of rows in the cubic of this interval: so the likelihood itself is maximised.
    n, d = n1 + n2, k1 / n1 - k2 / n2

    def excess(delta):
        low, high = max(0, -delta), min(1, 1 - delta)

        def slope(q):  # of the likelihood in the second proportion
            def part(k, n, p):
                return (k / max(p, 1e-300) if k else 0) - ((n - k) / max(1 - p, 1e-300) if k < n else 0)
            return part(k1, n1, q + delta) + part(k2, n2, q)
        a, b = low + 1e-15 * max(low, 1e-3), high - 1e-15
        if slope(a) <= 0:
            q = low
        elif slope(b) >= 0:
            q = high
        else:
            q = optimize.brentq(slope, a, b, xtol=1e-16, rtol=1e-14)
        p = q + delta
        v = max(0, (p * (1 - p) / n1 + q * (1 - q) / n2) * n / (n - 1))
        return abs(d - delta) - z_of(level) * math.sqrt(v)

    def limit(end):
        # From the end inwards, or the end itself where it is not excluded.
        return optimize.brentq(excess, end, d + (end - d) * 1e-9, xtol=1e-14) if excess(end) > 0 and end != d else end
    return {"lo": limit(-1), "hi": limit(1)}


@check("paired coverage", "statsmodels")
def paired_test(both, offline, online, neither, level):
    return {"mcnemar": mcnemar([[both, offline], [online, neither]], exact=True).pvalue}


@check("paired coverage", "definition")
def paired(both, offline, online, neither, level):
    # The mean of rows of 1, -1 and 0, and its variance.
    n = both + offline + online + neither
    share = np.array([offline, online, both + neither]) / n
    values = np.array([1, -1, 0])
    mean = share @ values
    v = share @ (values - mean)**2 / n
    low, high = wilson(both, both + offline, level)
    return {"diff": mean, "half": z_of(level) * math.sqrt(v), "var": v, "parity": both / (both + offline), "parity_lo": low, "parity_hi": high}


@check("version lags", "scipy")
def version_lags(query, item, count):
    lags, at = np.unique(query - item, return_inverse=True)
    share = np.bincount(at, weights=count) / count.sum()
    distribution = stats.rv_discrete(values=(lags, share))
    return {"same": distribution.pmf(0), "mean": clean(distribution.mean()), "p95": distribution.ppf(.95), "entropy": stats.entropy(share),
            "agreement": share @ share}


@check("skew cost", "definition")
def skew_cost(share, value, var, level):
    # A linear function of the lags' values.
    s = share / share.sum()
    gradient = s - np.eye(len(s))[0]
    half = z_of(level) * math.sqrt(gradient @ np.diag(var) @ gradient)
    cost = gradient @ value
    return {"cost": cost, "lo": cost - half, "hi": cost + half}


@check("CUPED", "statsmodels")
def cuped(x, y):
    fit = sm.OLS(y, sm.add_constant(x)).fit()
    return {"theta": fit.params[1], "reduction": fit.rsquared}


@check("adjusted difference", "statsmodels")
def adjusted(x_T, y_T, x_C, y_C, level):
    fit = sm.OLS(np.concatenate([y_T, y_C]), sm.add_constant(np.concatenate([x_T, x_C]))).fit()
    treatment, control = y_T - fit.params[1] * x_T, y_C - fit.params[1] * x_C
    v = treatment.var(ddof=1) / len(x_T) + control.var(ddof=1) / len(x_C)
    return {"diff": treatment.mean() - control.mean(), "half": z_of(level) * math.sqrt(v)}


@check("recall and NDCG", "scikit-learn")
def ndcg(utility, score, k):
    return {"ndcg": ndcg_score([utility], [score]), "ndcg_at": ndcg_score([utility], [score], k=k)}


@check("recall and NDCG", "definition")
def recall_at(utility, score, k):
    best, kept = (set(sorted(range(len(v)), key=lambda i: (-v[i], i))[:k]) for v in (utility, score))
    return {"recall": len(best & kept) / k, "utility_kept": math.fsum(utility[list(kept)]), "utility_of_top": math.fsum(utility[list(best)])}


@check("recall by clusters", "definition")
def recall(bucket, probability, kept, top, level):
    w = 1 / probability
    groups = np.unique(bucket)
    k, t = (np.array([(w * v)[bucket == g].sum() for g in groups]) for v in (kept, top))
    value = k.sum() / t.sum()
    # The linearised mean: its variance is that of a sum of independent buckets.
    half = t_of(level, len(groups) - 1) * math.sqrt(len(groups) * np.var(k - value * t, ddof=1)) / t.sum()
    low, high = wilson(value * len(bucket), len(bucket), level)
    return {"recall": value, "lo": max(0, min(low, value - half)), "hi": min(1, max(high, value + half))}
