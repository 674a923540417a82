"""Confidence sequences."""
import math

import numpy as np
from scipy import optimize, special, stats

from . import check
from .mathematics import log_integral, root
from .mixtures import GRID, best_rho, two_arm_logs


@check("two-arm sequence", "definition")
def two_arm_sequence(cells, level, phi):
    # All ratios in steps of 0.01: which are rejected by the mixture around them?
    grid = np.arange(-270, 271) / 100
    total = two_arm_logs(cells, grid) / phi
    best = int(np.argmax(total))
    steps = np.rint(GRID * 100).astype(int)
    candidates = np.arange(70, 471)
    rejected = [i for i in candidates if special.logsumexp(total[i + steps] - total[i]) - math.log(len(steps)) >= -math.log(1 - level)]
    start = min(max(best, 70), 470)
    return {"value": grid[best], "lo": max((grid[i] for i in rejected if i <= start), default=-math.inf),
            "hi": min((grid[i] for i in rejected if i >= start), default=math.inf)}


@check("asymptotic sequence", "confseq")
def asymptotic(x, t_opt, level):
    from confseq.boundaries import normal_mixture_bound
    from confseq.conjmix_bounded import rho2_opt
    rho2, alpha, t = rho2_opt(t_opt, 1 - level), 1 - level, len(x)
    # The boundary of that tuning, which confseq names by the variance that it is narrowest at.
    v_opt = (2 * math.log(1 / alpha) + math.log(1 + 2 * math.log(1 / alpha))) / rho2
    return {"rho2": rho2, "half": np.std(x) * normal_mixture_bound(t, alpha, v_opt, alpha, False) / t}


def half_width_of(t, rho2, sigma, alpha):
    """The deviation at which the integral of the likelihood ratio over effects N(0, rho2) reaches 1/alpha."""
    def excess(sum_):
        def f(effect):
            return effect * sum_ - effect**2 * t / 2 - effect**2 / (2 * rho2) - .5 * math.log(2 * math.pi * rho2)
        return log_integral(f, sum_ / (t + 1 / rho2), 1 / math.sqrt(t + 1 / rho2)) + math.log(alpha)
    return sigma * root(excess, 0, math.sqrt(t)) / t


@check("asymptotic sequence", "definition")
def asymptotic_definition(x, t_opt, level):
    alpha = 1 - level
    rho2 = (-alpha**2 - 2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1 - alpha**2)) / t_opt
    return {"rho2": rho2, "mean": math.fsum(x) / len(x), "half": half_width_of(len(x), rho2, np.std(x), alpha)}


@check("asymptotic half width", "definition")
def half_width(t, rho2, sigma, alpha):
    return {"half": half_width_of(t, rho2, sigma, alpha)}


@check("empirical Bernstein", "confseq")
def bernstein(x, level):
    from confseq.predmix import predmix_empbern_twosided_cs
    low, high = predmix_empbern_twosided_cs(x.astype(float), alpha=1 - level, truncation=.5)
    # It is about a weighted mean: ours is widened to hold the plain one.
    return {"lo": max(0, min(low[-1], x.mean())), "hi": min(1, max(high[-1], x.mean()))}


@check("empirical Bernstein", "definition")
def bernstein_definition(x, level):
    def side(x):  # the lower limit
        l = math.log(2 / (1 - level))
        shrunk = np.minimum(1, [(.5 + x[:i + 1].sum()) / (i + 2) for i in range(len(x))])
        top = below = weights = 0
        for i, v in enumerate(x):
            variance = (.25 + ((x[:i] - shrunk[:i])**2).sum()) / (i + 1)
            bet = min(.5, math.sqrt(2 * l / ((i + 1) * math.log(i + 2) * variance)))
            mean = x[:i].mean() if i else 0
            top, below, weights = top + bet * v, below + (v - mean)**2 * (-math.log(1 - bet) - bet), weights + bet
        return (top - l - below) / weights
    return {"mean": x.mean(), "lo": max(0, min(x.mean(), side(x))), "hi": min(1, max(x.mean(), 1 - side(1 - x)))}


@check("betting", "definition")
def betting(x, n, level):
    m, l = (np.arange(n) + .5) / n, math.log(2 / (1 - level))
    up, down = np.ones(n), np.ones(n)
    logs = [np.zeros(n), np.zeros(n)]
    for i, v in enumerate(x):
        shrunk = [min(1, (.5 + x[:j + 1].sum()) / (j + 2)) for j in range(i)]
        variance = (.25 + ((x[:i] - shrunk)**2).sum()) / (i + 1)
        bet = math.sqrt(2 * l / ((i + 1) * math.log(i + 2) * variance))
        up, down = 1 + np.minimum(bet, .5 / m) * (v - m), 1 - np.minimum(bet, .5 / (1 - m)) * (v - m)
        logs = [logs[0] + np.log(up), logs[1] + np.log(down)]
    return {"up": logs[0], "down": logs[1]}


def in_logits(excess, k, n):
    """The proportions on both sides of k/n at which the evidence is enough."""
    near = min(max(k / n, 1e-4 / n), 1 - 1e-4 / n)
    middle, width = special.logit(near), 1 / math.sqrt(n * near * (1 - near) + 1)
    far = 690  # beyond, proportions are next to what a float can hold
    low = root(excess, middle, -width, -far) if k > 0 else -far
    high = root(excess, middle, width, far) if k < n else far
    return {"lo": special.expit(low) if low > -far else 0, "hi": special.expit(high) if high < far else 1}


@check("proportion sequence", "definition")
def proportion(k, n, phi, level):
    k, n = k / phi, n / phi

    def excess(u):  # the uniform mixture of binomial likelihoods over that of the proportion
        return special.betaln(1 + k, 1 + n - k) + k * np.logaddexp(0, -u) + (n - k) * np.logaddexp(0, u) + math.log(1 - level)
    return in_logits(excess, k, n)


@check("tuned proportion sequence", "confseq")
def tuned_by_confseq(k, n, t_opt, level):
    from confseq.boundaries import bernoulli_confidence_interval
    low, high = bernoulli_confidence_interval(k, n, 1 - level, t_opt)
    return {"lo": low, "hi": high}


def beta_mixture(k, n, q, t_opt, alpha_opt, r=None):
    """ln of the binomial likelihoods of k of n over Beta(c*q, c*r) with r = 1-q, over that of q."""
    r = 1 - q if r is None else r
    c = max(best_rho(t_opt, alpha_opt) - 1, 1e-3)
    return special.betaln(c * q + k, c * r + n - k) - special.betaln(c * q, c * r) - special.xlogy(k, q) - special.xlogy(n - k, r)


@check("tuned proportion sequence", "definition")
def tuned(k, n, t_opt, level):
    return in_logits(lambda u: beta_mixture(k, n, special.expit(u), t_opt, .05, special.expit(-u)) + math.log(1 - level), k, n)


@check("quantile evidence and ranks", "confseq")
def quantile_ranks(q, t_opt, alpha, n, k):
    from confseq import boundaries as b
    v, v_opt = n * q * (1 - q), t_opt * q * (1 - q)
    return {"log_e": b.beta_binomial_log_mixture(k - n * q, v, v_opt, q, 1 - q, alpha, False),
            "bound": b.beta_binomial_mixture_bound(v, alpha, v_opt, q, 1 - q, alpha)}


@check("quantile evidence and ranks", "definition")
def quantile_ranks_definition(q, t_opt, alpha, n, k):
    # The bound is that of priors on the shares above q.
    c = max(best_rho(t_opt, 2 * alpha) - 1, 1e-3)
    prior = stats.beta.logsf(q, c * q, c * (1 - q))

    def excess(s):
        k = n * q + s
        above = stats.beta.logsf(q, c * q + k, c * (1 - q) + n - k)
        return beta_mixture(k, n, q, t_opt, 2 * alpha) + above - prior + math.log(alpha)
    most = n * (1 - q)
    bound = optimize.brentq(excess, 0, most, xtol=1e-12) if excess(most) > 0 else most
    return {"log_e": beta_mixture(k, n, q, t_opt, alpha), "bound": bound}


@check("quantile difference", "confseq")
def quantile_difference(a, b, q, t_opt, alpha):
    from confseq.quantiles import quantile_ab_p_value
    return {"p_value": quantile_ab_p_value(a, b, q, int(t_opt), alpha)}


@check("quantile difference", "definition")
def quantile_difference_definition(a, b, q, t_opt, alpha):
    # At each point the evidence of both arms, from any share between those below and up to it.
    def least(x, at):
        low, high = np.searchsorted(x, at, "left"), np.searchsorted(x, at, "right")
        f = lambda k: beta_mixture(k, len(x), q, t_opt, alpha)
        inside = optimize.minimize_scalar(f, bounds=(low, high), method="bounded", options={"xatol": 1e-9}).fun if high > low else math.inf
        return min(f(low), f(high), inside)
    return {"p_value": min(1, math.exp(-min(least(a, at) + least(b, at) for at in np.unique(np.concatenate([a, b])))))}


@check("all quantiles", "confseq")
def all_quantiles(t, t_min, alpha):
    from confseq.quantiles import empirical_process_lil_bound
    return {"bound": empirical_process_lil_bound(int(t), alpha, t_min)}


@check("all quantiles", "definition")
def all_quantiles_definition(t, t_min, alpha):
    # The constant C for which the least error over all spacings eta is alpha.
    def log_error(eta, c):
        left = .85 - math.sqrt(2 * (eta - 1) / c)
        g = 2 / eta * left**2
        return math.log(4) - g * c + math.log1p(1 / ((g - 1) * math.log(eta))) if left > 0 and g > 1 else math.inf

    def least(c):
        logs = np.linspace(-12, math.log(math.log(2 * .85**2)) - 1e-9, 400)
        values = [log_error(math.exp(math.exp(v)), c) for v in logs]
        i = int(np.argmin(values))
        fit = optimize.minimize_scalar(lambda v: log_error(math.exp(math.exp(v)), c), bounds=(logs[max(i - 1, 0)], logs[min(i + 1, 399)]),
                                       method="bounded", options={"xatol": 1e-12})
        return min(fit.fun, values[i])
    c = optimize.brentq(lambda c: least(c) - math.log(alpha), 2, 200, xtol=1e-11)
    return {"bound": .85 * math.sqrt((math.log1p(math.log(t / t_min)) + c) / t)}
