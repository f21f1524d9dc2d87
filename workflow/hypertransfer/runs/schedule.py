"""The learning rate over a run, as a factor on the peak learning rate."""

from __future__ import annotations

import math

from hypertransfer.runs.spec import Schedule


def factor(schedule: Schedule, step: int, steps: int) -> float:
    """The factor on the peak learning rate for update number `step`, from 0, of `steps` updates.

    The factor rises linearly from 1/w to 1 over the w updates of the warm-up, and is 1 afterwards.
    The decay covers the last `schedule.decay` · `steps` updates, except those of the warm-up. The
    factor is 1 at the first update of the decay, and would be `schedule.final` at the update after
    the last one. Shares of a run are rounded to whole updates.
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
    """The number of updates of the warm-up; a share of the run is rounded."""
    share = isinstance(schedule.warmup, float)
    return round(schedule.warmup * steps) if share else schedule.warmup
