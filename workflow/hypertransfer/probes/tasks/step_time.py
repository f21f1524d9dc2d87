"""The step_time probe: seconds of a training step, and of the optimizer's part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from statistics import median
from typing import Any

from hypertransfer.data.samples import batches
from hypertransfer.probes.turns import Rival, Turn, relative_range
from hypertransfer.training import build, data_sets, imports, randomness
from hypertransfer.training.loop import Loop
from hypertransfer.training.network_tensors import load_tensors
from hypertransfer.training.state import PRECONDITIONER
from hypertransfer.training.stopwatch import Stopwatch


class Probe:
    """Training steps from the weights of a checkpoint, with an optimizer without moments.

    The probe is timed: its runs are measured in turns with those of the same seed in the grid. A
    turn is a block of `steps` training steps, or more until the block holds a whole number of the
    intervals at which an optimizer looks at the curvature (its option `every`). `step_seconds` is
    the mean time of a step of a block, and `optimizer_step_seconds` the part of it that the
    optimizer takes: its update and its estimates of the curvature. Both are medians over `repeats`
    pairs of turns; one further turn comes first, and does not count. `error` is the range of
    `step_seconds` over the pairs divided by the median. Evaluations and records are not
    part of a step. With an optimizer that evaluates the loss itself, its part includes these
    evaluations.
    """

    def __init__(self, rival: Rival, step: int) -> None:
        spec, settings = rival.spec, rival.settings
        self.block = whole_intervals(int(settings["steps"]), interval_of(spec.optimizer.options))
        data = data_sets.samples(spec).to(rival.device)
        network, rows = build.drawn_model(spec, data, rival.table)
        network.to(rival.device).train()
        kept = rival.checkpoints[step]
        load_tensors(network, {n: t for n, t in kept.items() if not n.startswith(PRECONDITIONER)})
        randomness.seed(f"{spec.seed}/optimizer")
        optimizer = build.optimizer(spec, network, rows)
        # The schedule lasts as long as the turns, which keep no weights.
        steps = max(spec.steps, (1 + 2 * int(settings["repeats"])) * self.block)
        timed = replace(spec, steps=steps, checkpoints=())
        self.loop = Loop(timed, data, network, optimizer, imports.loss(spec))
        self.order = batches(len(data.train_y), spec.batch_size, self.loop.order_seed)

    def turn(self) -> Turn:
        """Seconds of a step, and of the optimizer's part, as means over the next block."""
        before = sum(self.loop.stopwatch.seconds().values())
        watch = Stopwatch(self.loop.data.train_x.device)
        with watch("steps"):
            for index in islice(self.order, self.block):
                self.loop.train_step(index)
        optimizer = sum(self.loop.stopwatch.seconds().values()) - before
        return {
            "step_seconds": watch.seconds()["steps"] / self.block,
            "optimizer_step_seconds": optimizer / self.block,
        }

    def row(self, pairs: Sequence[Turn]) -> dict[str, Any]:
        """One row of the probe's table."""
        steps = [pair["step_seconds"] for pair in pairs]
        return {
            "step_seconds": median(steps),
            "optimizer_step_seconds": median(pair["optimizer_step_seconds"] for pair in pairs),
            "error": relative_range(steps, median(steps)),
            "converged": True,
            "products": 0,
        }


def interval_of(options: dict[str, Any]) -> int:
    """The number of steps after which an optimizer looks at the curvature; 1 if it does not."""
    every = options.get("every")
    return every if isinstance(every, int) and every > 0 else 1


def whole_intervals(steps: int, interval: int) -> int:
    """The least multiple of `interval` that is at least `steps`."""
    return -(-steps // interval) * interval
