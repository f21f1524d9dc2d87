"""A space with the best settings of six tasks, and replays with all settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypertransfer.spaces import replay as spaces_replay
from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.tasks.task import Task
from hypertransfer.studies import replays

DIMENSIONS = {
    "lr": {"low": 1e-4, "high": 1, "log": True},
    "batch": {"low": 8, "high": 512, "log": True, "integer": True},
    "schedule": {"choices": ["cosine", "linear"]},
}
BEST = {  # learning rate and batch size, by task
    "a": (0.01, 64),
    "b": (0.02, 64),
    "c": (0.02, 128),
    "d": (0.01, 128),
    "e": (0.015, 90),
    "f": (0.012, 70),
}


def replay(
    name: str, domain: Domain, tasks: Sequence[Task], **settings: Any
) -> spaces_replay.Replay:
    """The replay of a suite `s`; settings that are not given have their defaults."""
    complete = replays.Replay.parse({"suite": "s", **settings}).complete()
    return spaces_replay.Replay(name, "s", complete, domain, tasks)
