"""Searches on a landscape whose optimum is known: what they ask for, answer, and are credited."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.benchmarks import locating
from tests.benchmarks.landscapes import Landscape
from tests.benchmarks.locating import Located, Setting, Trials

OPTIMUM = 0.3


@pytest.fixture
def landscape() -> Landscape:
    """A parabola without noise, which diverges 1.5 octaves above its optimum; range −4 to 3."""
    log2 = np.arange(57) / 8 - 4
    logs = 0.1 * (log2 - OPTIMUM) ** 2 + np.linspace(0, 0.02, 16)[:, None]
    losses = np.where(log2 - OPTIMUM > 1.5, math.inf, np.exp(logs))
    return Landscape("parabola", log2, losses, slice(0, 57))


@pytest.mark.parametrize(("finest", "rounds"), [(None, 6), (0.5, 6), (0.25, 6)])
def test_rounds_locate_the_optimum_from_any_start(landscape, finest, rounds):
    for seed in range(10):
        found = locating.by_rounds(landscape, seed, 2, finest, rounds)
        assert set(found) == set(locating.ESTIMATES)
        for answer in found.values():
            assert answer.place == pytest.approx(OPTIMUM, abs=0.05)
            assert 0 < answer.runs < 40


def test_a_grid_costs_all_seeds_at_all_values_and_is_placed_at_random(landscape):
    searches = [locating.by_grid(landscape, seed, 3, 1.0) for seed in range(10)]
    found = [answers[locating.CLAIMS] for answers in searches]
    assert {one.runs for one in found} == {21, 24}  # 8 values where the first is the range's end
    assert all(one.place == pytest.approx(OPTIMUM, abs=0.05) for one in found)


@pytest.mark.parametrize("sampler", list(locating.SAMPLERS))
def test_a_sampler_has_an_answer_of_each_kind_after_each_trial(landscape, monkeypatch, sampler):
    monkeypatch.setattr(locating, "TRIALS", 20)
    found = locating.by_sampler(landscape, 0, sampler)
    assert set(found) == set(locating.ANSWERS)
    for answers in found.values():
        assert [one.runs for one in answers] == list(range(1, 21))
    assert found["fitted parabola"][-1].place == pytest.approx(OPTIMUM, abs=0.1)


def trials(log2, logs, seeds=None) -> Trials:
    return Trials(np.array(log2), np.array(logs), np.array(seeds or range(len(log2))))


def test_answers_to_trials():
    found = trials([0.0, 0.0, 1.0, 1.0, 3.0], [0.1, 0.9, 0.2, 0.4, math.inf])
    assert locating.best_trial(found) == 0
    assert locating.best_mean(found) == 1
    assert locating.fitted(found) == 1, "two learning rates are too few for a parabola"
    assert np.isnan(locating.fitted(trials([1.0], [math.inf])))
    places = np.array([-0.75, -0.25, 0.25, 0.75])
    assert locating.fitted(trials(places, (places - 0.1) ** 2)) == pytest.approx(0.1)
    assert locating.fitted(trials(places, -(places**2))) in (-0.75, 0.75), "a maximum is no answer"


def test_the_fit_takes_off_what_seeds_bring_to_their_losses():
    places = np.tile(np.linspace(-0.75, 0.75, 7), 8)
    seeds = [0, 0, 0, 1, 1, 1, 1] * 8  # the seed that rises with the learning rate is higher by 0.5
    logs = (places - 0.1) ** 2 + 0.5 * np.array(seeds)
    assert locating.fitted(trials(places, logs, seeds)) == pytest.approx(0.1, abs=0.05)
    assert locating.fitted(trials(places, logs)) < -0.1


def test_the_result_of_a_setting():
    found = [Located(10, 1.25), Located(20, 1.26), Located(30, math.nan)]
    result = locating.setting(found, [1.0, 1.0, 1.0])
    assert result == Setting(20, pytest.approx(1 / 3), pytest.approx(0.26))


def test_runs_needed_and_errors_within_a_budget():
    settings = [Setting(8, 0.5, 0.3), Setting(17, 0.8, 0.2), Setting(25, 0.79, 0.1)]
    assert locating.runs_needed(settings) == 17
    assert locating.runs_needed(settings[:1]) == math.inf
    assert locating.error_within(settings, 24) == 0.2
    assert locating.error_within(settings, 7) == math.inf
