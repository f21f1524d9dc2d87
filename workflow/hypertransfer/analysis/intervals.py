"""Confidence intervals over seeds, or over other independent units.

`over_seeds` is the interval of a statistic that averages over seeds: delete-one jackknife with
Student's t. `over_forms` widens it to several models of a curve, and `by_test` is the set of the
values that a t test over seeds does not reject, for quantities that no average estimates well.
The page `docs/reference/estimators.md` has their assumptions and their measured coverage.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

from hypertransfer.analysis.estimate import Estimate, exact
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import optimize, special

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


def mean_over_seeds(values: np.ndarray, *, level: float = LEVEL) -> Estimate:
    """The mean of values (seed,), with its interval over seeds (see `over_seeds`)."""
    return over_seeds(lambda seeds: exact(float(values[seeds].mean())), len(values), level=level)


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


def over_forms(
    forms: Sequence[Callable[[np.ndarray], Estimate]], count: int, *, level: float = LEVEL
) -> Estimate:
    """A statistic under several models of a curve, none of which the runs exclude.

    `forms` holds the statistic under each model, as for `over_seeds`. The interval is from the
    least to the greatest bound. Where the models differ by more than the noise, the truth can only
    be missed on one side: the quantile of Student's t is then between the two-sided and the
    one-sided one (Imbens and Manski, Econometrica 72, 2004).
    """
    whole = hull([over_seeds(form, count, level=level) for form in forms])
    if count < FEWEST:
        return whole
    everyone = [form(np.arange(count)) for form in forms]
    if any(x.low < x.high for x in everyone) or not whole.is_bounded:
        return whole
    apart = max(x.value for x in everyone) - min(x.value for x in everyone)
    widest = max(x.high - x.low for x in (over_seeds(form, count, level=level) for form in forms))
    error = widest / 2 / quantile(level, count - 1)
    if not error:
        return whole
    narrower = _level_of_models(apart / error, count - 1, level)
    return hull([over_seeds(form, count, level=narrower) for form in forms])


def _level_of_models(apart: float, freedom: int, level: float) -> float:
    """The level of intervals whose union covers with `level`, for models so many errors apart."""

    def missed(reach: float) -> float:
        cover = special.stdtr(freedom, reach + apart) - special.stdtr(freedom, -reach)
        return float(cover) - level

    reach = optimize.brentq(missed, 0.0, quantile(level, freedom) + 1e-9)
    return float(2 * special.stdtr(freedom, reach) - 1)


def hull(estimates: Sequence[Estimate]) -> Estimate:
    """The median of the values, from the least to the greatest bound."""
    value = statistics.median(x.value for x in estimates)
    low, high = min(x.low for x in estimates), max(x.high for x in estimates)
    return Estimate(value, low, high, estimates[0].count, estimates[0].over)


def by_test(
    candidates: np.ndarray, scores: np.ndarray, *, level: float = LEVEL, over: str = "seeds"
) -> Estimate:
    """The interval of the candidates that a t test over seeds does not reject.

    The test is two-sided: a candidate is accepted if the absolute mean score is at most t times
    its standard error. The interval is from the least to the greatest accepted candidate, and is
    open on a side whose last candidate is accepted. Both ends are open if no candidate is accepted:
    the true one is then beyond the candidates, on a side that the scores do not tell. The value is
    the least candidate at which the mean score is 0, or nan if there is none. Value and ends are
    interpolated between candidates, and do not depend on the sign of the scores.

    Args:
        candidates: values in ascending order, shape (candidate,).
        scores: a number (candidate, seed) of each seed, whose mean is 0 for the true candidate.
        level: the probability with which the interval should cover.
        over: the plural noun for the units.
    """
    count, means = scores.shape[1], scores.mean(axis=1)
    root = _first_accepted(candidates, means, np.zeros_like(means))
    value = math.nan if root is None else root
    if count < FEWEST:
        return Estimate(value, -math.inf, math.inf, count, over)
    reach = quantile(level, count - 1) * scores.std(axis=1, ddof=1) / math.sqrt(count)
    low = _first_accepted(candidates, means, reach)
    high = _first_accepted(candidates[::-1], means[::-1], reach[::-1])
    low = -math.inf if low in (None, candidates[0]) else low
    high = math.inf if high in (None, candidates[-1]) else high
    return Estimate(value, low, high, count, over)


def _first_accepted(candidates: np.ndarray, means: np.ndarray, reach: np.ndarray) -> float | None:
    """Where |mean| is first at most `reach`, interpolated; None if it is nowhere."""
    if abs(means[0]) <= reach[0]:
        return float(candidates[0])
    # A mean that changes its sign between two rejected candidates is accepted between them.
    above = np.sign(means[0]) * means - reach
    at = np.flatnonzero(above <= 0)
    if not at.size:
        return None
    i = at[0]
    share = above[i - 1] / (above[i - 1] - above[i])
    return float(candidates[i - 1] + share * (candidates[i] - candidates[i - 1]))


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
