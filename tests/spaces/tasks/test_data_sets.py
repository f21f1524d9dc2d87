"""Data sets of live suites: read as scikit-learn reads them, whole or not at all."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.datasets import _arff_parser

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data.files import VENDORED
from hypertransfer.spaces.tasks import data_sets
from hypertransfer.spaces.tasks.data_sets import OPENML, ROWS, classification, load, regression

FOLDER = Path(sklearn.__file__).parent / "datasets/tests/data/openml"


@pytest.mark.parametrize("name", OPENML)
def test_a_file_of_openml_has_the_rows_that_another_parser_finds(name):
    source = OPENML[name]
    with gzip.open(FOLDER / source.path, "rt", encoding="utf-8") as file:
        content = _arff_parser._arff.load(file.read())  # the liac-arff in scikit-learn
    names = [name for name, _ in content["attributes"]]
    used = [name for name in names if name not in source.unused]
    rows = [dict(zip(names, row, strict=True)) for row in content["data"]]
    rows = [r for r in rows if not any(r[n] in (None, "_") for n in used)]
    known = load(name)
    assert len(known.target) == len(known.features) == min(len(rows), ROWS)
    assert np.isfinite(known.features).all()
    for column in set(used).intersection(known.names):
        found = known.features[:, list(known.names).index(column)]
        expected = np.array([row[column] for row in rows], float)
        if len(rows) <= ROWS:
            np.testing.assert_array_equal(found, expected)
        else:
            assert set(found) <= set(expected)
    assert source.target not in known.names


def test_texts_are_one_hot_and_of_two_texts_one_is_enough():
    known = load("penguins")
    islands = [list(known.names).index(f"island={n}") for n in ("Biscoe", "Dream", "Torgersen")]
    np.testing.assert_array_equal(known.features[:, islands].sum(axis=1), 1)
    assert "sex=MALE" in known.names
    assert "sex=FEMALE" not in known.names


def test_images_are_means_of_squares():
    known = load("fashion")
    assert known.features.shape == (ROWS, 49)
    with np.load(VENDORED / "fashion_mnist_subset.npz") as arrays:
        image = arrays["train_x"][0].astype(float)
    square = image[8:12, 20:24]  # the third row of squares, the sixth column
    assert known.features[0, 2 * 7 + 5] == pytest.approx(square.mean())
    assert known.features[0].mean() == pytest.approx(image.mean())


def test_what_is_predicted_is_no_feature():
    x, y = regression("penguins", "penguins-mass")
    known = load("penguins")
    assert x.shape[1] == len(known.names) - 1
    assert not (x == y[:, None]).all(axis=0).any()
    x, y = classification("penguins", "penguins-sex")
    assert x.shape[1] == len(known.names) - 1
    assert set(y) == {0, 1}


def test_classes_are_those_that_a_task_names():
    _, whole = classification("digits", "digits-parity")
    assert set(whole) == {0, 1}
    x, y = classification("digits", "digits-3-or-8")
    assert set(y) == {3, 8}
    assert len(x) == len(y) < ROWS
    _, above = classification("computers", "computers-median")
    assert abs(above.mean() - 0.5) < 0.05


def test_a_missing_or_another_file_is_named(monkeypatch):
    wrong = {
        "gone": replace(OPENML["glass"], path="id_0/none.arff.gz"),
        "other": replace(OPENML["glass"], sha256="0" * 64),
    }
    monkeypatch.setattr(data_sets, "OPENML", wrong)
    with pytest.raises(DatasetError, match=r"none\.arff\.gz is missing.*install scikit-learn"):
        load("gone")
    with pytest.raises(DatasetError, match="is truncated, damaged or another file"):
        load("other")
