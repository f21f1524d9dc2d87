"""The learning rate over a run, as a factor of its peak."""

from __future__ import annotations

import math

from hypertransfer.runs.spec import Schedule


def factor(schedule: Schedule, step: int, steps: int) -> float:
    """The factor for the update that follows `step` earlier ones, of `steps` in all.

    Linear from 1/w to 1 over the w updates of the warm-up, then 1. The decay takes the last
    updates of the run, as many as its share of them says, and at most those after the warm-up:
    from 1, at its first update, towards `final`, which the update after the last would have.
    Shares of a run are rounded to whole updates.
    """
    warm = warmup_steps(schedule, steps)
    if step < warm:
        return (step + 1) / warm
    start = max(warm, steps - round(schedule.decay * steps))
    if schedule.name == "constant" or step <= start:
        return 1.0
    progress = (step - start) / (steps - start)
    left = 1 - progress if schedule.name == "linear" else (1 + math.cos(math.pi * progress)) / 2
    return schedule.final + (1 - schedule.final) * left


def warmup_steps(schedule: Schedule, steps: int) -> int:
    """Updates of the warm-up: a number as it is, a share of the run rounded."""
    share = isinstance(schedule.warmup, float)
    return round(schedule.warmup * steps) if share else schedule.warmup
