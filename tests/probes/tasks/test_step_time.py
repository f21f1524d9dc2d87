"""Seconds of training steps, and of the optimizer's part."""

from __future__ import annotations

import pytest
import torch
from tests.support.probes import LOG, spec

from hypertransfer.catalogue import lookup
from hypertransfer.optimizers import sophia
from hypertransfer.probes import turns
from hypertransfer.probes.tasks import step_time
from hypertransfer.training import stopwatch
from hypertransfer.training.loop import train

SOPHIA = {"name": "sophia", "every": 3}


def rival(steps=4, repeats=2, **changes):
    run = spec(**{"optimizer": "adam", "loss": "cross_entropy", **changes})
    weights = train(run, lookup.table(run)).checkpoints
    settings = {"probe": "step_time", "checkpoints": [0], "steps": steps, "repeats": repeats}
    return turns.Rival(run, lookup.table(run), weights, settings, torch.device("cpu"))


def test_a_block_holds_a_whole_number_of_intervals():
    assert [step_time.whole_intervals(n, 10) for n in (1, 10, 11)] == [10, 10, 20]
    assert step_time.interval_of({"every": 7}) == 7
    assert step_time.interval_of({"betas": [0.9]}) == 1


def test_each_timed_turn_has_as_many_estimates_of_the_curvature(monkeypatch):
    estimates = []
    true = sophia.gauss_newton
    monkeypatch.setattr(sophia, "gauss_newton", lambda *a: estimates.append(1) or true(*a))
    made = rival(optimizer=SOPHIA, checkpoints=[0])
    estimates.clear()
    probe = step_time.Probe(made, 0)
    of_turns = []
    for _ in range(3):
        probe.turn()
        of_turns.append(len(estimates))
        estimates.clear()
    assert of_turns == [1, 2, 2]  # blocks of 6 steps; there is none at step 0
    assert probe.loop.done == 18


def test_the_first_step_is_that_of_the_training():
    """The same weights, batch and optimizer: the network is the trained one after as many steps."""
    made = rival(steps=4, checkpoints=[0, 4], schedule={"name": "constant", "warmup": 0})
    probe = step_time.Probe(made, 0)
    probe.turn()
    for name, parameter in probe.loop.model.named_parameters():
        assert torch.equal(parameter, made.checkpoints[4][name])


def test_seconds_by_a_clock_that_ticks(monkeypatch):
    """A clock that ticks once a reading: what is inside a step is not more than the step."""
    made = rival(optimizer=SOPHIA, checkpoints=[0])
    ticks = iter(range(10**6))
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: float(next(ticks)))
    probe = step_time.Probe(made, 0)
    found = [probe.turn() for _ in range(3)]
    # Each step reads the clock four times inside, and a block twice more.
    assert [turn["step_seconds"] for turn in found] == [(4 * 6 + 1) / 6] * 3
    assert [turn["optimizer_step_seconds"] for turn in found] == [2.0] * 3
    row = probe.row(found[1:])
    assert (row["step_seconds"], row["error"]) == ((4 * 6 + 1) / 6, 0.0)


def test_measured_beside_another(monkeypatch):
    columns = turns.measure([rival(checkpoints=[0]), rival(optimizer=SOPHIA, checkpoints=[0])], LOG)
    for found in columns:
        assert 0 < found["optimizer_step_seconds"][0] < found["step_seconds"][0]
        assert found["step"] == [0]


def test_weights_of_the_checkpoint_are_trained_on():
    made = rival(checkpoints=[0, 4])
    probe = step_time.Probe(made, 4)
    for name, parameter in probe.loop.model.named_parameters():
        assert torch.equal(parameter, made.checkpoints[4][name])


@pytest.mark.parametrize("every", [None, 0, True, "3"])
def test_an_option_of_another_meaning_is_no_interval(every):
    assert step_time.interval_of({"every": every}) == 1
