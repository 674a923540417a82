"""Drift between two samples or histograms."""
import math

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests.jensenshannon import _jensenshannon
from evidently.legacy.calculations.stattests.psi import _psi
from evidently.legacy.calculations.stattests.wasserstein_distance_norm import _wasserstein_distance_norm
from evidently.legacy.core import ColumnType
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from . import check


@check("drift of histograms", "scipy")
def histograms(ref, cur, kappa, phi, positions):
    n, m, bins = ref.sum(), cur.sum(), len(ref)
    a, b = ref / n, cur / m
    x, y = (ref + kappa) / (ref + kappa).sum(), (cur + kappa) / (cur + kappa).sum()
    noise = (1 / n + 1 / m) * phi
    critical = stats.chi2.isf(.01, bins - 1) * noise
    divergence = jensenshannon(a, b)**2
    w1 = stats.wasserstein_distance(positions, positions, ref, cur)
    deviation = math.sqrt(np.cov(positions, fweights=ref, ddof=0)) if (ref > 0).sum() > 1 else 0
    return {"psi": stats.entropy(x, y) + stats.entropy(y, x), "psi_null_mean": stats.chi2.mean(bins - 1) * noise, "psi_critical": critical,
            "psi_threshold": max(.1, critical), "js_distance": math.sqrt(divergence), "js_base2": jensenshannon(a, b, 2),
            "js_debiased": max(0, divergence - (bins - 1) / 8 * (1 / n + 1 / m)), "w1": w1, "w1_scaled": w1 / deviation if deviation else 0,
            "ks": abs(np.cumsum(a) - np.cumsum(b)).max(), "ks_within": max(a.max(), b.max())}


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
