"""Replays with all settings, as the parts of a job hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypertransfer.spaces import replay as spaces_replay
from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.tasks.task import Task
from hypertransfer.studies import replays


def replay(
    name: str, domain: Domain, tasks: Sequence[Task], **settings: Any
) -> spaces_replay.Replay:
    """The replay of a suite `s`; settings that are not given have their defaults."""
    complete = replays.Replay.parse({"suite": "s", **settings}).complete()
    return spaces_replay.Replay(name, "s", complete, domain, tasks)
