"""Measure the seconds that named parts of a training step take, on a CPU or a GPU."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

PENDING = 256  # pairs of events that are collected before the host waits for the device


class Stopwatch:
    """Sums of seconds by name.

    On a GPU, times are differences of CUDA events, so that host and device are not synchronised
    at every step.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._seconds: dict[str, float] = defaultdict(float)
        self._events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add the seconds of the `with` block to the sum of `name`."""
        if not self._cuda:
            started = time.perf_counter()
            yield
            self._seconds[name] += time.perf_counter() - started
            return
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        yield
        last.record()
        self._events.append((name, first, last))
        if len(self._events) >= PENDING:
            self._collect()

    def _collect(self) -> None:
        for name, first, last in self._events:
            last.synchronize()
            self._seconds[name] += first.elapsed_time(last) / 1000  # milliseconds
        self._events.clear()

    def seconds(self) -> dict[str, float]:
        """The sums so far, by name."""
        self._collect()
        return dict(self._seconds)

    def go_on(self, seconds: dict[str, float]) -> None:
        """Add the seconds that earlier processes of the same training measured."""
        for name, value in seconds.items():
            self._seconds[name] += float(value)
