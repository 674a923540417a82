"""AUC and average precision."""
import math

import numpy as np
from scipy import stats
from sklearn import metrics

from . import check
from .mathematics import t_of


@check("AUC and average precision", "scikit-learn")
def ranking(p, y, w):
    return {"auc": metrics.roc_auc_score(y, p, sample_weight=w), "ap": metrics.average_precision_score(y, p, sample_weight=w)}


def buckets(p, low, n):
    """Log-spaced buckets from low to 1."""
    return np.clip(np.floor(np.log(p / low) / math.log(1 / low) * n), 0, n - 1).astype(int)


def half_width(bucket, y, n):
    """What ties inside of buckets leave open."""
    positive, negative = (np.bincount(bucket[y == k], minlength=n) for k in (1, 0))
    return .5 * (positive * negative).sum() / positive.sum() / negative.sum()


@check("bucketed AUC", "scikit-learn")
def bucketed(p, y, low, n):
    b = buckets(p, low, n)
    return {"auc": metrics.roc_auc_score(y, b), "ap": metrics.average_precision_score(y, b)}


@check("bucketed AUC", "definition")
def bucketed_counts(p, y, low, n):
    b = buckets(p, low, n)
    return {"pos": np.bincount(b[y == 1], minlength=n), "neg": np.bincount(b[y == 0], minlength=n), "half_width": half_width(b, y, n)}


@check("AUC variance", "definition")
def variance(p, y):
    # DeLong by all pairs of rows of different classes.
    pairs = np.sign(p[y == 1][:, None] - p[y == 0][None, :]) / 2 + .5
    pos, neg = pairs.shape
    v = (pairs.mean(1).var(ddof=1) / pos if pos > 1 else math.nan) + (pairs.mean(0).var(ddof=1) / neg if neg > 1 else math.nan)
    # Hanley and McNeil: scores are taken as exponential, of which the two probabilities are known.
    a = pairs.mean()
    two_positives, two_negatives = a / (2 - a), 2 * a**2 / (1 + a)
    hm = (a * (1 - a) + (pos - 1) * (two_positives - a * a) + (neg - 1) * (two_negatives - a * a)) / (pos * neg)
    return {"auc": a, "delong": v, "hanley_mcneil": hm}


@check("AUC jackknife", "scikit-learn")
def jackknife(p, y, user, G, low, n, level):
    b, part = buckets(p, low, n), user % G
    whole = metrics.roc_auc_score(y, b)
    rest = [metrics.roc_auc_score(y[part != g], b[part != g]) for g in np.unique(part)]
    k = len(rest)
    half = t_of(level, k - 1) * math.sqrt((k - 1) * np.var(rest)) + half_width(b, y, n)
    return {"auc": whole, "lo": max(0, whole - half), "hi": min(1, whole + half)}
