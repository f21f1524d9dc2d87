"""A short run, and its state when it was interrupted."""

from __future__ import annotations

import pytest

from hypertransfer.catalogue import complete, lookup
from hypertransfer.training.loop import train
from hypertransfer.training.state import State

STEPS = 30


BASE = {
    "model": {"name": "residual_mlp", "bias": True},
    "data": {"name": "digits", "train": 200, "test": 50},
    "base": {"width": 4, "depth": 1},
    "shape": {"width": 8, "depth": 2},
    "parameterisation": "mup",
    "optimizer": {"name": "sgd", "momentum": 0.9},
    "lr": 0.05,
    "batch_size": 16,
    "steps": STEPS,
    "seed": 3,
    "log_every": 4,
    "eval_every": 7,
    "checkpoints": [0, 11, STEPS],
}


class Stop(Exception):
    """Stands for a kill."""


def spec(**values):
    """A residual MLP with momentum on digits."""
    return complete.run_spec({**BASE, **values})


def interrupted(run, after):
    """The state that a process saved before it was killed after so many updates."""
    taken = []

    def save(take):
        state = take()
        if state.done == after:
            taken.append(state.to_bytes())
            raise Stop

    with pytest.raises(Stop):
        train(run, lookup.table(run), save=save)
    return State.from_bytes(taken[0])
