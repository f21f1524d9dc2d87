"""Scenarios: synthetic runs with a known truth, and the estimator that has to cover it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.simulations.arm_draws import (
    arms_range,
    best_of,
    diverged,
    interaction,
    lead,
    perplexity,
    quicker,
    ratio,
    shorter,
)
from tests.simulations.group_draws import (
    mean,
    median,
    region_ratio,
    regret_ratio,
    share,
)
from tests.simulations.path_draws import (
    exponent,
    gap_change,
    gap_contrast,
    gap_exponent,
    growth,
    largest,
    late_ratio,
    level,
    spread,
)
from tests.simulations.sweep_draws import (
    contrast,
    flat_regret,
    gain,
    regret,
    rise,
    shift,
    shift_at_edge,
    shift_of_late_seeds,
    slope,
    stable_shift,
    uneven_regret,
)
from tests.simulations.synthetic import Draw, Noise, exponential, quadratic_loss, split


@dataclass(frozen=True)
class Scenario:
    """A draw of runs with so many seeds, which gives an estimate and its truth.

    Attributes:
        measure: the measure that the estimate belongs to.
        text: what the runs are like.
        draw: a function of a generator and the number of seeds.
        seeds: the numbers of seeds, or of other units, for which the table has a column.
        over: the plural noun for the units.
        wider: why intervals may cover more than 97 %; empty if they may not.
    """

    measure: str
    text: str
    draw: Draw
    seeds: tuple[int, ...] = (3, 5, 10)
    wider: str = ""
    over: str = "seeds"


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
NO_GAP = "a gap that is zero is on the edge of what its size can be"
BOTH = "bounds hold for one variance and for several"
DISCRETE = "counts and ranks have steps"
CHOICE = "several rates may be the best"
GROUPS = "groups"
MORE = (3, 10, 20)  # seeds, where intervals have covered less with many


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
        "transfer_regret", "0.08 above a flat optimum, noise 0.1", flat_regret(0.02), MORE, CHOICE
    ),
    "regret flatter": Scenario(
        "transfer_regret", "0.02 above a flat optimum, noise 0.1", flat_regret(0.005), wider=CHOICE
    ),
    "regret flat sigma": Scenario(
        "transfer_regret_sigma", "0.8σ above a flat optimum", flat_regret(0.02, True), MORE, CHOICE
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
    "late ratio": Scenario("late_ratio", "0.9×, runs vary by 10 %", late_ratio),
    "exponent": Scenario("size_exponent", "4 sizes, seeds vary by 20 %", exponent(0.2)),
    "growth 1 still": Scenario("gap_growth", "t¹, noise 0.1× the gap", growth(1.0, 0.1)),
    "growth 1 half": Scenario("gap_growth", "t¹, noise 0.5× the gap", growth(1.0, 0.5)),
    "growth 1 equal": Scenario("gap_growth", "t¹, noise equal to the gap", growth(1.0, 1.0)),
    "growth 1 triple": Scenario("gap_growth", "t¹, noise 3× the gap", growth(1.0, 3.0)),
    "growth 0 half": Scenario("gap_growth", "constant, noise 0.5× the gap", growth(0.0, 0.5)),
    "growth 1 half negative": Scenario(
        "gap_growth", "negative, t¹, noise 0.5× the gap", growth(1.0, 0.5, -1)
    ),
    "gap change 0.3": Scenario(
        "gap_change", "from 0.1 to 0.4, seeds vary by 5 %", gap_change(0.1, 0.4, 0.05)
    ),
    "gap change negative": Scenario(
        "gap_change", "from −0.4 to −0.1, seeds vary by 5 %", gap_change(-0.4, -0.1, 0.05)
    ),
    "gap change of two signs": Scenario(
        "gap_change",
        "from ±0.1 to ±0.4, of opposite sign at two sizes, seeds vary by 5 %",
        gap_change(0.1, 0.4, 0.05, -1),
    ),
    "gap change 0": Scenario(
        "gap_change", "no gap, seeds vary by 10 %", gap_change(0.0, 0.0, 0.1), wider=NO_GAP
    ),
    "gap contrast": Scenario(
        "gap_contrast", "0.3 more, seeds vary by 5 %", gap_contrast(0.4, 0.1, 0.05)
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
        "advantage", "`best`, 9 equal rates against 3", best_of(9, 3), wider=CHOICE
    ),
    "lead over 1": Scenario("advantage", "over one equal rival", lead(1)),
    "lead over 4": Scenario("advantage", "over the best of 4 equal rivals", lead(4), wider=JOINT),
    "range equal": Scenario("arms_range", "3 equal arms", arms_range(3), wider=BOTH),
    "range apart": Scenario("arms_range", "3 arms, one 5 % above", arms_range(3, 5), wider=JOINT),
    "ratio": Scenario("arms_ratio", "0.7, seeds vary by 20 %", ratio(0.2)),
    "diverged": Scenario(
        "diverged_advantage", "seeds vary by 0.5 octaves", diverged(0.5), wider=DISCRETE
    ),
    "diverged alike": Scenario(
        "diverged_advantage", "seeds vary by 0.05 octaves", diverged(0.05), wider=DISCRETE
    ),
    "share": Scenario(
        "tasks_improved", "80 % of the groups", share(0.8), (6, 8, 14), DISCRETE, GROUPS
    ),
    "median": Scenario(
        "region_level", "median of a skewed quantity", median, (6, 8, 14), DISCRETE, GROUPS
    ),
    "contrast": Scenario(
        "shift_contrast", "half octaves, 4× steeper above", contrast(0.5), wider=FORMS
    ),
    "stable": Scenario(
        "stable_lr_shift", "octaves, limits vary by 0.3 octaves", stable_shift(0.3), wider=GRID
    ),
    "gain": Scenario("transfer_gain", "0.2 at a clear optimum", gain),
    "rise": Scenario("rise_advantage", "0.2 at clear optima", rise),
    "largest": Scenario("largest", "seeds vary by a sixth of the largest", largest),
    "perplexity": Scenario("perplexity_gain", "18 %, seeds vary by 10 %", perplexity),
    "interaction": Scenario("interaction", "0.1, seeds vary by 0.1", interaction),
    "steps": Scenario("steps_ratio", "0.6, losses fall linearly", quicker),
    "horizon": Scenario("horizon_ratio", "0.6, losses fall with log of the steps", shorter),
    "regrets": Scenario(
        "regret_ratio", "0.6, groups vary by 20 %", regret_ratio, (5, 8, 14), over=GROUPS
    ),
    "regions": Scenario(
        "region_ratio", "0.7, groups vary by 40 %", region_ratio, (5, 8, 14), over=GROUPS
    ),
    "mean level": Scenario("region_level", "mean over groups", mean, (5, 8, 14), over=GROUPS),
    "mean slope": Scenario("winner_slope", "mean over groups", mean, (5, 8, 14), over=GROUPS),
    "regret uneven sigma": Scenario(
        "transfer_regret_sigma",
        "0.6σ, the best rate varies 3 times as much as one that is 0.02 worse",
        uneven_regret,
        MORE,
        CHOICE,
    ),
}
