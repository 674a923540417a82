"""Losses of predictions, against labels and against a teacher."""
import math

import numpy as np
import statsmodels.api as sm
from scipy import special, stats
from sklearn import metrics

from . import check
from .mathematics import clean, folded, parts, z_of


@check("weighted losses", "scikit-learn")
@check("losses", "scikit-learn")
def mean_losses(p, y, w):
    return {"logloss": metrics.log_loss(y, p, sample_weight=w, labels=[0, 1]), "brier": metrics.brier_score_loss(y, p, sample_weight=w, labels=[0, 1])}


@check("weighted losses", "scipy")
@check("losses", "scipy")
def normalized_entropy(p, y, w):
    rate = np.average(y, weights=w)
    entropy = stats.bernoulli.entropy(rate)
    # Of the loss what the rate alone does not explain.
    ne = np.average(-stats.bernoulli.logpmf(y, p), weights=w) / entropy
    return {"base_rate": rate, "base_entropy": entropy, "NE": ne, "RIG": 1 - ne}


@check("paired loss", "statsmodels")
def paired_loss(p, teacher, y, w, user, level):
    x = stats.bernoulli.logpmf(y, teacher) - stats.bernoulli.logpmf(y, p)
    fit = sm.WLS(x, np.ones(len(x)), weights=w).fit(cov_type="cluster", cov_kwds={"groups": user, "use_correction": False})
    return {"mean": fit.params[0], "half": z_of(level) * fit.bse[0]}


@check("Brier decomposition", "scikit-learn")
def brier(p, y, B):
    score = metrics.brier_score_loss(y, p, labels=[0, 1])
    return {"score": score, "composed": score}


@check("Brier decomposition", "definition")
def brier_parts(p, y, B):
    bins = [b for b in parts(zip(p, y), B) if len(b)]
    n = np.array([len(b) for b in bins]) / len(p)
    mean_p, mean_y = (np.array([b[:, i].mean() for b in bins]) for i in (0, 1))
    within = [np.cov(b.T, ddof=0) for b in bins]
    return {"REL": (n * (mean_p - mean_y)**2).sum(), "RES": clean((n * (mean_y - y.mean())**2).sum()), "UNC": y.var(),
            "WBV": clean((n * [c[0, 0] for c in within]).sum()), "WBC": clean((n * [c[0, 1] for c in within]).sum())}


@check("LogMAE", "scikit-learn")
def log_mae(p, teacher, w):
    error = metrics.mean_absolute_error
    d = np.log(p / teacher)
    return {"A": error(np.log(teacher), np.log(p)), "A_weighted": error(np.log(teacher), np.log(p), sample_weight=w),
            "rmse": metrics.root_mean_squared_error(np.log(teacher), np.log(p)), "spread": error(d, np.full(len(d), np.median(d))),
            "logit": error(special.logit(teacher), special.logit(p)), "log_of_mae": math.log(error(teacher, p))}


@check("LogMAE", "scipy")
def log_mae_more(p, teacher, w):
    kl = special.rel_entr(teacher, p) + special.rel_entr(1 - teacher, 1 - p)
    return {"bias": math.log(stats.gmean(p) / stats.gmean(teacher)), "KL": kl.mean(), "KL_weighted": np.average(kl, weights=w),
            "ratio": p.sum() / teacher.sum()}


@check("LogMAE on labels", "definition")
def log_mae_on_labels(p, y, B):
    bins = [b for b in parts(zip(p, y), B) if len(b)]
    e, o = (np.array([b[:, i].sum() for b in bins]) for i in (0, 1))
    d, s = np.array([clean(v) for v in np.log((e + .5) / (o + .5))]), 1 / np.sqrt(o + .5)
    return {"per_bin": abs(d), "mean": abs(d).mean(), "weighted": np.average(abs(d), weights=e),
            "debiased": max(0, np.average(2 * abs(d) - folded(d, s), weights=e))}
