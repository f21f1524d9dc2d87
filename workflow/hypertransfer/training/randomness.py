"""Random generators: seeded before user code runs, and restored afterwards.

Networks, data sets and optimizers of a user may draw from the global generators of torch, numpy
and Python, for dropout, for a buffer of random features, or for a split. A run depends on its key
alone, so these generators are seeded from the run's seed before each call of such code.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from hypertransfer.runs.seeds import seed_of


def seed(text: str) -> None:
    """Seed the global generators of torch, numpy and Python with the seed of a text.

    Equal to `torch.manual_seed`, which is slow while no GPU is used: each call then queues a seed
    for a later use of one.
    """
    value = seed_of(text)
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(value)
    np.random.seed(value % 2**32)  # noqa: NPY002 — the generator that users' code draws from
    random.seed(value)


@contextmanager
def seeded(text: str) -> Iterator[None]:
    """Within the context the global generators begin at the seed of a text."""
    # To read the state of a GPU that is not used would start its driver.
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    others = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices):
        seed(text)
        try:
            yield
        finally:
            np.random.set_state(others[0])  # noqa: NPY002
            random.setstate(others[1])
