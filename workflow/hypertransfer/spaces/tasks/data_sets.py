"""The data of live suites: features and targets of tasks, from files that need no download.

Five data sets are scikit-learn's own. Five more are in its wheel as well, as the files of OpenML
that its tests read, and a subset of Fashion-MNIST comes with this library. Planning imports this
module for its declarations, so functions that need numpy or scikit-learn import them themselves.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

ROWS = 600  # samples of each large data set: fewer samples save time
SEED = 0  # of the choice of samples in files that are sorted
SIDE = 4  # images of 28 × 28 pixels become the means of squares of 4 × 4 pixels
MISSING = ("?", "_")


@dataclass(frozen=True)
class OpenmlFile:
    """An ARFF file of OpenML in scikit-learn's wheel.

    Attributes:
        path: path below `sklearn/datasets/tests/data/openml`.
        sha256: digest of the unpacked file.
        target: the column that the data set predicts.
        unused: columns that are no features: texts, identifiers, and what is known afterwards.
        quote: the character around texts.
    """

    path: str
    sha256: str
    target: str
    unused: tuple[str, ...] = ()
    quote: str = '"'


OPENML: Mapping[str, OpenmlFile] = {
    "chess": OpenmlFile(  # endgames of king and rook against king and pawn
        "id_3/data-v1-dl-3.arff.gz",
        "b22a8a12bd40648400b000bad0545683b8ecd33ac84f2c265dd5c309c832fd69",
        "class",
        quote="'",
    ),
    "computers": OpenmlFile(  # performance of processors
        "id_561/data-v1-dl-52739.arff.gz",
        "c64c810211b2e120df5b670ca605ea5d27f235ac1cfe502d0768a1caddd76065",
        "class",
        ("vendor",),
    ),
    "glass": OpenmlFile(
        "id_40675/data-v1-dl-4965250.arff.gz",
        "72f8dc503773d18777a215cad83fd1f195c5b776ccbbee5e8cbfceeb06b9d22c",
        "class",
    ),
    "penguins": OpenmlFile(
        "id_42585/data-v1-dl-21854866.arff.gz",
        "cdcf5e42702ee56fcbb0b06e0db2746005da4e1826be32434e0c458bf4f58371",
        "species",
    ),
    "titanic": OpenmlFile(
        "id_40945/data-v1-dl-16826755.arff.gz",
        "c56e3785c96cd8aceac85f11bff21c2bf72841426f50903a6f27be8f334a7d03",
        "survived",
        ("name", "ticket", "cabin", "boat", "body", "home.dest"),
    ),
}
HINT = "install scikit-learn from the wheel of the version in envs/requirements.txt"


@dataclass(frozen=True)
class DataSet:
    """A data set: features (n, p) with their names (p), and the targets (n,) that it predicts."""

    features: np.ndarray
    names: Sequence[str]
    target: np.ndarray


@lru_cache(maxsize=4)
def load(name: str) -> DataSet:
    """The data set of this name; of large ones, `ROWS` samples.

    In the files of OpenML, texts are one-hot encoded, and samples with missing values left out.

    Raises:
        DatasetError: a file is missing or damaged, or has another digest.
    """
    from sklearn import datasets

    if name in OPENML:
        return _openml(OPENML[name])
    if name == "fashion":
        return _fashion()
    bunch = getattr(datasets, f"load_{'breast_cancer' if name == 'cancer' else name}")()
    rows = slice(ROWS if name == "digits" else None)
    return DataSet(bunch.data[rows], list(bunch.feature_names), bunch.target[rows])


def _openml(source: OpenmlFile) -> DataSet:
    import numpy as np
    import sklearn

    from hypertransfer.data.files import read

    path = Path(sklearn.__file__).parent / "datasets/tests/data/openml" / source.path
    content = read(path, f"sha256:{source.sha256}", HINT, unpack=True).decode()
    head, body = re.split("^@data", content, maxsplit=1, flags=re.IGNORECASE | re.MULTILINE)
    names = re.findall(r"^@attribute\s+'?([^'\s]+)", head, re.IGNORECASE | re.MULTILINE)
    lines = [line for line in body.splitlines() if line and not line.startswith("%")]
    rows = [dict(zip(names, row, strict=True)) for row in csv.reader(lines, quotechar=source.quote)]
    used = [name for name in names if name not in source.unused]
    rows = [row for row in rows if not any(row[name] in MISSING for name in used)]
    if len(rows) > ROWS:
        chosen = np.random.default_rng(SEED).choice(len(rows), ROWS, replace=False)
        rows = [rows[i] for i in sorted(chosen)]
    columns: dict[str, np.ndarray] = {}
    for name in used:
        if name != source.target:
            columns |= _encoded(name, [row[name] for row in rows])
    target = _numbers([row[source.target] for row in rows])
    return DataSet(np.column_stack([*columns.values()]), list(columns), target)


def _encoded(name: str, values: Sequence[str]) -> dict[str, np.ndarray]:
    """A column of numbers; of texts, one column for each text, of two texts the second's alone."""
    import numpy as np

    try:
        return {name: np.array(values, dtype=float)}
    except ValueError:
        texts = sorted(set(values))
        column = np.array(values)
        kept = texts[1:] if len(texts) == 2 else texts
        return {f"{name}={text}": (column == text).astype(float) for text in kept}


def _numbers(values: Sequence[str]) -> np.ndarray:
    """Numbers as they are; texts as indices in alphabetical order."""
    import numpy as np

    try:
        return np.array(values, dtype=float)
    except ValueError:
        return np.unique(np.array(values), return_inverse=True)[1]


def _fashion() -> DataSet:
    """The first `ROWS` images of Fashion-MNIST, as means of squares of `SIDE` × `SIDE` pixels."""
    import numpy as np

    from hypertransfer.catalogue.cards.datasets import FASHION_MNIST_SUBSET
    from hypertransfer.data.files import VENDORED, checked

    file = "fashion_mnist_subset.npz"
    content = checked(FASHION_MNIST_SUBSET, file, VENDORED / file)
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        images, labels = arrays["train_x"][:ROWS], arrays["train_y"][:ROWS]
    size = images.shape[1] // SIDE
    means = images.reshape(ROWS, size, SIDE, size, SIDE).mean(axis=(2, 4))
    names = [f"pixel_{row}_{column}" for row in range(size) for column in range(size)]
    return DataSet(means.reshape(ROWS, -1), names, labels.astype(int))


# The column that a task of regression predicts from the other columns; others predict the target.
COLUMNS: Mapping[str, str] = {
    "diabetes-bmi": "bmi", "diabetes-bp": "bp", "diabetes-s5": "s5", "wine-alcohol": "alcohol",
    "wine-colour": "color_intensity", "wine-proline": "proline",
    "iris-petal-width": "petal width (cm)", "iris-sepal-width": "sepal width (cm)",
    "cancer-texture": "mean texture", "cancer-smoothness": "mean smoothness",
    "cancer-fractal-dimension-error": "fractal dimension error", "digits-pixel-36": "pixel_4_4",
    "fashion-pixel-24": "pixel_3_3", "glass-refraction": "Refractive_Index",
    "glass-aluminium": "Aluminum", "penguins-mass": "body_mass_g",
    "penguins-culmen": "culmen_length_mm", "titanic-age": "age", "titanic-fare": "fare",
}  # fmt: skip
CLASSES: Mapping[str, Callable[[DataSet], np.ndarray]] = {
    "iris-virginica": lambda data: data.target == 2,
    "iris-versicolor": lambda data: data.target == 1,
    "digits-parity": lambda data: data.target % 2,
    "digits-from-five": lambda data: data.target >= 5,
    "digits-eight": lambda data: data.target == 8,
    "fashion-shirt": lambda data: data.target == 6,
}


def regression(data: str, task: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, p) and targets (n,) of a task of regression on a data set."""
    import numpy as np

    known = load(data)
    if task not in COLUMNS:
        return known.features, known.target.astype(float)
    column = list(known.names).index(COLUMNS[task])
    return np.delete(known.features, column, axis=1), known.features[:, column]


def classification(data: str, task: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (m, p) and classes (m,) of a task of classification on a data set."""
    import numpy as np

    known = load(data)
    x, y = known.features, known.target
    if task == "wine-no-proline":
        x = x[:, :-1]
    elif task in ("cancer-means", "cancer-errors"):
        x = x[:, :10] if task == "cancer-means" else x[:, 10:20]
    elif task in ("digits-3-or-8", "digits-1-or-7"):
        rows = np.isin(y, (3, 8) if task == "digits-3-or-8" else (1, 7))
        x, y = x[rows], y[rows]
    elif task in ("diabetes-median", "computers-median"):
        y = y > np.median(y)
    elif task == "penguins-sex":
        column = list(known.names).index("sex=MALE")
        x, y = np.delete(x, column, axis=1), x[:, column]
    elif task in CLASSES:
        y = CLASSES[task](known)
    return x, y.astype(int)
