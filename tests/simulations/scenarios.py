"""Scenarios: synthetic runs with a known truth, and the estimator that has to cover it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special
from tests.simulations.synthetic import Noise, World, exponential, quadratic_loss, split

from hypertransfer.analysis import arms, contrasts, trajectories
from hypertransfer.analysis import regret as analysis_regret
from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.intervals import median_of, over_seeds, share_of
from hypertransfer.analysis.sweeps import Sweep
from hypertransfer.analysis.trajectories import Trajectories

Draw = Callable[[np.random.Generator, int], tuple[Estimate, float]]


@dataclass(frozen=True)
class Scenario:
    """A draw of runs with so many seeds, which gives an estimate and its truth.

    Attributes:
        measure: the measure, or measures, that the estimate belongs to.
        text: what the runs are like.
        draw: a function of a generator and the number of seeds.
        seeds: the numbers of seeds for which the table has a column.
        wider: why intervals may cover more than 97 %; empty if they may not.
    """

    measure: str
    text: str
    draw: Draw
    seeds: tuple[int, ...] = (3, 5, 10)
    wider: str = ""


CURVES = {
    "symmetric": split(1),
    "4× steeper above": split(4),
    "16× steeper above": split(16),
    "4× steeper below": split(1 / 4),
    "skew that changes smoothly": exponential(1),
    "4× steeper above, in the loss": quadratic_loss(4, 0.2),
}
FORMS = "over several forms of the curve"
GRID = "the grid leaves a part open"
JOINT = "bounds hold for all pairs together"
BOTH = "bounds hold for one variance and for several"
DISCRETE = "counts and ranks have steps"
CHOICE = "several rates may be the best"


def _world(rng: np.random.Generator, curve: Callable, step: float, **options: object) -> World:
    phase = float(rng.uniform(-step / 2, step / 2))
    return World(curve, {16: phase, 64: phase - 0.5}, **options)


def _rates(step: float, low: float = -5, high: float = 4) -> np.ndarray:
    return np.arange(low, high + step / 2, step)


def shift(curve: Callable, step: float, **options: object) -> Draw:
    """A shift of −0.5 octaves between two sizes, at a random place of the grid."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        world = _world(rng, curve, step, **options)
        seeds = world.seeds(rng, count)
        sweeps = [world.sweep(seeds, size, _rates(step)) for size in world.optima]
        return analysis_sweeps.of_optima(sweeps, analysis_sweeps.shift), -0.5

    return draw


def shift_at_edge(step: float) -> Draw:
    """The optimum of the larger size is about at the lowest learning rate tried."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        world = _world(rng, split(4), step)
        seeds = world.seeds(rng, count)
        rates = _rates(step, -0.5)
        sweeps = [world.sweep(seeds, size, rates) for size in world.optima]
        return analysis_sweeps.of_optima(sweeps, analysis_sweeps.shift), -0.5

    return draw


def shift_of_late_seeds(step: float) -> Draw:
    """Two seeds run all learning rates, the others only those within an octave of the best."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        world = _world(rng, split(4), step)
        seeds = world.seeds(rng, count)
        sweeps = []
        for size in world.optima:
            sweep = world.sweep(seeds, size, _rates(step))
            best = np.log2(sweep.lrs[sweep.best_tried(np.arange(2))])
            away = np.abs(np.log2(sweep.lrs) - best) > 1 + 1e-9
            sweep.losses[2:, away] = np.nan
            sweeps.append(sweep)
        return analysis_sweeps.of_optima(sweeps, analysis_sweeps.shift), -0.5

    return draw


def slope(curve: Callable, step: float) -> Draw:
    """The optimum moves by −0.25 octaves per doubling, over four sizes."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        phase = float(rng.uniform(-step / 2, step / 2))
        world = World(curve, {2.0**i: phase - 0.25 * i for i in range(4, 8)})
        seeds = world.seeds(rng, count)
        sweeps = [world.sweep(seeds, size, _rates(step)) for size in world.optima]
        sizes = list(world.optima)
        found = analysis_sweeps.of_optima(sweeps, lambda p: analysis_sweeps.slope(sizes, p))
        return found, -0.25

    return draw


def regret(distance: float, in_sigma: bool = False) -> Draw:
    """The optimum moves by whole octaves: the regret is the height of the curve there.

    In units of σ, which is that of the difference of two runs' noise, the mean height is 2σ.
    """

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        heights = np.array([1.0, 0.5, 0.0, 0.5, 1.0])
        sigma = 0.1
        height = 2 * sigma if in_sigma else distance
        mean = np.array([5.0, 3.0, height, 0.0, 4.0])
        small = Sweep(1.0, 2.0 ** np.arange(5), np.tile(heights, (count, 1)))
        shared = rng.normal(0, 0.5, (count, 1))
        noise = rng.normal(0, sigma / np.sqrt(2), (count, 5))
        large = Sweep(2.0, small.lrs, 3 + mean + shared + noise)
        found = analysis_regret.regret([small, large])
        if in_sigma:
            return found.estimate(contrasts.standardised_mean), 2.0
        return found.estimate(), height

    return draw


def flat_regret(bend: float, in_sigma: bool = False) -> Draw:
    """The optimum moves by two steps on flat curves, so that noise decides which rate is the best.

    Losses rise by `bend` times the square of the steps from the optimum, and noise has σ = 0.1 in
    differences of two runs. In units of σ the regret is 40 times `bend`.
    """

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        steps, sigma = np.arange(-3, 5.0), 0.1
        small, large = (
            3 + bend * (steps - best) ** 2 + rng.normal(0, 0.5, (count, 1))
            + rng.normal(0, sigma / np.sqrt(2), (count, len(steps)))
            for best in (2, 0)
        )  # fmt: skip
        found = analysis_regret.regret(
            [Sweep(1.0, 2.0**steps, small), Sweep(2.0, 2.0**steps, large)]
        )
        if in_sigma:
            return found.estimate(contrasts.standardised_mean), 4 * bend / sigma
        return found.estimate(), 4 * bend

    return draw


def _paths(values: np.ndarray, steps: np.ndarray, sizes: np.ndarray) -> Trajectories:
    return Trajectories(sizes, steps, values)


def spread(ratio: float, sizes: int, deviation: float, uneven: float = 1.0) -> Draw:
    """Sizes whose log levels are equally spaced; deviations of seeds fall with size by `uneven`."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        levels = np.log(ratio) * np.linspace(0, 1, sizes)
        deviations = deviation * np.geomspace(uneven, 1, sizes)
        shared = rng.normal(0, 0.1, count)
        logs = levels[:, None] + shared + deviations[:, None] * rng.normal(size=(sizes, count))
        values = np.exp(logs)[:, :, None] * np.ones(6)
        paths = _paths(values, np.arange(6.0), 2.0 ** np.arange(sizes))
        return trajectories.spread(paths), ratio

    return draw


def level(deviation: float) -> Draw:
    """The mean of lognormal seeds over three sizes."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        logs = deviation * rng.normal(size=(3, count, 1)) - deviation**2 / 2
        paths = _paths(np.exp(logs) * np.ones(6), np.arange(6.0), 2.0 ** np.arange(3))
        found = over_seeds(lambda seeds: trajectories.late_level(paths, seeds), count)
        return found, 1.0

    return draw


def exponent(deviation: float) -> Draw:
    """A quantity that grows as the square root of the size, over four sizes."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        sizes = 2.0 ** np.arange(4)
        logs = 0.5 * np.log(sizes)[:, None] + deviation * rng.normal(size=(4, count))
        paths = _paths(np.exp(logs)[:, :, None] * np.ones(6), np.arange(6.0), sizes)
        found = over_seeds(lambda seeds: trajectories.size_exponent(paths, seeds), count)
        return found, 0.5

    return draw


def growth(power: float, noise: float, sign: float = 1.0) -> Draw:
    """Gaps ∝ t^power of three sizes; seeds vary by `noise` times the gap in the middle of t."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        steps = np.linspace(0.1, 1, 30)
        amounts = np.array([1.0, 0.5, 0.25])[:, None, None]
        gap = sign * amounts * (steps / 0.5) ** power
        constant = rng.normal(0, noise, (3, count, 1))
        rough = rng.normal(0, noise / 2, (3, count, 30))
        return trajectories.gap_growth(steps, gap + amounts * (constant + rough)), power

    return draw


def gap_exponent(power: float, noise: float, sign: float = 1.0, falling: float = 0.0) -> Draw:
    """A power law of five sizes with a limit, with seeds that vary by `noise` times the least gap.

    The deviations of seeds fall with the size by the power `falling`.
    """

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        sizes = 2.0 ** np.arange(5)
        law = sign * np.append(trajectories.limit_shape(sizes, power), 0)
        deviations = noise * abs(law[-2]) * (sizes / sizes[-1]) ** -falling
        levels = law[:, None] + deviations[:, None] * rng.normal(size=(5, count))
        values = 3 + levels[:, :, None] * np.ones(6)
        paths = _paths(values, np.arange(6.0), sizes)
        return trajectories.gap_size_exponent(paths), power

    return draw


def best_of(rates: int, rival_rates: int) -> Draw:
    """Two arms whose learning rates are all equally good; one tries more of them."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        offset = rng.normal(0, 0.1, (count, 1))
        sweeps = {}
        for name, number in (("a", rates), ("b", rival_rates)):
            swept = 2 + offset + rng.normal(0, 0.1, (count, number))
            sweeps[name] = Sweep(1.0, 2.0 ** np.arange(number), swept)
        losses = {name: analysis_sweeps.tuned_losses(s, s) for name, s in sweeps.items()}
        level = analysis_sweeps.level_after_choice(sweeps.values())
        return arms.lead("a")(losses, level), 0.0

    return draw


def lead(rivals: int, difference: float = 0.0) -> Draw:
    """An arm against the best of rivals that are equally good."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        offset = rng.normal(0, 0.2, count)
        losses = {"a": 2 + offset + rng.normal(0, 0.1, count)}
        for i in range(rivals):
            losses[f"b{i}"] = 2 + difference + offset + rng.normal(0, 0.1, count)
        return arms.lead("a")(losses), difference

    return draw


def arms_range(number: int, largest: float = 0.0) -> Draw:
    """The range of arms in per cent; one of them is better by `largest` per cent of the mean."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        offset = rng.normal(0, 0.2, count)
        means = [10 + largest / 10 * (i == 0) for i in range(number)]
        losses = {str(i): m + offset + rng.normal(0, 0.1, count) for i, m in enumerate(means)}
        return arms.percent_range(losses), 100 * (max(means) - min(means)) / float(np.mean(means))

    return draw


def ratio(deviation: float) -> Draw:
    """The ratio of the means of two arms, 0.7, whose seeds vary in proportion."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        shared = np.exp(0.2 * rng.normal(size=count))
        losses = {
            name: mean * shared * np.exp(deviation * rng.normal(size=count))
            for name, mean in (("a", 0.7), ("b", 1.0))
        }
        return arms.of_means(lambda v: v["a"] / v["b"], log=True)(losses), 0.7

    return draw


def diverged(noise: float) -> Draw:
    """Runs diverge above a learning rate that varies with the seed, on a grid of seven octaves."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        edges = rng.uniform(3, 4), rng.uniform(2, 3)
        rates = np.arange(7.0)
        chances = [special.ndtr((rates - edge) / noise).mean() for edge in edges]
        limits = np.array(edges)[:, None, None] + noise * rng.normal(size=(2, count, 1))
        return arms.diverged_difference(rates > limits), 100 * float(chances[1] - chances[0])

    return draw


def share(chance: float) -> Draw:
    """The share of groups that improve."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        return share_of(int((rng.random(count) < chance).sum()), count), chance

    return draw


def median(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """The median of a skewed quantity over groups."""
    return median_of(np.exp(rng.normal(size=count))), 1.0


def _sweep_scenarios() -> Mapping[str, Scenario]:
    found = {}
    for step, name in ((1.0, "octaves"), (0.5, "half octaves")):
        for text, curve in CURVES.items():
            found[f"shift {name} {text}"] = Scenario(
                "optimum_shift", f"{name}, {text}", shift(curve, step), wider=FORMS
            )
        found[f"shift {name} diverging"] = Scenario(
            "optimum_shift",
            f"{name}, 4× steeper above, diverges 1.2 octaves above the optimum",
            shift(split(4), step, diverges=1.2),
            wider=GRID,
        )
        found[f"shift {name} edge"] = Scenario(
            "optimum_shift", f"{name}, an optimum at the edge", shift_at_edge(step), wider=GRID
        )
    found["shift noisy"] = Scenario(
        "optimum_shift", "octaves, symmetric, 3× the noise",
        shift(split(1), 1.0, noise=Noise(point=0.03, wobble=0.3)), wider=FORMS,
    )  # fmt: skip
    found["shift wobbling"] = Scenario(
        "optimum_shift",
        "octaves, symmetric, seeds differ by their optimum alone",
        shift(split(1), 1.0, noise=Noise(point=0.0005, wobble=0.2)),
    )
    found["shift late seeds"] = Scenario(
        "optimum_shift", "octaves, 4× steeper above, later seeds only around the best",
        shift_of_late_seeds(1.0), wider=FORMS,
    )  # fmt: skip
    found["slope octaves"] = Scenario(
        "optimum_slope", "octaves, 4× steeper above", slope(split(4), 1.0), wider=FORMS
    )
    return found


SCENARIOS: Mapping[str, Scenario] = {
    **_sweep_scenarios(),
    "regret clear": Scenario("transfer_regret", "0.5 above a clear optimum", regret(0.5)),
    "regret sigma": Scenario("transfer_regret_sigma", "a regret of 2σ", regret(0.0, True)),
    "regret flat": Scenario(
        "transfer_regret", "0.08 above a flat optimum, noise 0.1", flat_regret(0.02), wider=CHOICE
    ),
    "regret flatter": Scenario(
        "transfer_regret", "0.02 above a flat optimum, noise 0.1", flat_regret(0.005), wider=CHOICE
    ),
    "regret flat sigma": Scenario(
        "transfer_regret_sigma", "0.8σ above a flat optimum", flat_regret(0.02, True), wider=CHOICE
    ),
    "spread equal 3": Scenario(
        "sharpness_spread", "3 equal sizes, seeds vary by 40 %", spread(1.0, 3, 0.4), wider=BOTH
    ),
    "spread equal 5": Scenario(
        "sharpness_spread", "5 equal sizes, seeds vary by 40 %", spread(1.0, 5, 0.4), wider=BOTH
    ),
    "spread 1.5": Scenario(
        "sharpness_spread", "5 sizes, 1.5×, seeds vary by 40 %", spread(1.5, 5, 0.4), wider=JOINT
    ),
    "spread 3": Scenario(
        "sharpness_spread", "5 sizes, 3×, seeds vary by 15 %", spread(3.0, 5, 0.15), wider=JOINT
    ),
    "spread uneven": Scenario(
        "sharpness_spread",
        "4 equal sizes, seeds of the smallest vary twice as much",
        spread(1.0, 4, 0.2, 2.0),
        wider=BOTH,
    ),
    "spread very uneven": Scenario(
        "sharpness_spread",
        "4 equal sizes, seeds of the smallest vary 8 times as much",
        spread(1.0, 4, 0.1, 8.0),
        wider=BOTH,
    ),
    "spread 3 very uneven": Scenario(
        "sharpness_spread",
        "4 sizes, 3×, seeds of the smallest vary 8 times as much",
        spread(3.0, 4, 0.05, 8.0),
        wider=JOINT,
    ),
    "level": Scenario("late_level", "lognormal seeds that vary by 20 %", level(0.2)),
    "exponent": Scenario("size_exponent", "4 sizes, seeds vary by 20 %", exponent(0.2)),
    "growth 1 still": Scenario("gap_growth", "t¹, noise 0.1× the gap", growth(1.0, 0.1)),
    "growth 1 half": Scenario("gap_growth", "t¹, noise 0.5× the gap", growth(1.0, 0.5)),
    "growth 1 equal": Scenario("gap_growth", "t¹, noise equal to the gap", growth(1.0, 1.0)),
    "growth 1 triple": Scenario("gap_growth", "t¹, noise 3× the gap", growth(1.0, 3.0)),
    "growth 0 half": Scenario("gap_growth", "constant, noise 0.5× the gap", growth(0.0, 0.5)),
    "growth 1 half negative": Scenario(
        "gap_growth", "negative, t¹, noise 0.5× the gap", growth(1.0, 0.5, -1)
    ),
    "gap exponent -0.6": Scenario(
        "gap_size_exponent", "N^−0.6, noise 0.3× the least gap", gap_exponent(-0.6, 0.3)
    ),
    "gap exponent -0.3": Scenario(
        "gap_size_exponent", "N^−0.3, noise 0.3× the least gap", gap_exponent(-0.3, 0.3)
    ),
    "gap exponent 0": Scenario(
        "gap_size_exponent", "log N, noise 0.3× the least gap", gap_exponent(0.0, 0.3)
    ),
    "gap exponent 0.3": Scenario(
        "gap_size_exponent", "N^0.3, noise 0.3× the least gap", gap_exponent(0.3, 0.3)
    ),
    "gap exponent noisy": Scenario(
        "gap_size_exponent", "N^−0.6, noise 3× the least gap", gap_exponent(-0.6, 3.0)
    ),
    "gap exponent negative": Scenario(
        "gap_size_exponent",
        "negative, N^−0.6, noise 0.3× the least gap",
        gap_exponent(-0.6, 0.3, -1),
    ),
    "gap exponent falling noise": Scenario(
        "gap_size_exponent", "N^−0.6, noise that falls as N^−½", gap_exponent(-0.6, 0.3, 1, 0.5)
    ),
    "best of 9 and 3": Scenario(
        "advantage, best", "9 equal rates against 3", best_of(9, 3), wider=CHOICE
    ),
    "lead over 1": Scenario("advantage", "over one equal rival", lead(1)),
    "lead over 4": Scenario("advantage", "over the best of 4 equal rivals", lead(4), wider=JOINT),
    "range equal": Scenario("arms_range", "3 equal arms", arms_range(3), wider=BOTH),
    "range apart": Scenario("arms_range", "3 arms, one 5 % above", arms_range(3, 5), wider=JOINT),
    "ratio": Scenario("arms_ratio, steps_ratio, …", "0.7, seeds vary by 20 %", ratio(0.2)),
    "diverged": Scenario(
        "diverged_advantage", "seeds vary by 0.5 octaves", diverged(0.5), wider=DISCRETE
    ),
    "diverged alike": Scenario(
        "diverged_advantage", "seeds vary by 0.05 octaves", diverged(0.05), wider=DISCRETE
    ),
    "share": Scenario(
        "tasks_improved", "80 % of the groups", share(0.8), (6, 8, 14), wider=DISCRETE
    ),
    "median": Scenario("region_level", "median of a skewed quantity", median, (6, 8, 14), DISCRETE),
}
