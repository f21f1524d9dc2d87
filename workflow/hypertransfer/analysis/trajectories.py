"""Quantities along training over sizes: spread, level, exponent, gaps and their growth."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hypertransfer.analysis.contrasts import level_range
from hypertransfer.analysis.estimate import OPEN, AnalysisError, Estimate, exact
from hypertransfer.analysis.intervals import LEVEL, by_test
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.lazy import special
from hypertransfer.analysis.sweeps import check_axes, slope

MIN_POINTS = 4  # fewest steps for a growth exponent
MOST = 4.0  # largest exponent that is tested, of either sign


@dataclass(frozen=True)
class Trajectories:
    """A quantity along training, over sizes and seeds.

    `sizes`, shape (size,), and `steps`, shape (step,), ascend. `values` have shape (size, seed,
    step), and are nan for runs that diverged.
    """

    sizes: np.ndarray
    steps: np.ndarray
    values: np.ndarray

    @property
    def seeds(self) -> np.ndarray:
        """Row numbers of all seeds."""
        return np.arange(self.values.shape[1])

    @property
    def unusable(self) -> int:
        """Runs that diverged, or in which the quantity is not a finite number throughout."""
        return int((~np.isfinite(self.values)).any(axis=2).sum())


def trajectories(
    runs: pd.DataFrame, series: pd.DataFrame, quantity: str, size: str
) -> Trajectories:
    """The quantity of each run at the steps where all finished runs have a row.

    `series` has one row per run and step, with the columns `key`, `step` and the quantity, which is
    null where it was not measured. Steps at which no run has the quantity are left out.

    Raises:
        AnalysisError: a size and seed have two runs or none, or `series` has no row of a
            finished run.
    """
    check_axes(runs, size, [])
    keys = runs.pivot(index=size, columns="seed", values="key").sort_index().sort_index(axis=1)
    if keys.isna().to_numpy().any():
        raise AnalysisError(f"every {size} needs one run of every seed")
    finished = runs.loc[runs["status"] != "diverged", "key"]
    series = series[series["key"].isin(finished)]
    if absent := sorted(set(finished) - set(series["key"])):
        raise AnalysisError(
            f"{len(absent)} of {len(runs)} runs have no {quantity}, the first is {absent[0]}: "
            "narrow `where` to runs that were measured"
        )
    counts = series.groupby("step").size()
    common = series[series["step"].isin(counts.index[counts == len(finished)])]
    table = common.pivot(index="step", columns="key", values=quantity).astype(float)
    table = table.dropna(how="all").sort_index().reindex(columns=keys.to_numpy().ravel())
    values = table.to_numpy().T.reshape(*keys.shape, len(table))
    return Trajectories(keys.index.to_numpy(float), table.index.to_numpy(float), values)


def spread(
    paths: Trajectories, tail: float = 1 / 3, until: float = 1.0, level: float = LEVEL
) -> Estimate:
    """The largest mean of a size divided by the smallest mean, at least 1.

    The mean of a size is geometric over seeds, and arithmetic over the share `tail` of training
    that ends at the share `until`. See `contrasts.level_range` for the interval, in which the
    logarithms of the means are the levels. The estimate is nan, with the interval [1, inf], if a
    mean of a run is not a positive number.
    """
    late = late_values(paths, tail, until)
    count = paths.values.shape[1]
    if not (np.isfinite(late) & (late > 0)).all():
        return Estimate(math.nan, 1.0, math.inf, count)
    found = level_range(np.log(late), level=level)
    value, low = (math.exp(min(end, 700)) for end in (found.value, found.low))
    high = math.inf if found.high > 700 else math.exp(found.high)
    observed = None if found.observed is None else math.exp(min(found.observed, 700))
    return Estimate(value, low, high, count, observed=observed)


def late_values(paths: Trajectories, tail: float = 1 / 3, until: float = 1.0) -> np.ndarray:
    """The means of each run (size, seed) over the share `tail` of training that ends at `until`.

    With `until` 1, the default, this is the end of training. The means are nan if there is no step.
    """
    last = paths.steps[-1] if len(paths.steps) else math.nan
    chosen = (paths.steps >= (until - tail) * last) & (paths.steps <= until * last)
    if not chosen.any():
        return np.full(paths.values.shape[:2], math.nan)
    return paths.values[:, :, chosen].mean(axis=2)


def late_means(paths: Trajectories, seeds: np.ndarray, tail: float = 1 / 3) -> np.ndarray:
    """The mean of each size (size,) over the chosen seeds and the last share `tail` of training."""
    return late_values(paths, tail)[:, seeds].mean(axis=1)


def late_level(paths: Trajectories, seeds: np.ndarray, tail: float = 1 / 3) -> Estimate:
    """The mean over sizes, the chosen seeds and the last share `tail` of training."""
    means = late_means(paths, seeds, tail)
    return exact(float(means.mean())) if np.isfinite(means).all() else OPEN


def late_ratio(
    paths: Trajectories, others: Trajectories, seeds: np.ndarray, tail: float = 1 / 3
) -> Estimate:
    """The geometric mean over sizes, chosen seeds and late steps of a quantity over another one.

    Late steps are those of both quantities in the last share `tail` of training, which ends at the
    last step of either quantity. Open if there is no such step, or if a value of either quantity is
    not a positive number.
    """
    steps, mine, theirs = np.intersect1d(paths.steps, others.steps, return_indices=True)
    last = max(paths.steps.max(initial=0), others.steps.max(initial=0))
    late = steps >= (1 - tail) * last
    over, under = paths.values[:, :, mine[late]], others.values[:, :, theirs[late]]
    over, under = over[:, seeds], under[:, seeds]
    if not over.size or not all((np.isfinite(x) & (x > 0)).all() for x in (over, under)):
        return OPEN
    return exact(float(np.exp(np.log(over / under).mean())))


def largest(paths: Trajectories, seeds: np.ndarray) -> Estimate:
    """The mean over the chosen seeds of each seed's largest value over all sizes and steps.

    The largest value of all seeds would grow with their number.
    """
    values = paths.values[:, seeds]
    if not values.size or not np.isfinite(values).all():
        return OPEN
    return exact(float(values.max(axis=(0, 2)).mean()))


def size_exponent(paths: Trajectories, seeds: np.ndarray, tail: float = 1 / 3) -> Estimate:
    """The exponent b of (late mean) ∝ size^b, by least squares in log–log over all sizes."""
    return _power(paths.sizes, late_means(paths, seeds, tail))


def gap_size_exponent(
    paths: Trajectories, tail: float = 1 / 3, relative: bool = False, level: float = LEVEL
) -> Estimate:
    """The exponent b of S_N = S_∞ + A·N^b late in training, with its interval over seeds.

    The gap to the largest size N_max with the same seed is A·(N^b − N_max^b), with its sign, and is
    averaged over the last share `tail` of training. A negative b is that of the convergence to an
    infinite size; at b = 0 the quantity changes with log N. `relative` is explained in `gaps`. See
    `limit_exponent` for the interval.
    """
    steps, gap = gaps(paths, window=1, burn_in=1 - tail, relative=relative)
    if not len(steps) or len(paths.sizes) < 3:
        return replace(OPEN, count=paths.values.shape[1])
    return limit_exponent(paths.sizes, gap.mean(axis=2).T, level)


def late_gaps(paths: Trajectories, tail: float = 1 / 3, relative: bool = False) -> np.ndarray:
    """|S_N − S_∞| (size, seed) of the smaller sizes, averaged over the last share `tail`."""
    _, gap = gaps(paths, window=1, burn_in=1 - tail, relative=relative)
    return np.abs(gap).mean(axis=2)


def gap_change(paths: Trajectories, seeds: np.ndarray, tail: float = 1 / 3) -> Estimate:
    """The growth of relative gaps from the first share `tail` of training to the last.

    The gap of a size N is S_N/S_∞ − 1, in which S are means over one of the two shares and S_∞ is
    that of the largest size with the same seed. Gaps are averaged over the chosen seeds, with their
    sign, so that noise cancels. The growth is |late gap| − |early gap|, averaged over the smaller
    sizes. The first share does not hold step 0, at which no network is trained. Open if a mean is
    not finite.
    """
    after = replace(paths, steps=paths.steps[1:], values=paths.values[:, :, 1:])
    trained = after if len(paths.steps) and paths.steps[0] == 0 else paths
    early, late = (late_values(trained, tail, until)[:, seeds] for until in (tail, 1.0))
    sizes = [np.abs((part[:-1] / part[-1:] - 1).mean(axis=1)) for part in (early, late)]
    growth = float((sizes[1] - sizes[0]).mean())
    return exact(growth) if math.isfinite(growth) else OPEN


def _power(sizes: np.ndarray, values: np.ndarray) -> Estimate:
    """The exponent b of values ∝ size^b; open if a value has no logarithm."""
    if not (np.isfinite(values) & (values > 0)).all():
        return OPEN
    return slope(sizes, [exact(float(value)) for value in np.log2(values)])


def gaps(
    paths: Trajectories, window: int = 3, burn_in: float = 0.1, relative: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Steps t, and the gaps S_N(t) − S_∞(t) of the smaller sizes, shape (size, seed, step).

    S_∞ is the quantity of the largest size with the same seed. Both networks read the data in the
    same order, the effects of which cancel. S is first averaged over `window` records; steps before
    `burn_in`·(last step), and step 0, are left out. With `relative` the gaps are divided by
    |S_∞(t)|, for quantities such as the loss, which falls while the gap grows.
    """
    count = max(len(paths.steps) - window + 1, 0)
    if not count:
        return np.zeros(0), np.zeros((len(paths.sizes) - 1, paths.values.shape[1], 0))

    def rolling(array: np.ndarray) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(array, window, axis=-1).mean(axis=-1)

    steps, smooth = rolling(paths.steps), rolling(paths.values)
    gap = smooth[:-1] - smooth[-1:]
    if relative:
        gap = gap / np.abs(smooth[-1:])
    kept = (steps > 0) & (steps >= burn_in * paths.steps[-1])
    return steps[kept], gap[:, :, kept]


def gap_growth(steps: np.ndarray, gap: np.ndarray, level: float = LEVEL) -> Estimate:
    """The exponent β of gaps A_N·t^β, with one A_N for each size, and its interval over seeds.

    The gaps (size, seed, step) have their signs, so that noise, which has mean zero, cancels in
    averages over seeds and neither flattens nor steepens β. They are summed over sizes, so that
    large gaps count most; gaps of different signs at different sizes would cancel, which opens the
    interval. See `signed_exponent`. The estimate is open with fewer than 4 steps.
    """
    if len(steps) < MIN_POINTS or not np.isfinite(gap).all():
        return replace(OPEN, count=gap.shape[1])
    return signed_exponent(steps, gap.sum(axis=0), level)


def signed_exponent(x: np.ndarray, values: np.ndarray, level: float = LEVEL) -> Estimate:
    """The exponent β of A·x^β, the mean over seeds of noisy values of either sign.

    If β is the exponent, the values divided by x^β have no trend over log x. The score of a seed is
    this trend. Under the true β it has mean zero, whatever the noise of a seed is, and a t test of
    this mean is exact for normal noise. The interval holds the β that the test does not reject (see
    `intervals.by_test`); it is open if the values cannot be told from noise. The estimates of
    values and of their negatives are equal.

    Args:
        x: positive places (place,), such as steps or sizes.
        values: the values (seed, place).
        level: the probability with which the interval should cover.
    """
    log = np.log(x) - np.log(x).mean()
    return _by_trend(values, log[:, None] * np.exp(-np.outer(log, _exponents())), level)


def limit_exponent(sizes: np.ndarray, gaps: np.ndarray, level: float = LEVEL) -> Estimate:
    """The exponent b of gaps A·(N^b − N_max^b), the mean over seeds of noisy gaps of either sign.

    If b is the exponent, the gaps divided by N^b − N_max^b have no trend over log N. Sizes count by
    the square of this divisor, which is best for gaps that vary by the same amount at every size.
    The score of a seed is this trend, for the test of `signed_exponent`. The mean score changes its
    sign at one exponent only, since the ratio of two such divisors is monotonic in N.

    Args:
        sizes: all sizes in ascending order, shape (size,), of which the last is N_max.
        gaps: the gaps (seed, size) of the smaller sizes.
        level: the probability with which the interval should cover.
    """
    shapes = limit_shape(sizes, _exponents())
    log = np.log(sizes[:-1] / sizes[-1])[:, None]
    centres = (shapes**2 * log).sum(axis=0) / (shapes**2).sum(axis=0)
    return _by_trend(gaps, (log - centres) * shapes, level)


def limit_shape(sizes: np.ndarray, exponents: np.ndarray | float) -> np.ndarray:
    """((N/N_max)^b − 1)/b of the smaller sizes N for exponents b, shape (size, exponent).

    The last of the ascending `sizes` is N_max. The value at b = 0 is log(N/N_max), the limit.
    """
    return special.boxcox((sizes[:-1] / sizes[-1])[:, None], exponents)


def _exponents() -> np.ndarray:
    """The exponents that are tested."""
    return np.linspace(-MOST, MOST, 801)


def _by_trend(values: np.ndarray, weights: np.ndarray, level: float) -> Estimate:
    """The exponents at which the trends of values (seed, place) have mean zero over seeds.

    `weights`, shape (place, exponent), make a trend of the values. The estimate is open if no value
    has a trend.
    """
    trends = values @ weights
    if not trends.any():
        return replace(OPEN, count=len(values))
    return by_test(_exponents(), trends.T, level=level)
