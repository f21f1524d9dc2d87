"""Measure times of several runs in turns, so that a steady drift of the machine meets all alike.

A timed probe is a probe whose card has `timed`. Its result is a time or a speed, which is compared
with that of other runs: its rivals. All rivals are made ready first. Then each is measured once in
every turn. The first turn is a warm-up and does not count. The others come in pairs, and the second
turn of a pair has the reverse order of the first. The mean of a rival's two times in a pair is that
at the middle of the pair for all rivals, so that a steady drift cancels in it. The value of a rival
is the median of these means.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards import probes
from hypertransfer.parameterisation.algebra import Parameterisation
from hypertransfer.probes.checkpoint import Columns, View, at_checkpoint, initial_view
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import imports, randomness
from hypertransfer.training.settings import reproducible

Turn = Mapping[str, float]  # the seconds that a turn measured, or their means over a pair, by name


@dataclass(frozen=True)
class Rival:
    """A run that is measured in turns with others.

    Attributes:
        spec: the run.
        table: the parameterisation of the run.
        checkpoints: weights and preconditioners by name, for each step, as training keeps them.
        settings: the complete settings of the probe, with its kind as `probe`.
        device: the device that computes.
    """

    spec: RunSpec
    table: Parameterisation
    checkpoints: Mapping[int, Mapping[str, Tensor]]
    settings: Mapping[str, Any]
    device: torch.device

    @property
    def steps(self) -> list[int]:
        """The steps of the settings that the run reached."""
        return [step for step in self.settings["checkpoints"] if step in self.checkpoints]

    def view(self, step: int) -> View:
        """The run at a checkpoint, with a network of its own."""
        start = initial_view(self.spec, self.table, self.settings, self.device)
        return at_checkpoint(start, step, self.checkpoints[step])


class TimedProbe(Protocol):
    """The interface of the class `Probe` that each module of a timed probe defines."""

    def __init__(self, rival: Rival, step: int) -> None:
        """Make everything ready for the first turn: the network with the weights of a step."""

    def turn(self) -> Turn:
        """Measure seconds, a fraction of one or more; the device has finished its work."""

    def row(self, pairs: Sequence[Turn]) -> dict[str, Any]:
        """One row of the table from the means over each pair of turns.

        The row has the columns of the card and `probes.PROBED`.
        """


def measure(rivals: Sequence[Rival], log: logging.Logger) -> list[Columns]:
    """The table of a timed probe for each rival, with one row for each step in its settings.

    The columns are `step`, `seconds`, those of the probe's card, and `cards.probes.PROBED`;
    `seconds` is the time that the rival took to be made ready and measured. The first checkpoints
    of all rivals are measured in turns, then the second ones, and so on. Steps that a diverged run
    did not reach have no row.

    Args:
        rivals: the runs, with the same seed, kind of probe and number of pairs, `repeats`.
        log: receives one line for each checkpoint of each rival.
    """
    card = probes.PROBES[rivals[0].settings["probe"]]
    names = ("step", "seconds", *card.columns, *probes.PROBED)
    columns: list[Columns] = [{name: [] for name in names} for _ in rivals]
    for place in range(max(len(rival.steps) for rival in rivals)):
        present = [index for index, rival in enumerate(rivals) if place < len(rival.steps)]
        steps = [rivals[index].steps[place] for index in present]
        rows = _at_one_checkpoint([rivals[index] for index in present], steps, log)
        for index, row in zip(present, rows, strict=True):
            for name, values in columns[index].items():
                values.append(row[name])
    return columns


def _at_one_checkpoint(
    rivals: Sequence[Rival], steps: Sequence[int], log: logging.Logger
) -> list[dict[str, Any]]:
    """One row for each rival at its step."""
    card = probes.PROBES[rivals[0].settings["probe"]]
    headline = next(name for name, kind in card.columns.items() if kind == "number")
    seconds = [0.0] * len(rivals)
    ready: list[TimedProbe] = []
    # Tensors are filled or not for all rivals alike, since filling takes time.
    fill = any(rival.spec.import_paths for rival in rivals)
    for index, (rival, step) in enumerate(zip(rivals, steps, strict=True)):
        started = time.perf_counter()
        imports.import_parts(rival.spec)
        reproducible(fill=fill)
        randomness.seed(f"{rival.spec.seed}/probe/{step}")
        ready.append(lookup.load("probe", f"{card.module}:Probe")(rival, step))
        seconds[index] += time.perf_counter() - started

    def timed(index: int) -> Turn:
        started = time.perf_counter()
        found = ready[index].turn()
        seconds[index] += time.perf_counter() - started
        return found

    pairs = in_turns(len(ready), rivals[0].settings["repeats"], timed, rivals[0].spec.seed)
    rows = []
    for index, step in enumerate(steps):
        row = {"step": step, "seconds": seconds[index], **ready[index].row(pairs[index])}
        log.info("run %d, step %d: %s %s", index + 1, step, headline, row[headline])
        rows.append(row)
    return rows


def in_turns(
    count: int, repeats: int, turn: Callable[[int], Turn], first: int = 0
) -> list[list[Turn]]:
    """Call `turn(0)` … `turn(count − 1)` in each of `1 + 2·repeats` turns.

    The first turn warms up caches and memory, and does not count. The order of pair k of the others
    begins with rival `first + k`, modulo `count`, and is reversed in the second turn of the pair.

    Returns:
        The means over each pair of turns, by the name of the measured time, for each rival.
    """
    indices = range(count)
    for index in indices:
        turn(index)
    found: list[list[Turn]] = [[] for _ in indices]
    for pair in range(repeats):
        start = (first + pair) % count
        order = [*indices[start:], *indices[:start]]
        forward = {index: turn(index) for index in order}
        for index in reversed(order):
            found[index].append(_mean(forward[index], turn(index)))
    return found


def _mean(first: Turn, second: Turn) -> Turn:
    return {name: (value + second[name]) / 2 for name, value in first.items()}


def relative_range(values: Sequence[float], middle: float) -> float:
    """The range of the values of pairs divided by their median: `error` of timed probes."""
    return (max(values) - min(values)) / middle
