"""Detectors of a change."""
import math

import numpy as np
from river import drift
from scipy import special

from . import check
from .mixtures import two_arm_logs


def detectors(increments, grid):
    """Both detectors from all windows that the change may have come before: the sum and the largest of their evidence."""
    n = len(increments)
    sr, cusum, final = [], [], None
    for t in range(1, n + 1):
        since = np.cumsum(increments[:t][::-1], axis=0)
        final = special.logsumexp(since, axis=0)
        sr.append(special.logsumexp(final) - math.log(len(grid)))
        cusum.append(special.logsumexp(since.max(axis=0)) - math.log(len(grid)))
    return {"log_SR": sr, "log_CUSUM": cusum, "ratio": grid[int(np.argmax(final))]}


@check("e-detectors", "definition")
def one_arm(N, Lambda, grid, phi):
    increments = (np.outer(N, grid) - np.outer(Lambda, np.exp(grid) - 1)) / phi
    return detectors(increments, grid)


@check("e-detectors of arms", "definition")
def arms(windows, grid, phi):
    return detectors(np.array([two_arm_logs(cells, grid) for cells in windows]) / phi, grid)


@check("Page-Hinkley", "river")
def page_hinkley(x, min_instances, delta, threshold, forget):
    detector = drift.PageHinkley(min_instances=min_instances, delta=delta, threshold=threshold, alpha=forget)
    alarms = []
    for i, v in enumerate(x):
        detector.update(v)
        if detector.drift_detected:
            alarms.append(i)
    return {"alarms": alarms}


@check("ADWIN", "river")
def adwin(ones, n, delta):
    detector, alarms, stream = drift.ADWIN(delta=delta), [], np.zeros(n, int)
    stream[ones.astype(int)] = 1
    for i, v in enumerate(stream):
        detector.update(int(v))
        if detector.drift_detected:
            alarms.append(i)
    return {"alarms": alarms, "width": detector.width, "mean": detector.estimation}
