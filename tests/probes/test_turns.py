"""Timed probes: the order in which rivals are measured, and what becomes of the turns."""

from __future__ import annotations

import dataclasses
from itertools import count
from statistics import median
from types import SimpleNamespace

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

    found = turns.in_turns(3, 2, turn)
    assert calls == [0, 1, 2, 0, 1, 2, 2, 1, 0, 1, 2, 0, 0, 2, 1]
    assert [[t["at"] for t in own] for own in found] == [[5.5, 11.5]] * 3


def test_each_seed_begins_with_another_rival():
    calls = []
    for seed in range(4):
        turns.in_turns(3, 1, lambda index: calls.append(index) or {"at": 0.0}, seed)
    assert calls[3::9] == [0, 1, 2, 0]


DEFAULT = probes.PROBES["step_time"].settings["repeats"]["default"]


@pytest.mark.parametrize("repeats", [1, 2, DEFAULT, 5])
@pytest.mark.parametrize("first", [0, 1])
def test_the_median_is_free_of_a_steady_drift(repeats, first):
    """Rivals as fast as each other have equal medians, and a slower one is slower by its time."""
    clock, extra = count(), [0.0, 0.0, 7.0]
    found = turns.in_turns(3, repeats, lambda i: {"at": next(clock) + extra[i]}, first)
    middle = [median(pair["at"] for pair in own) for own in found]
    assert middle[0] == middle[1] == middle[2] - 7.0


class Recorded:
    """A timed probe of known speed, which slows down with every turn of any rival."""

    calls: list[tuple]
    filled: list[bool]
    clock: count

    def __init__(self, rival, step):
        self.name = (rival.spec.seed, step)
        self.calls.append(("ready", *self.name))

    def turn(self):
        self.calls.append(("turn", *self.name))
        self.filled.append(torch.utils.deterministic.fill_uninitialized_memory)
        return {"seconds": float(next(self.clock))}

    def row(self, found):
        return {
            "step_seconds": median(pair["seconds"] for pair in found),
            "optimizer_step_seconds": 0.0,
            **dict.fromkeys(probes.PROBED, 0),
        }


@pytest.fixture
def recorded(monkeypatch):
    kind = type("Kind", (Recorded,), {"calls": [], "filled": [], "clock": count()})
    load = lookup.load
    monkeypatch.setattr(
        lookup, "load", lambda part, path: kind if part == "probe" else load(part, path)
    )
    return kind


def rival(seed, kept, asked, repeats=1):
    run = spec(seed=seed)
    settings = {"probe": "step_time", "checkpoints": asked, "steps": 1, "repeats": repeats}
    weights = {step: {} for step in kept}
    return turns.Rival(run, lookup.table(run), weights, settings, torch.device("cpu"))


def test_all_rivals_are_ready_before_the_first_turn(recorded):
    columns = turns.measure([rival(0, [0], [0]), rival(1, [0], [0])], LOG)
    assert recorded.calls == [
        ("ready", 0, 0),
        ("ready", 1, 0),
        *(("turn", seed, 0) for seed in (0, 1, 0, 1, 1, 0)),
    ]
    assert [c["step"] for c in columns] == [[0], [0]]
    assert [c["step_seconds"] for c in columns] == [[3.5], [3.5]]


def test_tensors_are_filled_for_no_rival_or_for_all(recorded, monkeypatch):
    rivals = [rival(0, [0], [0]), rival(0, [0], [0])]
    turns.measure(rivals, LOG)
    assert recorded.filled == [False] * 6
    recorded.filled.clear()
    monkeypatch.setattr(turns.imports, "import_parts", lambda spec: None)
    own = SimpleNamespace(import_paths=("mine",), seed=0)
    turns.measure([dataclasses.replace(rivals[0], spec=own), rivals[1]], LOG)
    assert recorded.filled == [True] * 6


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
