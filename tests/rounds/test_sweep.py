"""The proposer of adaptive sweeps: what rounds run, and what they find on curves that are known."""

from __future__ import annotations

import math
import random
from functools import cache

import numpy as np
import pytest
from tests.support.adaptive import arm, parabola, replaced, rounds_of

from hypertransfer.analysis import regret
from hypertransfer.analysis.sweeps import Sweep
from hypertransfer.rounds import sweep
from hypertransfer.rounds.curve import curve


def notches(decision):
    return sorted({notch for notch, _ in decision.runs})


def test_the_first_round_runs_the_smallest_size_wide_with_one_seed():
    small, large = sweep.propose([arm(sizes=(3.0,)), arm(sizes=(5.0,))], 1)
    assert small.runs == [(notch, 0) for notch in (-2, -1, 0, 1, 2)]
    assert large.runs == [(notch, 0) for notch in (-1, 0, 1)]
    apart, _ = sweep.propose([arm(sizes=(5.0,), family="g"), arm(sizes=(3.0,))], 1)
    assert len(apart.runs) == 5, "a family of its own has nothing smaller"


def test_a_bracketed_arm_gets_its_other_seeds_within_two_steps_of_the_best_value():
    (found,), made = rounds_of([arm()], [parabola(1.2)])
    assert notches(made[1][0]) == [-1, 0, 1, 2, 3]
    assert {place for place in made[1][0].runs if place[0] < 3} == {
        (notch, seed) for notch in (-1, 0, 1, 2) for seed in (1, 2)
    }
    assert made[1][0].bracketed
    assert made[2][0].runs == made[3][0].runs == []
    assert "complete" in made[2][0].reason
    assert len(found.losses) == 6 * 1 + 5 * 2


def test_a_value_that_diverged_gets_no_further_seeds():
    _, made = rounds_of([arm()], [parabola(0.2, diverges=0.5)])
    assert notches(made[1][0]) == [-2, -1, 0]
    _, made = rounds_of([arm()], [parabola(0.2, diverges=1.5)])
    assert notches(made[1][0]) == [-2, -1, 0, 1]


def test_open_sides_are_extended_until_they_are_bracketed():
    (found,), made = rounds_of([arm()], [parabola(3.9)])
    assert notches(made[1][0]) == [3, 4]
    assert "not bracketed above: extended to 8 to 16" in made[1][0].reason
    assert notches(made[2][0]) == [5, 6]
    assert notches(made[3][0]) == [2, 3, 4, 5, 6]
    assert "bracketed" in sweep.outcome(found)
    assert "not bracketed" not in sweep.outcome(found)


def test_a_side_that_one_seed_cannot_close_gets_seeds_before_further_values():
    flat = {(-2, 0): 1.002, (-1, 0): 1.001, (0, 0): 1.0, (1, 0): 1.5, (2, 0): 3.0}
    (decision,) = sweep.propose([arm(flat)], 2)
    assert set(decision.runs) == {(notch, seed) for notch in (-2, -1, 0, 1, 2) for seed in (1, 2)}
    assert "not bracketed below: more seeds may tell" in decision.reason
    assert not decision.bracketed
    seeded = {(notch, seed): loss for (notch, _), loss in flat.items() for seed in (0, 1, 2)}
    noisy = {place: loss + 0.01 * place[1] * place[0] for place, loss in seeded.items()}
    (decision,) = sweep.propose([arm(noisy)], 3)
    assert notches(decision) == [-6, -5, -4, -3], "seeds did not tell"
    falling = {**flat, (-2, 0): 0.999}
    (decision,) = sweep.propose([arm(falling)], 2)
    assert notches(decision) == [-4, -3], "the best value itself lies on the edge"


def test_an_arm_that_diverges_everywhere_is_extended_downwards():
    _, made = rounds_of([arm(octaves=20)], [parabola(-8, diverges=3)])
    assert notches(made[1][0]) == [-6, -5, -4, -3]
    assert "not bracketed below" in made[1][0].reason


def test_a_larger_size_is_extended_at_once_to_where_smaller_sizes_predict_its_optimum():
    arms = [arm(sizes=(size,), octaves=16) for size in (3.0, 4.0, 7.0)]
    losses = [parabola(0), parabola(1), parabola(4)]
    _, made = rounds_of(arms, losses)
    assert notches(made[0][2]) == [-1, 0, 1]
    assert notches(made[1][2]) == [2, 3]  # nothing predicts yet: the middle size is not bracketed
    assert notches(made[2][2]) == [4, 5]  # the optimum at 4 is predicted, and its neighbour
    far = [arm(sizes=(size,), octaves=16) for size in (1.0, 2.0, 8.0)]
    _, made = rounds_of(far, [parabola(0), parabola(0.9), parabola(6.3)])
    assert notches(made[2][2]) == [6, 7, 8]


def test_the_prediction_continues_the_optima_in_the_logarithm_of_the_size():
    arms = [arm(sizes=(size,)) for size in (1.0, 2.0, 4.0)]
    seen = [
        replaced(one, {(n, 0): parabola(best)(n, 0) for n in (-2, -1, 0, 1, 2)})
        for one, best in zip(arms, (1, 0, 0), strict=True)
    ]
    curves = [curve(one.losses, 1) for one in seen]
    assert [sweep.predicted(i, seen, curves) for i in range(3)] == [None, 1, -2]
    lattice = arm(sizes=(4.0,), start=4)  # of another start
    curves[2] = curve({}, 1)
    assert sweep.predicted(2, [*seen[:2], lattice], curves) == -4


def test_sizes_predict_along_one_axis_at_a_time():
    arms = [arm(sizes=sizes) for sizes in ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0))]
    seen = [replaced(one, {(n, 0): parabola(1)(n, 0) for n in range(-2, 3)}) for one in arms]
    curves = [curve(one.losses, 1) for one in seen]
    assert sweep.predicted(2, seen, curves) == 1
    assert sweep.predicted(1, seen[:2], curves[:2]) == 1
    assert sweep.predicted(2, [seen[0], seen[0], seen[2]], curves) is None  # differs in both sizes


def test_refinement_comes_after_seeds_and_around_the_best_value():
    (found,), made = rounds_of([arm(finest=0.25)], [parabola(0.3)])
    assert notches(made[1][0]) == [-8, -4, 0, 4, 8]
    assert notches(made[2][0]) == [-2, 2]
    assert {seed for _, seed in made[2][0].runs} == {0, 1, 2}
    assert notches(made[3][0]) == [1, 3]  # quarters about the half octave, which is better
    assert curve(found.losses, 4).best == 1


def test_values_between_those_that_ran_are_filled_before_seeds():
    levels = {-1: 1.6, 0: 1.5, 1: 1.4, 8: 1.0, 9: 1.2, 10: 1.5}
    one = arm({(notch, 0): level for notch, level in levels.items()}, step=0.5)
    assert "(more rounds would run values between)" in sweep.outcome(one)
    (decision,) = sweep.propose([one], 2)
    assert decision.runs == [(7, 0), (6, 0)]
    assert not decision.bracketed
    assert "not bracketed below: between values far apart, 11.31 to 8" in decision.reason
    filled = replaced(one, {**one.losses, (7, 0): 1.2, (6, 0): 1.3})
    (decision,) = sweep.propose([filled], 3)
    assert decision.bracketed
    assert notches(decision) == [6, 7, 8, 9, 10]


def test_the_outcome_says_how_many_seeds_ran_and_how_far_apart_the_values_are():
    (found,), _ = rounds_of([arm(finest=0.25)], [parabola(0.3)])
    assert sweep.outcome(found) == ("best at 1.189 (3 seeds, values 0.25 octaves apart), bracketed")
    (found,), _ = rounds_of([arm(finest=0.25, rounds=3)], [parabola(0.3)])
    assert "values 0.5 octaves apart in place of 0.25" in sweep.outcome(found)


def test_one_seed_brackets_by_one_seed_only_and_never_completes():
    (found,), made = rounds_of([arm(seeds=[0])], [parabola(0.2)])
    assert sweep.outcome(found).endswith("bracketed by one seed only")
    reasons = [decisions[0].reason for decisions in made]
    assert not any("complete" in text for text in reasons)
    assert "bracketed by one seed only" in reasons[-1]


def test_larger_sizes_run_all_seeds_at_the_best_value_of_the_smallest_size():
    arms = [arm(sizes=(size,), octaves=16) for size in (3.0, 4.0, 5.0)]
    found, made = rounds_of(arms, [parabola(0), parabola(-2.6), parabola(-5.2)])
    assert curve(found[2].losses, 1).best == -5
    for large in found[1:]:
        assert {(0, seed) for seed in range(3)} <= set(large.losses)
    reasons = [decisions[2].reason for decisions in made]
    assert any("all seeds at 1, the best of the smallest size" in text for text in reasons)
    far = [arm(sizes=(3.0,)), arm(sizes=(4.0,), start="2^-4.5"), arm(sizes=(4.0,), family="g")]
    found, _ = rounds_of(far, [parabola(0), parabola(-4.5), parabola(-4)])
    for other in found[1:]:  # another lattice, and another family
        assert sum(seed > 0 for _, seed in other.losses) == 5 * 2
    unstable = [arm(sizes=(3.0,)), arm(sizes=(4.0,))]
    found, _ = rounds_of(unstable, [parabola(0), parabola(-3, diverges=2)])
    assert [place for place in found[1].losses if place[0] == 0] == [(0, 0)]


def test_the_largest_size_runs_all_values_that_may_be_the_best_of_the_smallest():
    levels = {-3: 2.0, -2: 1.4, -1: 1.01, 0: 1.0, 1: 1.5, 2: 2.1}
    small = {(n, s): level + 0.01 * (n * s % 3) for n, level in levels.items() for s in range(3)}
    arms = [arm(small, sizes=(3.0,)), arm(sizes=(4.0,)), arm(sizes=(5.0,))]
    curves = [curve(one.losses, one.settings.stride, one.seeds) for one in arms]
    last = arms[0].settings.rounds
    assert sweep.carried(1, arms, curves, last) == [0]
    assert sweep.carried(2, arms, curves, 2) == [0, -1]
    finer = [arm({(2 * n, s): loss for (n, s), loss in small.items()}, sizes=(3.0,), finest=0.5)]
    finer.append(arm(sizes=(4.0,), finest=0.5))
    curves = [curve(one.losses, one.settings.stride, one.seeds) for one in finer]
    assert sweep.carried(1, finer, curves, 2) == [0, -2]
    assert sweep.carried(1, finer, curves, finer[0].settings.rounds) == [0, -2, -1, 1]


@pytest.mark.parametrize("finest", [None, 0.5])
@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_a_regret_is_bounded_however_far_the_optimum_moves(finest, shift):
    rng = np.random.default_rng(shift)

    def noisy(optimum):
        curve_of = parabola(optimum)
        return cache(lambda log2, seed: curve_of(log2, seed) + rng.normal(0, 0.02))

    for _ in range(4):
        arms = [arm(sizes=(w,), seeds=range(4), rounds=6, finest=finest) for w in (16.0, 256.0)]
        found, _ = rounds_of(arms, [noisy(0.2), noisy(0.2 + shift)])
        assert math.isfinite(regret.regret(list(map(swept, found))).estimate().high)


def swept(found):
    """The sweep of an arm; losses are nan where a seed did not run."""
    notches = sorted({notch for notch, _ in found.losses})
    losses = np.full((4, len(notches)), np.nan)
    for (notch, seed), loss in found.losses.items():
        losses[seed, notches.index(notch)] = loss
    lrs = np.array([2.0 ** found.settings.log2(notch) for notch in notches])
    return Sweep(found.sizes[0], lrs, losses)


def test_a_refined_neighbour_that_is_tied_with_the_best_value_brings_the_next_one():
    flat = {-4: 1.5, -2: 1.2, 0: 1.0, 1: 1.0001, 2: 1.0002, 4: 1.4}
    seen = {(n, seed): level for n, level in flat.items() for seed in range(3) if n != 1}
    one = arm({**seen, (1, 0): flat[1]}, finest=0.5)
    (decision,) = sweep.propose([one], 3)
    assert decision.runs == [(-1, 0), (-1, 1), (-1, 2), (1, 1), (1, 2)]


def test_the_end_of_the_range_is_said_and_the_best_value_still_gets_its_seeds():
    (found,), made = rounds_of([arm(octaves=4)], [parabola(9)])
    assert "not bracketed above: the range of 4 octaves ends there" in made[1][0].reason
    assert notches(made[1][0]) == [0, 1, 2]
    assert not made[1][0].bracketed
    assert "not bracketed above (4 octaves end)" in sweep.outcome(found)


def test_the_last_round_gives_seeds_to_an_arm_that_is_still_open():
    (found,), made = rounds_of([arm(rounds=2, octaves=40)], [parabola(15)])
    assert {seed for _, seed in made[1][0].runs} == {0, 1, 2}
    assert "more rounds would extend it" in sweep.outcome(found)
    assert sweep.propose([found], 3)[0].runs == ()


def test_candidates_that_filters_leave_out_are_never_run():
    one = arm()
    kept = {place: key for place, key in one.candidates.items() if place[0] > 0}
    narrowed = type(one)(one.point, one.family, one.sizes, one.settings, kept)
    (found,), _ = rounds_of([narrowed], [parabola(-3)])
    assert set(found.losses) <= set(kept)
    assert found.losses


CASES = [
    pytest.param(skew, diverges, noise, finest, id=f"{skew}-{diverges}-{noise}-{finest}")
    for skew, diverges in ((1, math.inf), (4, 2.5), (16, math.inf), (4, 0.7))
    for noise, finest in ((0, None), (0.003, 0.5), (0.01, None))
]


@pytest.mark.parametrize(("skew", "diverges", "noise", "finest"), CASES)
def test_the_best_value_is_within_an_octave_of_the_optimum_or_said_not_to_be_bracketed(
    skew, diverges, noise, finest
):
    chance, arms_seen, bracketed, near = random.Random(1), 0, 0, 0
    for _ in range(25):
        first, drift = chance.uniform(-2.4, 2.4), chance.uniform(-1.2, 1.2)
        seeds = chance.randint(1, 5)
        optima = [first + drift * size for size in range(4)]
        arms = [arm(sizes=(float(s),), seeds=range(seeds), finest=finest) for s in range(4)]
        losses = [noisy(parabola(o, skew, diverges), noise, seeds, chance) for o in optima]
        found, made = rounds_of(arms, losses)
        check_rounds(found, made, seeds)
        for one, optimum in zip(found, optima, strict=True):
            final = curve(one.losses, one.settings.stride)
            arms_seen += 1
            assert bool(final.open_sides) == ("not bracketed" in sweep.outcome(one))
            if not final.open_sides:
                bracketed += 1
                near += abs(one.settings.log2(final.best) - optimum) <= 1
    assert bracketed >= 0.9 * arms_seen
    assert near >= (0.97 if noise else 1) * bracketed


def noisy(smooth, noise, seeds, chance):
    """A loss with an effect of each seed, and noise of each run."""
    effects = [chance.gauss(0, 5 * noise) for _ in range(seeds)]
    return lambda log2, seed: smooth(log2, seed) + effects[seed] + chance.gauss(0, noise)


def check_rounds(found, made, seeds):
    """Nothing runs twice, bounds are kept, and every decision has a reason."""
    for index, one in enumerate(found):
        run = [place for decisions in made for place in decisions[index].runs]
        assert len(run) == len(set(run)) == len(one.losses)
        for number, decisions in enumerate(made, 1):
            assert len(decisions[index].runs) <= sweep.most_runs(one.settings, seeds, number)
            assert decisions[index].reason


def test_decisions_do_not_depend_on_the_order_of_arms():
    arms = [arm(sizes=(float(s),)) for s in range(3)]
    losses = [parabola(s) for s in range(3)]
    found, _ = rounds_of(arms, losses)
    mirrored, _ = rounds_of(arms[::-1], losses[::-1])
    assert [one.losses for one in found] == [one.losses for one in mirrored[::-1]]
