"""Procedures over many hypotheses."""
import itertools
import math

import numpy as np
from online_fdr.e_values.batch import e_bh as package_e_bh
from online_fdr.e_values.sequential import ELond
from online_fdr.p_values.investing.lord.plus_plus import LordPlusPlus
from online_fdr.p_values.investing.saffron.saffron import Saffron
from statsmodels.stats.multitest import multipletests

from . import check


@check("e-BH", "online-fdr")
def e_bh(e, alpha):
    rejected = np.array(package_e_bh(e.tolist(), alpha))
    return {"reject": rejected, "count": rejected.sum()}


@check("e-BH", "statsmodels")
def bh(e, alpha):
    rejected = multipletests(np.minimum(1, 1 / e), alpha, "fdr_bh")[0]
    return {"reject": rejected, "count": rejected.sum(), "alphas": np.where(rejected, alpha * rejected.sum() / len(e), 0)}


def online(procedure, values, level):
    rejected, levels = [], []
    for v in values:
        rejected.append(procedure.test_one(float(v)))
        levels.append(getattr(procedure, level))
    return {"reject": rejected, "level": levels}


@check("e-LOND", "online-fdr")
def e_lond(e, alpha):
    return online(ELond(alpha), e, "current_level")


@check("LORD++", "online-fdr")
def lord(p, alpha, wealth):
    return online(LordPlusPlus(alpha, wealth), p, "last_test_level")


@check("SAFFRON", "online-fdr")
def saffron(p, alpha, wealth, candidate):
    return online(Saffron(alpha, wealth, candidate), p, "last_test_level")


@check("top-down opening", "definition")
def top_down(parent, log_e, alpha):
    n = len(parent)
    depth = []
    for p in parent:
        depth.append(0 if p < 0 else depth[p] + 1)
    # A level has half of what is left, the last one all of it, and its slices share it.
    last = max(depth)
    weight = [2.**-min(d + 1, last) / depth.count(d) for d in depth]
    best = set()
    for k in range(n, 0, -1):
        for chosen in itertools.combinations(range(n), k):
            some = set(chosen)
            if all(log_e[i] >= -math.log(alpha * weight[i] * k) and (parent[i] < 0 or parent[i] in some) for i in some):
                best = some
                break
        if best:
            break
    return {"reject": [i in best for i in range(n)]}
