"""Data sets that cannot be used are refused when they are loaded, in words that name them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.support.own_parts import samples, tokens

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data.samples import Samples
from hypertransfer.training.data_checks import check, check_alike, check_augmented, check_use

x, y = torch.randn(8, 1, 1, 6), torch.tensor([0, 1] * 4)
NUMBERS = torch.randn(8)
GOOD = Samples(x, y, x, y, classes=2)

BAD = {
    "column of numbers": ({"train_y": NUMBERS[:, None], "test_y": NUMBERS[:, None], "classes": 1},
                          r"train_y has shape \(8, 1\).*of shape \(n,\)"),
    "doubles": ({"train_y": NUMBERS.double(), "test_y": NUMBERS.double(), "classes": 1},
                r"train_y has dtype torch\.float64: use float32"),
    "double inputs": ({"train_x": x.double()}, r"train_x has dtype torch\.float64"),
    "bytes": ({"train_x": (x * 9).byte()}, r"train_x has dtype torch\.uint8"),
    "short y": ({"train_y": y[:5]}, "train_x has 8 samples, and train_y has 5"),
    "labels from 1": ({"train_y": y + 1}, "labels from 1 to 2, but 2 classes are numbered from 0"),
    "negative labels": ({"test_y": y - 1}, "test_y has labels from -1 to 0"),
    "NaN": ({"train_x": x * torch.nan}, "train_x has values that are not finite"),
    "infinite target": ({"train_y": NUMBERS / 0, "test_y": NUMBERS, "classes": 1},
                        "train_y has values that are not finite"),
    "empty test": ({"test_x": x[:0], "test_y": y[:0]}, r"test_x is empty \(shape \(0, "),
    "numbers and classes": ({"train_y": NUMBERS, "test_y": NUMBERS}, "but classes is 2"),
    "one-hot": ({"train_y": torch.eye(2).long()[y]}, r"train_y has shape \(8, 2\): cla"),
    "other shape": ({"test_x": x[..., :5]}, r"sample of train_x .*\(1, 1, 5\)"),
    "other dtype": ({"test_y": NUMBERS}, r"train_y .*int64, and test_y .*32"),
    "no tensor": ({"train_x": x.numpy()}, "train_x is a ndarray, and not a tensor"),
    "classes as float": ({"classes": 2.0}, r"classes is 2\.0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said(case):
    changes, message = BAD[case]
    with pytest.raises(DatasetError, match=rf"data set mine: .*{message}"):
        check("mine", dataclasses.replace(GOOD, **changes))


def test_all_problems_are_said_at_once():
    bad = dataclasses.replace(GOOD, train_y=y[:5] + 1, test_x=x[..., :5])
    with pytest.raises(DatasetError, match=r"8 samples.*labels from 1.*sample of train_x"):
        check("mine", bad)


@pytest.mark.parametrize("make", [samples, tokens])
def test_good_data_pass(make):
    check("mine", make())


def test_one_sample_is_enough():
    check("mine", Samples(x[:1], y[:1], x[:1], y[:1], classes=2))
    check_use("mine", Samples(x[:1], y[:1], x[:1], y[:1], classes=2), "mse", 1)


def test_a_batch_larger_than_the_data_and_a_loss_for_other_targets_are_refused():
    with pytest.raises(DatasetError, match="mine has 8 training samples, fewer than the batch_siz"):
        check_use("mine", GOOD, "mse", 9)
    numbers = Samples(x, NUMBERS, x, NUMBERS, classes=1)
    with pytest.raises(DatasetError, match="numbers for targets, for which the loss cross_entrop"):
        check_use("mine", numbers, "cross_entropy", 4)


TOKENS = torch.randint(0, 7, (8, 5), generator=torch.Generator().manual_seed(1))
TEXT = Samples(TOKENS, TOKENS, TOKENS, TOKENS, classes=7)

BAD_INPUTS = {
    "sparse": (GOOD, {"train_x": x.to_sparse()}, r"train_x is a sparse tensor: use \.to_dense"),
    "no features": (GOOD, {"train_x": x.flatten()[:8]}, r"train_x has shape \(8,\): an input is"),
    "whole pixels": (GOOD, {"train_x": (9 * x).long().abs()}, r"train_x .*use float32 for images"),
    "other tokens": (TEXT, {"test_x": TOKENS + 4, "test_y": TOKENS},
                     r"test_x has tokens from 4 to 10, but a vocabulary of 7 \(classes\) is numbe"),
    "negative tokens": (TEXT, {"train_x": TOKENS - 1}, "train_x has tokens from -1 on"),
    "truth value": (GOOD, {"classes": True}, "classes is True"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_what_is_wrong_with_inputs_is_said(case):
    good, changes, message = BAD_INPUTS[case]
    check("mine", good)
    with pytest.raises(DatasetError, match=rf"data set mine: .*{message}"):
        check("mine", dataclasses.replace(good, **changes))


def test_a_class_for_a_whole_text_leaves_the_vocabulary_open():
    check("mine", Samples(TOKENS, y, TOKENS, y, classes=2))


def test_numbers_of_numpy_and_tensors_with_a_past_are_taken():
    """A teacher's targets have a graph; inference tensors could not be used in training."""
    teacher = torch.nn.Linear(6, 1)
    with torch.inference_mode():
        inputs = x.clone()
    targets = teacher(x.flatten(1)).squeeze(1)
    checked = check("mine", Samples(inputs, targets, inputs, targets, np.int64(1)))
    assert not checked.train_y.requires_grad
    assert not checked.train_x.is_inference()
    assert torch.equal(checked.train_x, x)
    assert torch.equal(checked.train_y, targets)
    assert type(checked.classes) is int


def test_another_data_set_is_named():
    check_alike("mine", GOOD, dataclasses.replace(GOOD))
    with pytest.raises(DatasetError, match="mine has other values of train_y, test_x each time"):
        check_alike("mine", GOOD, dataclasses.replace(GOOD, test_x=x + 1, train_y=1 - y))


@pytest.mark.parametrize(
    ("augmented", "message"),
    [
        (
            x.double(),
            r"shape \(.*\) and dtype torch.float64 for a batch of .* and dtype torch.float32",
        ),
        (x[:3], r"shape \(3, 1, 1, 6\)"),
        (x / 0, "values that are not finite"),
        (x.numpy(), "a ndarray"),
    ],
)
def test_an_augmented_batch_must_be_like_the_batch(augmented, message):
    check_augmented("mine", x, x + 1)
    with pytest.raises(DatasetError, match=f"data set mine: augment returns {message}"):
        check_augmented("mine", x, augmented)
