"""A training step against a loop written by hand, and against the machine's matrix products."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from statistics import median

import torch
from tests.benchmarks.rows import row
from tests.benchmarks.specs import desk_run
from torch.nn import functional as F

from hypertransfer.catalogue import lookup
from hypertransfer.data.samples import batches
from hypertransfer.training import build, data_sets
from hypertransfer.training.loop import reproducible, train

WIDTHS, STEPS, ROUNDS = (32, 128), 120, 5


def run() -> list[dict]:
    """Seconds a step of ours and of the rival, in turns; and floating-point rates."""
    reproducible()
    rows = []
    peak = matmul_peak()
    for width in WIDTHS:
        spec = desk_run(width, STEPS).spec
        table = lookup.table(spec)
        results = [train(spec, table)]
        ours, rival = [], []
        for _ in range(ROUNDS):  # in turns, so that the machine's moods hit both alike
            ours.append(timed(lambda spec=spec, table=table: train(spec, table)))
            rival.append(timed(lambda spec=spec, table=table: by_hand(spec, table)))
        a, b = min(ours) / STEPS * 1e3, min(rival) / STEPS * 1e3
        metric = f"step at width {width} against a loop by hand"
        rows.append(row(metric, a, b, 1.05, "ms"))
        rate = results[0].flops / (median(ours) * 1e9)
        metric = f"achieved FLOP rate at width {width} against the peak matrix-product rate"
        rows.append(row(metric, rate, peak, None, "GFLOP/s", rule="rate"))
    return rows


def timed(work: Callable[[], object]) -> float:
    started = time.process_time()  # one thread: its own seconds, whatever else the machine does
    work()
    return time.process_time() - started


def by_hand(spec, table) -> float:
    """The same training in plain PyTorch: same network, data, order, records and evaluation."""
    data = data_sets.samples(spec)
    model, rows = build.drawn_model(spec, data, table)
    optimizer = build.optimizer(spec, model, rows)
    losses = []
    total = 0.0
    for step, index in enumerate(
        itertools.islice(batches(len(data.train_y), spec.batch_size, spec.seed), spec.steps)
    ):
        loss = F.cross_entropy(model(data.train_x[index]), data.train_y[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
        if (step + 1) % spec.log_every == 0:
            losses.append(float(total) / spec.log_every)
            total = 0.0
    # Two evaluations, as ours does: at the start and at the end.
    for _ in range(2):
        with torch.no_grad():
            losses.append(float(F.cross_entropy(model(data.test_x), data.test_y)))
    return losses[-1]


def matmul_peak(n: int = 1024, repeats: int = 10) -> float:
    """GFLOP/s of a float32 matrix product on one thread."""
    a, b = torch.randn(n, n), torch.randn(n, n)
    a @ b
    seconds = min(timed(lambda: a @ b) for _ in range(repeats))
    return 2 * n**3 / seconds / 1e9
