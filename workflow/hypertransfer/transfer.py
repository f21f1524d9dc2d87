"""What learning-rate sweeps and trajectories over sizes show: optimum, shift, regret, gaps.

Learning rates are compared in octaves (log2). A run that diverged has the loss +inf and is never
dropped. Every result is an `Estimate`: a value, and bounds for what the runs leave open. An
optimum on the edge of the grid is open on that side, and the bounds carry this through every
sum, so that a claim can still be decided where one side is enough.

The order of reading: `optimum` (one curve), `Sweep` (one size), the statistics of several sizes
(`shift`, `slope`, `regret`, `spread`, `growth`), `bootstrap` (their interval over seeds).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar, nnls
from scipy.special import ndtr, stdtrit

LEVEL = 0.95
DRAWS = 2000
EXACT_SEEDS = 5  # up to here all n^n resamples are enumerated: 3125
MIN_POINTS = 4  # points in time for a growth exponent
# Columns of a runs table that are not axes.
RESULTS = (
    "key", "status", "steps_done", "final_loss", "eval_loss", "eval_accuracy", "seconds",
    "optimizer_seconds", "curvature_seconds", "flops",
    "torch", "device",
)  # fmt: skip


class TransferError(ValueError):
    """Runs that cannot be read as a sweep: the message says which, and what to do."""


# Estimates ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """A value, and the bounds within which the runs leave it open (equal to it if they do not)."""

    value: float
    low: float
    high: float

    def magnitude(self) -> Estimate:
        """|x|: a bound of 0 where the bounds have different signs."""
        ends = sorted((abs(self.low), abs(self.high)))
        low = 0.0 if self.low <= 0 <= self.high else ends[0]
        return Estimate(abs(self.value), low, ends[1])


OPEN = Estimate(math.nan, -math.inf, math.inf)


def exact(value: float) -> Estimate:
    """A value of which nothing is left open."""
    return Estimate(value, value, value)


def linear(weights: Sequence[float], estimates: Sequence[Estimate]) -> Estimate:
    """Σ w·x in interval arithmetic; a weight of 0 leaves its term out, open bounds and all."""
    terms = [(w, x) for w, x in zip(weights, estimates, strict=True) if w != 0]
    return Estimate(
        math.fsum(w * x.value for w, x in terms),
        math.fsum(min(w * x.low, w * x.high) for w, x in terms),
        math.fsum(max(w * x.low, w * x.high) for w, x in terms),
    )


def mean(estimates: Sequence[Estimate]) -> Estimate:
    """The average; open as soon as one of them is."""
    return linear([1 / len(estimates)] * len(estimates), estimates)


# One curve of loss over learning rate ------------------------------------------------------


@dataclass(frozen=True)
class Optimum:
    """The minimum of loss over log2 lr, as far as the learning rates tried show it.

    `log2_lr` and `loss` are those of the parabola's vertex, or of the best point where there
    is no parabola; `best` is log2 of the best learning rate tried. `low` and `high` bound what
    the sweep leaves open. `edge` says why there is no optimum: `low` or `high` (the best point
    is the lowest or highest tried), `both` (only one was tried), `none` (every run diverged).
    `curvature` is d²loss/d(log2 lr)², nan without a parabola.
    """

    log2_lr: float
    loss: float
    best: float
    low: float
    high: float
    edge: str
    curvature: float

    def halfwidth(self, excess: float) -> float:
        """Octaves from the optimum at which the parabola lies `excess` above its minimum."""
        return math.sqrt(2 * excess / self.curvature) if self.curvature > 0 else math.inf

    @property
    def estimate(self) -> Estimate:
        """The optimum's place, log2 lr."""
        return Estimate(self.log2_lr, self.low, self.high)


def optimum(lrs: Sequence[float], losses: Sequence[float]) -> Optimum:
    """The vertex of the parabola in log2 lr through the best point and its two neighbours.

    The vertex always lies within half a step of the best point. Where there is no parabola the
    best point itself is returned, and the bounds are honest about it, side by side:

    * a neighbour with finite loss: up to half a step, as the vertex would be;
    * a neighbour that diverged (+inf): up to that neighbour. It brackets the optimum, so this
      is no edge, but the loss does not say where in front of it training turns unstable;
    * no neighbour, the edge of the grid: open. All learning rates diverged: open on both sides.

    Of equally good points one inside the grid is taken, the middle one; three equal points in
    a row leave the optimum open between the outer two.

    Raises:
        TransferError: no points, learning rates that are not positive or stand twice, or a
            loss that is neither a finite number nor +inf.
    """
    x, y = _curve(lrs, losses)
    if not np.isfinite(y).any():
        return Optimum(math.nan, math.inf, math.nan, -math.inf, math.inf, "none", math.nan)
    i, last = _best(y), len(x) - 1
    edge = {(True, True): "both", (True, False): "low", (False, True): "high"}.get(
        (i == 0, i == last), ""
    )
    if not edge and np.isfinite(y[i - 1 : i + 2]).all():
        return _vertex(x[i - 1 : i + 2], y[i - 1 : i + 2])
    low = -math.inf if i == 0 else _reach(x[i], x[i - 1], y[i - 1])
    high = math.inf if i == last else _reach(x[i], x[i + 1], y[i + 1])
    return Optimum(float(x[i]), float(y[i]), float(x[i]), low, high, edge, math.nan)


def _curve(lrs: Sequence[float], losses: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    lrs, losses = np.asarray(lrs, float), np.asarray(losses, float)
    if lrs.ndim != 1 or lrs.shape != losses.shape or not lrs.size:
        raise TransferError("a sweep needs as many losses as learning rates, at least one")
    if not (np.isfinite(lrs) & (lrs > 0)).all():
        raise TransferError(f"learning rates must be positive numbers, got {lrs.tolist()}")
    if len(np.unique(lrs)) < len(lrs):
        raise TransferError(f"a learning rate stands twice in {np.sort(lrs).tolist()}")
    if np.isnan(losses).any() or (losses == -math.inf).any():
        raise TransferError("a loss is a finite number, or +inf for a run that diverged")
    order = np.argsort(lrs)
    return np.log2(lrs[order]), losses[order]


def _best(y: np.ndarray) -> int:
    tied = np.flatnonzero(y == y.min())
    return int(min(tied, key=lambda i: (i in (0, len(y) - 1), abs(i - tied.mean()))))


def _reach(here: float, neighbour: float, loss: float) -> float:
    return float((here + neighbour) / 2 if math.isfinite(loss) else neighbour)


def _vertex(x: np.ndarray, y: np.ndarray) -> Optimum:
    left, right = np.diff(y) / np.diff(x)
    curvature = 2 * (right - left) / (x[2] - x[0])
    if curvature == 0:
        return Optimum(*map(float, (x[1], y[1], x[1], x[0], x[2])), "", 0.0)
    # The chord's slope is the parabola's slope in the middle of the chord.
    vertex = np.clip((x[0] + x[1]) / 2 - left / curvature, (x[0] + x[1]) / 2, (x[1] + x[2]) / 2)
    slope = left + curvature * (x[1] - x[0]) / 2
    loss = y[1] + (slope + curvature * (vertex - x[1]) / 2) * (vertex - x[1])
    return Optimum(*map(float, (vertex, loss, x[1], vertex, vertex)), "", float(curvature))


def max_stable_lr(
    lrs: Sequence[float], losses: Sequence[float], ceiling: float = math.inf
) -> Estimate:
    """log2 of the largest learning rate below the first unstable one.

    A run is unstable when it diverged, or when its loss ends above `ceiling` at a learning rate
    above the best one (below it, a high loss is only slow). The true limit lies between the
    last stable and the first unstable learning rate. It is open above when all are stable, and
    open below, with the lowest learning rate as its bound, when none is.
    """
    x, y = _curve(lrs, losses)
    unstable = np.flatnonzero(np.isinf(y) | ((y > ceiling) & (x > x[_best(y)])))
    if not unstable.size:
        return Estimate(float(x[-1]), float(x[-1]), math.inf)
    first = unstable[0]
    if first == 0:
        return Estimate(float(x[0]), -math.inf, float(x[0]))
    return Estimate(float(x[first - 1]), float(x[first - 1]), float(x[first]))


# From tables to arrays ---------------------------------------------------------------------


@dataclass(frozen=True)
class Sweep:
    """The learning-rate sweep of one size: `losses` has a row a seed, a column a learning rate.

    Another hyperparameter may stand in the learning rate's place. The sweeps of several sizes
    have the same seeds in the same rows.
    """

    size: float
    lrs: np.ndarray
    losses: np.ndarray

    def optimum(self, seeds: np.ndarray) -> Optimum:
        """The optimum of the loss averaged over the chosen seeds; one that diverged counts."""
        return optimum(self.lrs, self.losses[seeds].mean(axis=0))

    def seed_optima(self, seeds: np.ndarray) -> list[Optimum]:
        """The optimum of each chosen seed alone."""
        return [optimum(self.lrs, self.losses[seed]) for seed in seeds]


def common_seeds(runs: pd.DataFrame, size: str) -> tuple[pd.DataFrame, int]:
    """The runs of seeds that every size has, and how many seeds are left out.

    Seeds are resampled jointly over sizes, so a seed counts only where it is there for all.
    """
    sets = [set(seeds) for _, seeds in runs.groupby(size)["seed"]]
    common = set.intersection(*sets) if sets else set()
    if not common:
        raise TransferError(f"no seed was run at every {size}: give all of them the same seeds")
    return runs[runs["seed"].isin(common)], len(set.union(*sets) - common)


def sweeps(
    runs: pd.DataFrame, size: str, loss: str = "final_loss", axis: str = "lr"
) -> list[Sweep]:
    """A sweep for each size, smallest first, from a table with one row a run.

    `axis` is the column of the hyperparameter that was swept.

    Raises:
        TransferError: sizes that are no numbers, two runs at one point, a run that is
            missing, or one that finished without a loss.
    """
    _check(runs, size, [axis])
    diverged = runs["status"] == "diverged"
    runs = runs.assign(**{loss: runs[loss].astype(float).mask(diverged, math.inf)})
    if len(broken := runs[runs[loss].isna()]):
        raise TransferError(f"run {broken['key'].iloc[0]} finished without a {loss}")
    out = []
    for value, group in runs.groupby(size):
        table = group.pivot(index="seed", columns=axis, values=loss).sort_index()
        if table.isna().to_numpy().any():
            seed, point = table.isna().stack().idxmax()
            raise TransferError(
                f"{size} {value:g}, {axis} {point:g} has no run of seed {seed}: "
                f"a sweep needs every seed at every {axis} of a size"
            )
        out.append(Sweep(float(value), table.columns.to_numpy(float), table.to_numpy(float)))
    return out


@dataclass(frozen=True)
class Trajectories:
    """A quantity along training: `values` is (size, seed, step), nan for runs that diverged.

    Sizes ascend, so that the last one is the largest.
    """

    sizes: np.ndarray
    steps: np.ndarray
    values: np.ndarray

    @property
    def unusable(self) -> int:
        """Runs that diverged, or in which the quantity is not a finite number throughout."""
        return int((~np.isfinite(self.values)).any(axis=2).sum())


def trajectories(
    runs: pd.DataFrame, series: pd.DataFrame, quantity: str, size: str
) -> Trajectories:
    """The quantity of each run at the steps where all finished runs have a row.

    `series` is long: key, step and the quantity, null where it was not measured; steps without
    it in any run are left out.

    Raises:
        TransferError: two runs of one size and seed, a missing one, or a finished run of
            which `series` has nothing.
    """
    _check(runs, size, [])
    keys = runs.pivot(index=size, columns="seed", values="key").sort_index().sort_index(axis=1)
    if keys.isna().to_numpy().any():
        raise TransferError(f"every {size} needs one run of every seed")
    finished = runs.loc[runs["status"] != "diverged", "key"]
    series = series[series["key"].isin(finished)]
    if absent := sorted(set(finished) - set(series["key"])):
        raise TransferError(
            f"{len(absent)} of {len(runs)} runs have no {quantity}, the first is {absent[0]}: "
            "narrow `where` to runs that were measured"
        )
    counts = series.groupby("step").size()
    common = series[series["step"].isin(counts.index[counts == len(finished)])]
    table = common.pivot(index="step", columns="key", values=quantity).astype(float)
    table = table.dropna(how="all").sort_index().reindex(columns=keys.to_numpy().ravel())
    values = table.to_numpy().T.reshape(*keys.shape, len(table))
    return Trajectories(keys.index.to_numpy(float), table.index.to_numpy(float), values)


def _check(runs: pd.DataFrame, size: str, extra: list[str]) -> None:
    """Sizes are positive numbers, and each size, seed and extra column has one run."""
    numbers = pd.to_numeric(runs[size], errors="coerce")
    if not (numbers > 0).all():
        raise TransferError(f"{size} is not a positive number in every run; choose another `size`")
    columns = [size, *extra, "seed"]
    doubles = runs[runs.duplicated(columns, keep=False)]
    if doubles.empty:
        return
    _, group = next(iter(doubles.groupby(columns)))
    differ = [c for c in group if c not in RESULTS and group[c].astype(str).nunique() > 1]
    point = ", ".join(f"{column} {group[column].iloc[0]}" for column in columns)
    raise TransferError(
        f"{len(group)} runs at {point}: choose one in `where`; "
        f"they differ in {', '.join(differ) or 'nothing that the table shows'}"
    )


# Statistics of several sizes, for the chosen seeds -----------------------------------------


def optima(sweeps: Sequence[Sweep], seeds: np.ndarray, per_seed: bool = False) -> list[Estimate]:
    """The optimum of each size: of the mean loss, or the mean of the seeds' own optima."""
    if per_seed:
        return [mean([o.estimate for o in sweep.seed_optima(seeds)]) for sweep in sweeps]
    return [sweep.optimum(seeds).estimate for sweep in sweeps]


def stable_lrs(sweeps: Sequence[Sweep], seeds: np.ndarray, ceiling: float) -> list[Estimate]:
    """The largest stable learning rate of each size, log2, averaged over the seeds."""
    return [mean([max_stable_lr(s.lrs, s.losses[i], ceiling) for i in seeds]) for s in sweeps]


def shift(places: Sequence[Estimate]) -> Estimate:
    """Octaves from the smallest to the largest size; positive when it moves up."""
    return linear([-1, 1], [places[0], places[-1]])


def slope(sizes: Sequence[float], places: Sequence[Estimate]) -> Estimate:
    """Octaves per doubling of the size: least squares over all sizes."""
    x = np.log2(np.asarray(sizes, float))
    x -= x.mean()
    return linear((x / (x @ x)).tolist(), places)


def regret(sweeps: Sequence[Sweep], seeds: np.ndarray) -> Estimate:
    """The loss that the smallest size's best learning rate costs the largest size.

    It is the mean loss of the largest size at the best learning rate *tried* on the smallest
    one, minus its own best: never negative, and inf where a run diverges. An own best on the
    edge could be better yet, which opens the bound above; a smallest size without an optimum
    recommends nothing, which leaves all open.

    Raises:
        TransferError: the largest size was not run at that learning rate.
    """
    proxy, target = sweeps[0].optimum(seeds), sweeps[-1].optimum(seeds)
    if "none" in (proxy.edge, target.edge):
        return Estimate(math.nan, 0.0, math.inf)
    losses = sweeps[-1].losses[seeds].mean(axis=0)
    at = np.flatnonzero(np.isclose(np.log2(sweeps[-1].lrs), proxy.best, rtol=0, atol=1e-6))
    if not at.size:
        raise TransferError(
            f"size {sweeps[-1].size:g} has no run at lr {2**proxy.best:g}, the best at size "
            f"{sweeps[0].size:g}: give both the same learning rates"
        )
    value = float(losses[at[0]] - losses.min())
    low = 0.0 if proxy.edge else value
    return Estimate(value, low, math.inf if proxy.edge or target.edge else value)


def gain(sweeps: Sequence[Sweep], seeds: np.ndarray) -> Estimate:
    """What the largest size gains on the smallest at the rate tried that is best for the latter.

    Raises:
        TransferError: the largest size was not run at that rate.
    """
    small, large = sweeps[0], sweeps[-1]
    losses = small.losses[seeds].mean(axis=0)
    best = int(losses.argmin())
    at = np.flatnonzero(np.isclose(large.lrs, small.lrs[best]))
    if not len(at):
        raise TransferError(
            f"the largest size was not run at {small.lrs[best]:g}, the best rate of the smallest"
        )
    return exact(float(losses[best] - large.losses[seeds][:, at[0]].mean()))


def seed_deviation(sweep: Sweep) -> float:
    """σ: the standard deviation over all seeds of the loss at the best learning rate tried.

    nan with one seed, or where no learning rate is stable for all seeds.
    """
    losses = sweep.losses[:, _best(sweep.losses.mean(axis=0))]
    usable = len(losses) > 1 and np.isfinite(losses).all()
    return float(losses.std(ddof=1)) if usable else math.nan


def in_units(estimate: Estimate, sigma: float) -> Estimate:
    """A regret over σ; without σ all is open, and with σ = 0 it is 0 or inf."""
    if math.isnan(sigma):
        return Estimate(math.nan, 0.0, math.inf)
    parts = (estimate.value, estimate.low, estimate.high)
    return Estimate(
        *(part / sigma if sigma else part * math.inf if part else 0.0 for part in parts)
    )


def spread(paths: Trajectories, seeds: np.ndarray, tail: float = 1 / 3) -> Estimate:
    """Largest over smallest size mean of a quantity, averaged over the last part of training.

    Never below 1, and noise only adds to it: small samples err upwards. Open above where the
    quantity is not a positive number.
    """
    means = late_means(paths, seeds, tail)
    if not (np.isfinite(means) & (means > 0)).all():
        return Estimate(math.nan, 1.0, math.inf)
    return exact(float(means.max() / means.min()))


def late_means(paths: Trajectories, seeds: np.ndarray, tail: float = 1 / 3) -> np.ndarray:
    """The mean of each size over the chosen seeds and the last part of training; nan if none."""
    if not len(paths.steps):
        return np.full(len(paths.sizes), math.nan)
    late = paths.steps >= (1 - tail) * paths.steps[-1]
    return paths.values[:, seeds][:, :, late].mean(axis=(1, 2))


def level(paths: Trajectories, seeds: np.ndarray, tail: float = 1 / 3) -> Estimate:
    """The mean over sizes, seeds and the last part of training."""
    means = late_means(paths, seeds, tail)
    return exact(float(means.mean())) if np.isfinite(means).all() else OPEN


def largest(paths: Trajectories, seeds: np.ndarray) -> Estimate:
    """The largest value of all sizes, seeds and steps."""
    values = paths.values[:, seeds]
    return exact(float(values.max())) if values.size and np.isfinite(values).all() else OPEN


def exponent(paths: Trajectories, seeds: np.ndarray, tail: float = 1 / 3) -> Estimate:
    """b of (late mean) ∝ size^b, by least squares in log–log over all sizes."""
    return _power(paths.sizes, late_means(paths, seeds, tail))


def closing(
    paths: Trajectories, seeds: np.ndarray, tail: float = 1 / 3, relative: bool = False
) -> Estimate:
    """b of |S_N − S_∞| ∝ N^b late in training, by least squares in log–log over smaller sizes.

    S_∞ is the largest size with the same seed; the gap's size is averaged over the chosen seeds
    and the last part of training before the logarithm. The largest size stands in for infinity,
    which steepens b: with b = −1 in truth and sizes up to N_max, a gap is 1/N − 1/N_max.
    """
    steps, gap = gaps(paths, window=1, burn_in=1 - tail, relative=relative)
    if not len(steps) or len(paths.sizes) < 3:
        return OPEN
    return _power(paths.sizes[:-1], np.abs(gap[:, seeds]).mean(axis=(1, 2)))


def _power(sizes: np.ndarray, values: np.ndarray) -> Estimate:
    """b of values ∝ size^b, by least squares in log–log; open where one has no logarithm."""
    if not (np.isfinite(values) & (values > 0)).all():
        return OPEN
    return slope(sizes, [exact(float(value)) for value in np.log2(values)])


def gaps(
    paths: Trajectories, window: int = 3, burn_in: float = 0.1, relative: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Steps t, and S_N(t) − S_∞(t) of each smaller size, seed and step: (size, seed, step).

    S_∞ is the largest size, with the same seed: what both share through the order of the data
    cancels. S is first averaged over `window` records; steps before `burn_in`·(last step), and
    step 0, are left out. `relative` divides by |S_∞(t)|: for a loss, which falls while the gap
    grows.
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


def growth(
    steps: np.ndarray, gap: np.ndarray, seeds: np.ndarray, systematic: bool = False
) -> Estimate:
    """β of a gap A_N·t^β: least squares in log–log, one A for each size and one β for all.

    The gap's size |S_N − S_∞| is averaged over the chosen seeds before the logarithm, so that
    one seed whose curves cross, a gap near zero, cannot dominate. Noise adds to |gap|, and
    flattens the β of a gap that is no larger than the noise. `systematic` averages the gap with
    its sign first: this takes the noise out of a gap of one sign (a loss, which width
    improves), and hides one whose sign differs from seed to seed (sharpness). Gaps that are
    exactly zero have no logarithm and are left out; with fewer than 4 points in time all is
    open.
    """
    chosen = gap[:, seeds]
    size = np.abs(chosen.mean(axis=1)) if systematic else np.abs(chosen).mean(axis=1)
    if len(steps) < MIN_POINTS or not np.isfinite(size).all():
        return OPEN
    products = squares = 0.0
    for row in size:
        x, y = np.log(steps[row > 0]), np.log(row[row > 0])
        if len(x) >= MIN_POINTS:
            products += float((x - x.mean()) @ y)
            squares += float((x - x.mean()) @ (x - x.mean()))
    return exact(products / squares) if squares else OPEN


# Intervals over seeds ----------------------------------------------------------------------


def power_law_with_floor(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """E, A and b of y ≈ E + A·x^−b by least squares, E and A not negative, b within 0.01 and 4.

    For given b the law is linear, so that one bounded search over b finds the least.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)

    def fitted(power: float) -> tuple[np.ndarray, float]:
        return nnls(np.stack([np.ones_like(x), x**-power], axis=1), y)

    found = minimize_scalar(lambda power: fitted(power)[1], bounds=(0.01, 4), method="bounded")
    (floor, scale), _ = fitted(found.x)
    return float(floor), float(scale), float(found.x)


def trailing_means(
    steps: np.ndarray, values: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Means over the last `share` of all steps before each one: steps and (…, step) values.

    `values` at a step are means since the step before, as a training history has them; its first
    step, 0, is left out, and so are means of less than the whole window.
    """
    steps, values = steps[1:], values[..., 1:]
    window = steps[-1] * share
    kept = np.flatnonzero(steps >= window * (1 - 1e-9))
    means = [
        values[..., (steps > steps[i] - window) & (steps <= steps[i])].mean(axis=-1) for i in kept
    ]
    return steps[kept], np.stack(means, axis=-1)


def reached(steps: np.ndarray, losses: np.ndarray, target: float) -> float:
    """The first step at which losses are at a target or below; +inf if they never are.

    Between steps the loss is taken as linear.
    """
    below = np.flatnonzero(losses <= target)
    if not len(below):
        return math.inf
    first = below[0]
    if first == 0:
        return float(steps[0])
    (x0, x1), (y0, y1) = steps[first - 1 : first + 1], losses[first - 1 : first + 1]
    return float(x0 + (x1 - x0) * (y0 - target) / (y0 - y1))


def crossing(places: Sequence[float], losses: Sequence[float], target: float) -> Estimate:
    """Where losses that fall with the place come to a target, linearly between places.

    Open where they are below it from the first place on, or above it to the last.
    """
    if losses[0] <= target:
        return Estimate(places[0], -math.inf, places[0])
    found = reached(np.array(places), np.array(losses), target)
    return exact(found) if math.isfinite(found) else Estimate(math.inf, places[-1], math.inf)


def span(lrs: Sequence[float], losses: Sequence[float], margin: float) -> Estimate:
    """Octaves of learning rates around the best one over which the loss is within a margin of it.

    Between learning rates the loss is taken as linear in their logarithm; a divergence ends the
    span at the last rate before it. Open where an end of those tried is within the margin.
    """
    x, y = np.log2(np.asarray(lrs, float)), np.asarray(losses, float)
    best = int(np.argmin(y))
    limit = y[best] + margin
    reach, open_ends = [0.0, 0.0], 0
    for side, step in enumerate((-1, 1)):
        at = best
        while 0 <= at + step < len(x) and y[at + step] <= limit:
            at += step
        if not 0 <= at + step < len(x):
            open_ends += 1
        over = y[at + step] if 0 <= at + step < len(x) else math.inf
        share = (limit - y[at]) / (over - y[at]) if math.isfinite(over) else 0.0
        reach[side] = abs(x[at] - x[best]) + share * (abs(x[at + step] - x[at]) if share else 0.0)
    total = float(sum(reach))
    return Estimate(total, total, math.inf if open_ends else total)


def bootstrap(
    statistic: Callable[[np.ndarray], Estimate],
    seeds: int,
    *,
    generator_seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Estimate:
    """The statistic of all seeds, with a percentile interval from resampled seeds.

    `statistic` gets row numbers of seeds. A seed is drawn as a whole, with all its sizes and
    learning rates. Up to 5 seeds all resamples are enumerated, beyond `draws` of them are
    drawn. Bounds that a resample leaves open count as such, and the interval always contains
    the bounds of the statistic itself.

    Percentile intervals of few seeds are too narrow; the percentiles are therefore moved out
    until a mean of normal seeds gets Student's interval (Hesterberg, arXiv 1411.5279, the
    expanded percentile interval). Resampling cannot leave the range of the seeds, so the
    interval of n seeds covers a mean with at most 1 − 2^(1−n): 75 % for 3 seeds, 88 % for 4,
    94 % for 5.
    """
    whole = statistic(np.arange(seeds))
    unique, index = np.unique(_resamples(seeds, draws, generator_seed), axis=0, return_inverse=True)
    found = [statistic(row) for row in unique]
    lows = np.sort(np.array([x.low for x in found])[index])
    highs = np.sort(np.array([x.high for x in found])[index])
    cut = math.floor(_tail(seeds, level) * (len(lows) - 1))
    return Estimate(
        whole.value, min(float(lows[cut]), whole.low), max(float(highs[-1 - cut]), whole.high)
    )


def _resamples(seeds: int, draws: int, generator_seed: int) -> np.ndarray:
    """Rows of seed numbers, sorted, so that equal resamples are equal rows."""
    if seeds <= EXACT_SEEDS:
        rows = np.array(list(itertools.product(range(seeds), repeat=seeds)))
    else:
        rows = np.random.default_rng(generator_seed).integers(seeds, size=(draws, seeds))
    return np.sort(rows, axis=1)


def _tail(seeds: int, level: float) -> float:
    """The share of resamples outside either end of the expanded percentile interval."""
    if seeds < 2:
        return 0.0
    student = stdtrit(seeds - 1, (1 + level) / 2)
    return float(ndtr(-math.sqrt(seeds / (seeds - 1)) * student))
