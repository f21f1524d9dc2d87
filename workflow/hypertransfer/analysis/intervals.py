"""Confidence intervals over seeds, or over other independent units.

`over_seeds` is the interval of a statistic that averages over seeds: delete-one jackknife with
Student's t. `over_forms` widens it to several models of a curve, and `by_test` is the set of the
values that a t test over seeds does not reject, for quantities that no average estimates well.
The page `docs/reference/estimators.md` has their assumptions and their measured coverage.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence

from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import special

LEVEL = 0.95
FEWEST = 3  # units below which intervals are open: one degree of freedom says next to nothing


def over_seeds(
    statistic: Callable[[np.ndarray], Estimate],
    count: int,
    *,
    level: float = LEVEL,
    over: str = "seeds",
    log: bool = False,
) -> Estimate:
    """The statistic of all seeds (or other units), with a jackknife interval.

    Each end of the interval is the statistic's own bound for all seeds, moved outwards by Student's
    t with n − 1 degrees of freedom times the jackknife standard error of that bound (Efron and
    Tibshirani, An Introduction to the Bootstrap, chapter 11). For a mean, this is Student's
    interval. What the statistic leaves open beside the seeds, such as a step of the grid, is
    therefore part of the interval. A bound that is infinite for all seeds, or with any of them
    left out, is infinite.

    Args:
        statistic: maps row numbers of seeds to an estimate. A seed is left out as a whole, with all
            its sizes and learning rates.
        count: the number n of seeds; with fewer than three, both ends are open.
        level: the probability with which the interval should cover.
        over: the plural noun for the units.
        log: whether standard errors are those of logarithms, for ratios and other quantities that
            are positive and whose spread is in proportion to them.
    """
    whole = statistic(np.arange(count))
    if count < FEWEST:
        return Estimate(whole.value, -math.inf, math.inf, count, over)
    left_out = [statistic(np.delete(np.arange(count), row)) for row in range(count)]
    low = _moved(whole.low, [x.low for x in left_out], -1, level, log)
    high = _moved(whole.high, [x.high for x in left_out], 1, level, log)
    return Estimate(whole.value, low, high, count, over)


def _moved(bound: float, left_out: Sequence[float], side: int, level: float, log: bool) -> float:
    """The bound moved outwards, to the given side, by t times its jackknife standard error."""
    if all(value == bound for value in left_out):
        return bound  # also if it is infinite
    values = np.array([bound, *left_out])
    if not np.isfinite(values).all() or (log and (values <= 0).any()):
        return 0.0 if log and side < 0 else side * math.inf
    values = np.log(values) if log else values
    count, rest = len(left_out), values[1:]
    error = math.sqrt((count - 1) / count * float(((rest - rest.mean()) ** 2).sum()))
    moved = float(values[0]) + side * quantile(level, count - 1) * error
    return math.exp(moved) if log else moved


def quantile(level: float, freedom: int) -> float:
    """The number that |t| of Student's distribution exceeds with probability 1 − level."""
    return float(special.stdtrit(freedom, (1 + level) / 2))


def over_forms(estimates: Iterable[Estimate]) -> Estimate:
    """One estimate from those under several models of a curve, none of which the runs exclude.

    The value is the median of the values, and the interval is from the least to the greatest bound.
    """
    estimates = list(estimates)
    value = statistics.median(x.value for x in estimates)
    low, high = min(x.low for x in estimates), max(x.high for x in estimates)
    return Estimate(value, low, high, estimates[0].count, estimates[0].over)


def by_test(
    candidates: np.ndarray, scores: np.ndarray, *, level: float = LEVEL, over: str = "seeds"
) -> Estimate:
    """The interval of the candidates that a t test over seeds does not reject.

    The interval is from the least to the greatest candidate for which the test does not reject that
    the mean score is 0, and is open on a side whose last candidate is not rejected. If the seeds
    contain no signal, no candidate is rejected, and both ends are open. The value is where the mean
    score is 0. Value and ends are interpolated linearly between candidates.

    Args:
        candidates: values in ascending order, shape (candidate,).
        scores: a number (candidate, seed) of each seed, whose mean is 0 if the candidate is true.
        level: the probability with which the interval should cover.
        over: the plural noun for the units.
    """
    count, means = scores.shape[1], scores.mean(axis=1)
    value = _root(candidates, means)
    if count < FEWEST:
        return Estimate(value, -math.inf, math.inf, count, over)
    errors = scores.std(axis=1, ddof=1) / math.sqrt(count)
    excess = np.abs(means) - quantile(level, count - 1) * errors
    kept = np.flatnonzero(excess <= 0)
    if not kept.size:
        return Estimate(value, value, value, count, over)
    low, high = _end(candidates, excess, kept[0], -1), _end(candidates, excess, kept[-1], 1)
    return Estimate(value, low, high, count, over)


def _end(candidates: np.ndarray, excess: np.ndarray, kept: int, side: int) -> float:
    """The end of a set of candidates, interpolated to where the excess over the quantile is 0."""
    beyond = kept + side
    if not 0 <= beyond < len(candidates):
        return side * math.inf
    share = excess[kept] / (excess[kept] - excess[beyond])
    return float(candidates[kept] + share * (candidates[beyond] - candidates[kept]))


def _root(candidates: np.ndarray, values: np.ndarray) -> float:
    """Where values change their sign, interpolated; the middle one of several; nan if nowhere."""
    changes = np.flatnonzero(np.diff(np.sign(values)) != 0)
    if not changes.size:
        return math.nan
    i = changes[len(changes) // 2]
    share = values[i] / (values[i] - values[i + 1])
    return float(candidates[i] + share * (candidates[i + 1] - candidates[i]))


def share_of(successes: int, count: int, *, level: float = LEVEL, over: str = "seeds") -> Estimate:
    """A share, with the interval of Clopper and Pearson, which covers at least with its level."""
    tail = (1 - level) / 2
    low = special.betaincinv(successes, count - successes + 1, tail) if successes else 0.0
    high = 1.0
    if successes < count:
        high = special.betaincinv(successes + 1, count - successes, 1 - tail)
    return Estimate(successes / count, float(low), float(high), count, over)


def median_of(values: np.ndarray, *, level: float = LEVEL, over: str = "seeds") -> Estimate:
    """A median, with the interval between two values that a sign test gives.

    The interval covers at least with its level, whatever the distribution is. Both ends are open if
    the range of all values covers less, as for five values or fewer at 95 %.
    """
    ordered, count = np.sort(values), len(values)
    tail = (1 - level) / 2
    # The k-th least value is above the median with the probability of fewer than k values below it.
    ranks = [k for k in range(1, count // 2 + 1) if special.bdtr(k - 1, count, 0.5) <= tail]
    value = float(np.median(values))
    if not ranks:
        return Estimate(value, -math.inf, math.inf, count, over)
    return Estimate(value, float(ordered[ranks[-1] - 1]), float(ordered[-ranks[-1]]), count, over)
