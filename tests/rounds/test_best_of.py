"""Arms that take the best values of another grid: what is run of them, and why."""

from __future__ import annotations

import math

from tests.support.adaptive import arm

from hypertransfer.rounds import best_of
from hypertransfer.rounds.arm import Arm
from hypertransfer.rounds.settings import Adaptive, Listed, parse

BRACKETED = {(-1, 0): 2.0, (0, 0): 3.0, (1, 0): 1.0, (2, 0): 1.5}


def decision(losses, seeds=(0, 1, 2)):
    return best_of.propose([arm(seeds=seeds)], [arm(losses)], "sweep")[0]


def test_all_seeds_run_at_the_best_value_of_the_other_grid():
    made = decision(BRACKETED)
    assert list(made.runs) == [(1, 0), (1, 1), (1, 2)]
    assert made.bracketed
    assert made.reason == "all seeds at 2, the best of sweep"


def test_an_open_best_value_is_taken_and_said_to_be_open():
    made = decision({(0, 0): 2.0, (1, 0): 1.0})
    assert [notch for notch, _ in made.runs] == [1, 1, 1]
    assert not made.bracketed


def test_nothing_runs_before_the_other_grid_has_values():
    assert decision({}).runs == ()
    assert decision({}).reason == "waits for sweep"


def test_nothing_runs_if_every_run_diverged():
    made = decision({(0, 0): math.inf})
    assert (made.runs, made.reason) == ((), "every run of sweep diverged")


def test_a_value_that_filters_leave_out_is_not_run():
    made = decision(BRACKETED, seeds=())
    assert made.runs == ()
    assert "is left out of this grid" in made.reason


def test_the_value_that_was_taken_is_said_with_its_seeds():
    def outcome(losses, seeds):
        return best_of.outcomes([arm(BRACKETED, seeds=seeds)], [arm(losses)], "sweep")

    assert outcome(BRACKETED, (0, 1, 2)) == ["taken from sweep: 2 (3 seeds)"]
    assert outcome(BRACKETED, (0,)) == ["taken from sweep: 2 (1 seed)"]
    assert outcome({(0, 0): math.inf}, (0,)) == ["every run of sweep diverged"]


def test_the_best_of_listed_settings_is_that_of_least_mean_loss_in_any_order():
    settings = Listed([0.5, 0.1, 0.3], "proxy")
    keys = {(notch, seed): f"{notch}-{seed}" for notch in range(3) for seed in (0, 1)}
    losses = {(0, 0): 3.0, (1, 0): 1.0, (2, 0): 2.0, (0, 1): 3.2, (1, 1): 2.4, (2, 1): 2.2}
    target = Arm({}, "", (), settings, keys)
    proxy = Arm({}, "", (), Listed(settings.values), keys, losses)
    (made,) = best_of.propose([target], [proxy], "proxy")
    assert list(made.runs) == [(1, 0), (1, 1)]  # 1.7 against 2.1 and 3.1
    assert made.bracketed
    assert made.reason == "all seeds at 0.1, the best of proxy"


def test_the_settings_of_an_arm_are_read_as_they_were_written():
    for settings in (Listed([0.5, 0.1], "proxy"), Adaptive("2^-3", best_of="sweep")):
        assert parse(settings.complete()) == settings
