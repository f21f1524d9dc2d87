"""What every test may rely on: seeded generators, one thread, and classes that no run recorded."""

import random

import numpy as np
import pytest
import torch

from hypertransfer.training import class_values


@pytest.fixture(autouse=True)
def seeded():
    """The same random numbers in every test, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries may ask the global generator
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def unrecorded(monkeypatch):
    """Classes of tests count as the user's: runs of other tests must not put their values back."""
    monkeypatch.setattr(class_values, "_put_back", {})
