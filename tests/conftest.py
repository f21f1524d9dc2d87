"""What every test may rely on: seeded generators and one thread."""

import random

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def seeded():
    """The same random numbers in every test, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries may ask the global generator
    torch.manual_seed(0)
    torch.set_num_threads(1)
