"""The digits against scikit-learn, and refusal of damaged files."""

import hashlib
import importlib
import importlib.util
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from tests.support.images import DAMAGE, WORKFLOW, raw

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data.images import digits

torch.set_num_threads(1)


def test_digits_are_those_of_scikit_learn():
    truth = importlib.import_module("sklearn.datasets").load_digits()
    order, data = digits.order(len(truth.target)), digits.load()
    assert sorted(order) == list(range(1797))
    x = np.concatenate([raw(part, digits.MEAN, digits.STD) for part in (data.train_x, data.test_x)])
    assert (x[:, 0] == truth.images[order]).all()
    assert torch.cat([data.train_y, data.test_y]).tolist() == truth.target[order].tolist()


def test_the_digits_order_is_by_digest():
    hashes = [hashlib.sha256(str(row).encode()).hexdigest() for row in digits.order(1797)]
    assert hashes == sorted(hashes)


def test_the_digits_constants_are_those_of_the_training_images():
    x = digits.load().train_x
    assert abs(x.mean()) < 1e-5
    assert abs(x.std(correction=0) - 1) < 1e-5


def test_digits_need_no_import_of_scikit_learn():
    code = (
        "import sys; from hypertransfer.data.images import digits; digits.load();"
        "print('sklearn' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=WORKFLOW, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "False"


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    with pytest.raises(DatasetError, match=r"digits.csv.gz is missing.*install scikit-learn"):
        digits.load()


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_digits_are_refused(tmp_path, monkeypatch, damage):
    path = shutil.copy(digits.path(), tmp_path / digits.FILE)
    monkeypatch.setattr(digits, "path", lambda: path)
    digits.load()
    DAMAGE[damage](path)
    with pytest.raises(DatasetError, match=rf"{path}.*expected sha256:09f66e6d.*scikit-learn"):
        digits.load()
