"""Drift between two samples or histograms."""
import math

import mpmath
import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests.jensenshannon import _jensenshannon
from evidently.legacy.calculations.stattests.psi import _psi
from evidently.legacy.calculations.stattests.wasserstein_distance_norm import _wasserstein_distance_norm
from evidently.legacy.core import ColumnType
from scipy import stats
from scipy.spatial.distance import jensenshannon

from . import check


@check("drift of histograms", "scipy")
def histograms(ref, cur, kappa, phi, positions):
    n, m, bins = ref.sum(), cur.sum(), len(ref)
    a, b = ref / n, cur / m
    noise = (1 / n + 1 / m) * phi
    critical = stats.chi2.isf(.01, bins - 1) * noise
    divergence = jensenshannon(a, b)**2
    w1 = stats.wasserstein_distance(positions, positions, ref, cur)
    deviation = math.sqrt(np.cov(positions, fweights=ref, ddof=0)) if (ref > 0).sum() > 1 else 0
    out = {"psi_null_mean": stats.chi2.mean(bins - 1) * noise, "psi_critical": critical,
           "psi_threshold": max(.1, critical), "w1": w1, "w1_scaled": w1 / deviation if deviation else 0,
           "ks": abs(np.cumsum(a) - np.cumsum(b)).max(), "ks_within": max(a.max(), b.max())}
    if divergence > 1e-6:  # below, scipy's difference of sums next to 0 has lost the digits
        out |= {"js_distance": math.sqrt(divergence), "js_base2": jensenshannon(a, b, 2)}
    return out


@check("drift of histograms", "definition")
def divergences(ref, cur, kappa, phi, positions):
    # By Kullback and Leibler's divergence, with digits enough for small ones.
    def kl(a, b):
        return sum(x / sum(a) * mpmath.log(x / sum(a) / (y / sum(b))) for x, y in zip(a, b) if x)
    with mpmath.workdps(40):
        k, n, m = mpmath.mpf(kappa), int(ref.sum()), int(cur.sum())
        x, y = ([int(v) + k for v in counts] for counts in (ref, cur))
        middle = [mpmath.mpf(int(a)) / n + mpmath.mpf(int(b)) / m for a, b in zip(ref, cur)]
        js = sum(kl([mpmath.mpf(int(v)) for v in counts], middle) for counts in (ref, cur)) / 2
        bias = mpmath.mpf(len(ref) - 1) / 8 * (mpmath.mpf(1) / n + mpmath.mpf(1) / m)
        return {"psi": float(kl(x, y) + kl(y, x)), "js_distance": float(mpmath.sqrt(js)), "js_base2": float(mpmath.sqrt(js / mpmath.log(2))),
                "js_debiased": float(max(0, js - bias))}


@check("drift of categories", "evidently")
def categories(ref, cur):
    a, b = (pd.Series(np.repeat([f"v{i}" for i in range(len(v))], v)) for v in (ref, cur))
    return {"psi": _psi(a, b, ColumnType.Categorical, .1)[0], "js": _jensenshannon(a, b, ColumnType.Categorical, .1)[0]}


@check("drift of samples", "evidently")
def samples(ref, cur):
    a, b = pd.Series(ref), pd.Series(cur)
    return {"psi": _psi(a, b, ColumnType.Numerical, .1)[0], "js": _jensenshannon(a, b, ColumnType.Numerical, .1)[0],
            "w1_scaled": _wasserstein_distance_norm(a, b, ColumnType.Numerical, .1)[0]}


@check("drift of samples", "scipy")
def samples_exact(ref, cur):
    ks = stats.ks_2samp(ref, cur, method="exact")
    return {"w1": stats.wasserstein_distance(ref, cur), "ks": ks.statistic, "ks_p": ks.pvalue}
