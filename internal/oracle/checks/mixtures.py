"""e-values by mixtures, and their boundaries."""
import math

import mpmath
import numpy as np
from scipy import optimize, special, stats

from . import check
from .mathematics import clean, log_integral, root

GRID = np.array([-.7, -.4, -.2, -.1, -.05, .05, .1, .2, .4, .7])


def gamma_poisson(n, rate, a):
    """ln of the integral of R^n*exp(-(R-1)*rate) over R ~ Gamma(a, a), by integrating over ln R."""
    peak = math.log((n + a) / (rate + a))

    def f(u):
        # Relative to the peak; the value at the peak has terms that would lose the digits.
        return (n + a) * (u - peak) - (rate + a) * math.exp(peak) * math.expm1(u - peak)
    m = mpmath.mpf
    with mpmath.workdps(30):
        x, b = m(n) + m(a), m(rate) + m(a)
        top = x * mpmath.log(x / b) - x + m(rate) + m(a) * mpmath.log(m(a)) - mpmath.loggamma(m(a))
        return float(top + m(log_integral(f, peak, 1 / math.sqrt(n + a))))


def mixed(n, rate, shapes=(.5, 10, 100)):
    return special.logsumexp([gamma_poisson(n, rate, a) for a in shapes]) - math.log(len(shapes))


@check("one-arm e of one shape", "definition")
def one_shape(N, Lambda, phi, a):
    return {"log_e": gamma_poisson(N / phi, Lambda / phi, a)}


@check("one-arm e", "definition")
def one_arm(N, Lambda, phi, level):
    n, rate = N / phi, Lambda / phi

    def excess(log_r):  # of the threshold, in closed form: the search looks at it often
        r = math.exp(log_r) * rate
        logs = [a * math.log(a) - math.lgamma(a) + math.lgamma(a + n) - (a + n) * math.log(a + r) + r for a in (.5, 10, 100)]
        return special.logsumexp(logs) - math.log(3) + math.log(1 - level)
    middle = math.log(max(n, 1e-9) / rate)
    width = 1 / math.sqrt(n + 1)
    low = math.exp(root(excess, middle, -width, -800)) if n else 0
    high = root(excess, middle, width, 800)
    return {"log_e": mixed(n, rate), "lo": low, "hi": math.exp(high) if high < 700 else math.inf}


@check("one-sided e", "definition")
def one_sided(N, Lambda, phi, q0):
    # Likelihood ratios of Poisson counts with means e^g*q0*Lambda and q0*Lambda.
    with mpmath.workdps(40):
        def mean(grid):
            n, rate = mpmath.mpf(N) / phi, mpmath.mpf(q0) * Lambda / phi
            return float(mpmath.log(sum(mpmath.exp(n * mpmath.mpf(g) - (mpmath.exp(mpmath.mpf(g)) - 1) * rate) for g in grid) / len(grid)))
        return {"above": mean(GRID[GRID > 0].tolist()), "below": mean(GRID[GRID < 0].tolist())}


@check("e outside a margin", "definition")
def margin(N, Lambda, phi, low, high):
    # The least evidence against any ratio inside.
    n, rate = N / phi, Lambda / phi
    ends = [mixed(n, rate * low), mixed(n, rate * high)]
    inside = optimize.minimize_scalar(lambda q: mixed(n, rate * q), bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    return {"log_e": min(*ends, inside.fun)}


@check("two-arm e of one share", "definition")
def conditional(O_T, E_T, O_C, E_C, kappa):
    # The binomial likelihood over a Beta prior, by integrating over the logit, over that of the null.
    n, theta = O_T + O_C, E_T / (E_T + E_C)
    a, b = kappa * theta, kappa * (1 - theta)
    x, y = O_T + a, O_C + b
    peak = math.log(x / y)
    q = x / (x + y)

    def f(u):  # relative to the peak
        return x * (u - peak) - (x + y) * math.log1p(q * math.expm1(u - peak)) if u < peak + 50 else (
            -y * (u - peak) - (x + y) * (math.log(q) + math.log1p((1 - q) / q * math.exp(peak - u))))
    m = mpmath.mpf
    with mpmath.workdps(30):
        theta = m(E_T) / (m(E_T) + m(E_C))
        a, b = kappa * theta, kappa * (1 - theta)
        x, y = O_T + a, O_C + b
        top = (x * mpmath.log(x / (x + y)) + y * mpmath.log(y / (x + y)) - O_T * mpmath.log(theta) - O_C * mpmath.log(1 - theta)
               - mpmath.loggamma(a) - mpmath.loggamma(b) + mpmath.loggamma(a + b))
        width = 1 / math.sqrt((O_T + O_C + kappa) * q * (1 - q))
        return {"log_e": clean(float(top + m(log_integral(f, peak, width))), O_T + O_C + kappa)}


def two_arm_logs(cells, grid):
    """Sum over the cells of ln of the binomial likelihood under each ratio, over that under 1."""
    total = np.zeros(len(grid))
    for o_t, e_t, o_c, e_c in cells:
        r = np.exp(grid)
        total += o_t * (grid + np.log((e_t + e_c) / (r * e_t + e_c))) + o_c * np.log((e_t + e_c) / (r * e_t + e_c))
    return total


@check("two-arm e", "definition")
def two_arm(cells, grid, phi):
    return {"log_e": special.logsumexp(two_arm_logs(cells, grid) / phi) - math.log(len(grid))}


@check("sample ratio", "ssrm-test")
def sample_ratio(counts, shares, kappa):
    from ssrm_test import ssrm_test
    counts = np.array(counts)
    return {"factors": ssrm_test.sequential_bayes_factors(counts, shares, dirichlet_concentration=kappa),
            "p_values": ssrm_test.sequential_p_values(counts, shares, dirichlet_concentration=kappa)}


def bound(log_e, alpha, scale):
    return root(lambda s: log_e(s) + math.log(alpha), 0, scale)


def best_rho(v_opt, alpha):
    """The tuning of Howard et al. 2021: nearly the narrowest boundary at v_opt."""
    return v_opt / (2 * math.log(1 / alpha) + math.log(1 + 2 * math.log(1 / alpha)))


@check("normal mixture", "confseq")
def normal_by_confseq(s, v, v_opt, alpha, alpha_opt):
    from confseq import boundaries as b
    return {"log_e": b.normal_log_mixture(s, v, v_opt, alpha_opt, False), "bound": b.normal_mixture_bound(v, alpha, v_opt, alpha_opt, False),
            "log_e_one_sided": b.normal_log_mixture(s, v, v_opt, alpha_opt, True),
            "bound_one_sided": b.normal_mixture_bound(v, alpha, v_opt, alpha_opt, True)}


@check("normal mixture", "definition")
def normal_mixture(s, v, v_opt, alpha, alpha_opt):
    def over(rho, low):
        def log_e(s):
            peak = max(s / (v + rho), 0 if low == 0 else -math.inf)
            def f(x):
                return x * s - x * x * v / 2 + stats.norm._logpdf(x * math.sqrt(rho)) + .5 * math.log(rho) + (math.log(2) if low == 0 else 0)
            width = 1 / math.sqrt(v + rho)
            if low == 0 and s < 0:
                width = min(width, 1 / -s)
            return log_integral(f, peak, width, low)
        return log_e
    two, one = over(best_rho(v_opt, alpha_opt), -math.inf), over(best_rho(v_opt, 2 * alpha_opt), 0)
    scale = math.sqrt(v)
    return {"log_e": two(s), "bound": bound(two, alpha, scale), "log_e_one_sided": one(s), "bound_one_sided": bound(one, alpha, scale)}


@check("sub-Poisson mixture", "confseq")
def sub_poisson_by_confseq(s, v, v_opt, c, alpha, alpha_opt):
    from confseq import boundaries as b
    return {"log_e": b.gamma_poisson_log_mixture(s, v, v_opt, c, alpha_opt), "bound": b.gamma_poisson_mixture_bound(v, alpha, v_opt, c, alpha_opt)}


@check("sub-gamma mixture", "confseq")
def sub_gamma_by_confseq(s, v, v_opt, c, alpha, alpha_opt):
    from confseq import boundaries as b
    return {"log_e": b.gamma_exponential_log_mixture(s, v, v_opt, c, alpha_opt),
            "bound": b.gamma_exponential_mixture_bound(v, alpha, v_opt, c, alpha_opt)}


def tilted(v, v_opt, c, alpha_opt, sign):
    """ln e of e^(lambda*s - psi(lambda)*v) over x = e^(c*lambda) >= 1 for Poisson's psi, or x = 1 - c*lambda <= 1 for that of gamma
    variables, x being Gamma(k, k) on its side of 1, by integrating over ln x."""
    k = best_rho(v_opt, 2 * alpha_opt) / c**2
    side = stats.gamma.logsf(k, k) if sign > 0 else stats.gamma.logcdf(k, k)
    constant = k * math.log(k) - special.gammaln(k) - side

    def log_e(s):
        def f(u):
            if u > 700:
                return -math.inf
            x = math.exp(u)
            exponent = s * u / c - v * (x - 1 - u) / c**2 if sign > 0 else s * (1 - x) / c + v * (u + 1 - x) / c**2
            return exponent + k * (u - x) + constant
        shape, weight = (s / c + v / c**2 + k, v / c**2 + k) if sign > 0 else (v / c**2 + k, s / c + v / c**2 + k)
        peak = math.log(shape / weight) if shape > 0 and weight > 0 else -sign
        low, high = (0, math.inf) if sign > 0 else (-math.inf, 0)
        width = 1 / math.sqrt(max(shape, weight, 1))
        if not low <= peak <= high:
            peak, width = 0, min(width, 1 / max(1e-9, abs(shape - weight)))
        return log_integral(f, peak, width, low, high)
    return log_e


@check("sub-Poisson mixture", "definition")
def sub_poisson(s, v, v_opt, c, alpha, alpha_opt):
    log_e = tilted(v, v_opt, c, alpha_opt, 1)
    return {"log_e": log_e(s), "bound": bound(log_e, alpha, math.sqrt(v) + c)}


@check("sub-gamma mixture", "definition")
def sub_gamma(s, v, v_opt, c, alpha, alpha_opt):
    log_e = tilted(v, v_opt, c, alpha_opt, -1)
    return {"log_e": log_e(s), "bound": bound(log_e, alpha, math.sqrt(v) + c)}
