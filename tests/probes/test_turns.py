"""Timed probes: the order in which rivals are measured, and what becomes of the turns."""

from __future__ import annotations

from itertools import count

import pytest
import torch
from tests.support.probes import LOG, spec

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards import probes
from hypertransfer.probes import turns


def test_rivals_take_turns_in_an_order_that_alternates_and_the_first_turn_does_not_count():
    clock, calls = count(), []

    def turn(index):
        calls.append(index)
        return {"at": float(next(clock))}

    found = turns.in_turns(3, 4, turn)
    assert calls == [0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2]
    assert [[t["at"] for t in own] for own in found] == [
        [5, 6, 11, 12],
        [4, 7, 10, 13],
        [3, 8, 9, 14],
    ]


def test_a_steady_drift_meets_all_rivals_alike():
    """Over an even number of turns the mean times of measurement are equal."""
    clock = count()
    found = turns.in_turns(5, 6, lambda index: {"at": float(next(clock))})
    assert len({sum(t["at"] for t in own) for own in found}) == 1


class Recorded:
    """A timed probe of known speed, which slows down with every turn of any rival."""

    calls: list[tuple]
    clock: count

    def __init__(self, rival, step):
        self.name = (rival.spec.seed, step)
        self.calls.append(("ready", *self.name))

    def turn(self):
        self.calls.append(("turn", *self.name))
        return {"seconds": float(next(self.clock))}

    def row(self, found):
        values = [turn["seconds"] for turn in found]
        return {
            "step_seconds": sorted(values)[len(values) // 2],
            "optimizer_step_seconds": 0.0,
            **dict.fromkeys(probes.PROBED, 0),
        }


@pytest.fixture
def recorded(monkeypatch):
    kind = type("Kind", (Recorded,), {"calls": [], "clock": count()})
    load = lookup.load
    monkeypatch.setattr(
        lookup, "load", lambda part, path: kind if part == "probe" else load(part, path)
    )
    return kind


def rival(seed, kept, asked, repeats=2):
    run = spec(seed=seed)
    settings = {"probe": "step_time", "checkpoints": asked, "steps": 1, "repeats": repeats}
    weights = {step: {} for step in kept}
    return turns.Rival(run, lookup.table(run), weights, settings, torch.device("cpu"))


def test_all_rivals_are_ready_before_the_first_turn(recorded):
    columns = turns.measure([rival(0, [0], [0]), rival(1, [0], [0])], LOG)
    assert recorded.calls == [
        ("ready", 0, 0),
        ("ready", 1, 0),
        *(("turn", seed, 0) for seed in (0, 1, 1, 0, 0, 1)),
    ]
    assert [c["step"] for c in columns] == [[0], [0]]
    assert [c["step_seconds"] for c in columns] == [[4.0], [5.0]]


def test_checkpoints_are_measured_in_their_order_and_a_diverged_run_has_fewer(recorded):
    columns = turns.measure([rival(0, [0, 4], [0, 4]), rival(1, [0], [0, 4])], LOG)
    assert [c["step"] for c in columns] == [[0, 4], [0]]
    turn_steps = [call[1:] for call in recorded.calls if call[0] == "turn"]
    assert turn_steps[6:] == [(0, 4)] * 3


def test_every_timed_probe_has_turns_to_repeat():
    timed = {name: card for name, card in probes.PROBES.items() if card.timed}
    assert set(timed) == {"decoding", "step_time"}
    assert all("repeats" in card.settings for card in timed.values())


def test_the_error_is_the_range_over_the_median():
    assert turns.relative_range([1.0, 2.0, 4.0], 2.0) == 1.5
