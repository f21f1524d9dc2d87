"""What every test may rely on: seeded generators, one thread, and classes as at import."""

import random

import numpy as np
import pytest
import torch
from hypothesis import settings

from hypertransfer.training import class_values

settings.register_profile("untimed", deadline=None)  # a busy machine fails no test
settings.load_profile("untimed")


LONGEST = ("tests/slurm/", "tests/faults/", "tests/workflow/")


def pytest_collection_modifyitems(items):
    """The longest files first, in parallel to which the many short ones run."""

    def place(item):
        return next((n for n, folder in enumerate(LONGEST) if folder in item.nodeid), len(LONGEST))

    items.sort(key=place)  # stable: the order within a folder stays


@pytest.fixture(autouse=True)
def seeded():
    """The same random numbers in every test, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries may ask the global generator
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def classes_as_at_import(monkeypatch):
    """Classes of tests count as the user's: what a test's runs leave in them ends with the test.

    It ends before the changes of `monkeypatch` are undone.
    """
    yield
    class_values.restore()
    class_values._put_back.clear()
