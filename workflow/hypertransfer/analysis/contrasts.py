"""Intervals for the extremes of several levels: their range, and the lead over the best rival.

A largest or smallest mean of several noisy means is biased, and an interval around it that ignores
the choice covers too little. These intervals rest on the differences between levels instead.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations

from hypertransfer.analysis.estimate import OPEN, Estimate
from hypertransfer.analysis.intervals import FEWEST, LEVEL, mean_over_seeds, quantile
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import optimize, special, stats

SHARES = 2000  # equally likely values of a standard deviation over which a probability is averaged


def level_range(values: np.ndarray, *, level: float = LEVEL) -> Estimate:
    """The largest minus the smallest of several levels, each a mean over the same seeds.

    The interval contains 0 if the levels may all be equal. Its lower end is that of simultaneous
    intervals of all differences, by the quantile of Tukey's studentized range. Its upper end is the
    largest upper end of single differences: for the range to be larger, one difference would have
    to be. Each end is the outer one of two: with one variance for all levels, of what is left of
    the values after the effects of level and seed, and with the variance of the paired differences
    of each two levels (as Games and Howell 1976). The first alone is false where levels vary by
    different amounts; the second where few seeds vary little by chance. The value is the observed
    range with the median of the range of equal levels subtracted in quadrature, so that noise does
    not bias it upwards; at least 0. Where nothing is left, the estimate has the observed range too.

    Args:
        values: the values (level, seed).
        level: the probability with which the interval should cover.
    """
    width, count = values.shape
    if not np.isfinite(values).all():
        return Estimate(math.nan, 0.0, math.inf, count)
    means = values.mean(axis=1)
    observed = float(means.max() - means.min())
    if count < FEWEST:
        return Estimate(observed, 0.0, math.inf, count)
    freedom = (width - 1) * (count - 1)
    rest = values - means[:, None] - values.mean(axis=0) + values.mean()
    error = math.sqrt(float((rest**2).sum()) / freedom / count)
    pairs = np.array([first - second for first, second in combinations(values, 2)])
    apart, errors = np.abs(pairs.mean(axis=1)), pairs.std(axis=1, ddof=1) / math.sqrt(count)
    low = min(
        observed - range_quantile(level, width, freedom) * error,
        float((apart - range_quantile(level, width, count - 1) / math.sqrt(2) * errors).max()),
    )
    high = max(
        observed + quantile(level, freedom) * math.sqrt(2) * error,
        float((apart + quantile(level, count - 1) * errors).max()),
    )
    noise = range_quantile(0.5, width, freedom) * error
    value = math.sqrt(max(observed**2 - noise**2, 0.0))
    return Estimate(value, max(low, 0.0), high, count, observed=None if value else observed)


@lru_cache
def range_quantile(level: float, width: int, freedom: int) -> float:
    """The studentized range of `width` means that is exceeded with probability 1 − level."""
    return float(stats.studentized_range.ppf(level, width, freedom))


def least_lead(leads: np.ndarray, *, level: float = LEVEL) -> Estimate:
    """The least of several leads, each a mean over the same seeds.

    The lower end is the least lower end of single leads: for the least lead to be below it, one
    lead would have to be. The upper end is the least upper end of simultaneous (Bonferroni)
    intervals, since the rival that seems closest is chosen with the same seeds.

    Args:
        leads: the leads (rival, seed) over each rival; ±inf where a run diverged.
        level: the probability with which the interval should cover.
    """
    count = leads.shape[1]
    simultaneous = 1 - (1 - level) / len(leads)
    means = [float(lead.mean()) for lead in leads]
    if any(math.isnan(lead) for lead in means):
        return Estimate(math.nan, OPEN.low, OPEN.high, count)
    singles, joint = (
        [mean_over_seeds(lead, level=at) for lead in leads] for at in (level, simultaneous)
    )
    low, high = min(x.low for x in singles), min(x.high for x in joint)
    return Estimate(min(means), low, high, count)


def standardised_mean(values: np.ndarray, *, level: float = LEVEL) -> Estimate:
    """A mean over seeds in units of the standard deviation σ over seeds, both estimated.

    √n·mean/σ of normal values has a noncentral t distribution; the interval holds the
    noncentralities under which the observed value is in neither tail. The value is 0 if all values
    are 0, and infinite if they are equal otherwise.
    """
    count, mean = len(values), float(values.mean())
    if not np.isfinite(values).all():
        everywhere = math.inf if np.isposinf(values).all() else 0.0
        return Estimate(math.inf, everywhere, math.inf, count)
    if count < FEWEST:
        return Estimate(math.nan, -math.inf, math.inf, count)
    sigma = float(values.std(ddof=1))
    if sigma <= 1e-12 * abs(mean):
        value = math.copysign(math.inf, mean) if mean else 0.0
        return Estimate(value, value, value, count)
    root, tail = math.sqrt(count), (1 - level) / 2
    observed = root * mean / sigma
    low, high = (_noncentrality(observed, count - 1, p) / root for p in (1 - tail, tail))
    return Estimate(mean / sigma, low, high, count)


def _noncentrality(observed: float, freedom: int, probability: float) -> float:
    """The noncentrality under which t is below the observed value with the given probability.

    t = (z + shift)/s with s² = χ²/freedom; the probability is averaged over equally likely values
    of s. scipy's own distribution is nan for large noncentralities.
    """
    scaled = observed * estimated_deviations(freedom)
    return float(
        optimize.brentq(
            lambda shift: special.ndtr(scaled - shift).mean() - probability,
            scaled.min() - 10,
            scaled.max() + 10,
        )
    )


def estimated_deviations(freedom: int) -> np.ndarray:
    """Equally likely values of s/σ, shape (`SHARES`,), for the standard deviation s of a sample."""
    shares = (np.arange(SHARES) + 0.5) / SHARES
    return np.sqrt(special.gammaincinv(freedom / 2, shares) * 2 / freedom)
