"""The 1,797 handwritten digits of scikit-learn, 8×8, read from its file without importing it."""

from __future__ import annotations

import gzip
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hypertransfer.data.files import checked
from hypertransfer.data.images import Images, assemble
from hypertransfer.datasets import DIGITS, DatasetError

FILE = "digits.csv.gz"
MEAN, STD = (4.884,), (6.017,)  # of all pixels, 0 … 16
SPLIT_SEED = 0


def load(*, train: int | None = None, test: int | None = None) -> Images:
    """1,440 training and 357 test images.

    The file is in order of collection and has no official split: a fixed permutation
    (numpy's PCG64 with seed 0) decides, whose first 1,440 images are for training.

    Raises:
        DatasetError: the file is missing or damaged, or the sizes are beyond the set.
    """
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise DatasetError(f"digits: scikit-learn is not installed; {DIGITS.obtain}")
    path = Path(found.origin).parent / "datasets" / "data" / FILE
    text = gzip.decompress(checked(DIGITS, FILE, path)).decode()
    rows = np.loadtxt(io.StringIO(text), delimiter=",", dtype=np.int64)
    rows = rows[np.random.default_rng(SPLIT_SEED).permutation(len(rows))]
    x, y = rows[:, :-1].reshape(-1, *DIGITS.input_shape), rows[:, -1]
    cut = DIGITS.train
    return assemble(DIGITS, (x[:cut], y[:cut]), (x[cut:], y[cut:]), (train, test), MEAN, STD)
