"""Checks of a data set when it is loaded, in words that name the data set."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data.samples import Samples

PARTS = ("train", "test")


def check(name: str, samples: Samples) -> None:
    """Check shapes, lengths, dtypes, values and labels of a data set.

    Raises:
        DatasetError: every problem.
    """
    if not isinstance(samples, Samples):
        raise DatasetError(
            f"data set {name} returns a {type(samples).__name__}, and not "
            "hypertransfer.data.samples.Samples"
        )
    if problems := list(_problems(samples)):
        raise DatasetError(f"data set {name}: {'; '.join(problems)}")


def check_use(name: str, samples: Samples, loss: str, batch_size: int) -> None:
    """Check that a run can use the data set.

    Raises:
        DatasetError: the batch is larger than the training set, or the loss is for other targets.
    """
    n = len(samples.train_y)
    if batch_size > n:
        raise DatasetError(
            f"data set {name} has {n} training samples, fewer than the batch_size {batch_size}"
        )
    if samples.train_y.is_floating_point() and loss != "mse":
        raise DatasetError(
            f"data set {name} has numbers for targets, for which the loss {loss} is not defined: "
            "use mse, or classes as int64"
        )


def _problems(samples: Samples) -> Iterator[str]:
    if type(samples.classes) is not int or samples.classes < 1:
        yield f"classes is {samples.classes!r}, and not a whole number of at least 1"
        return
    for part in PARTS:
        x, y = getattr(samples, f"{part}_x"), getattr(samples, f"{part}_y")
        yield from _part_problems(part, x, y, samples.classes)
    for letter in "xy":
        train, test = (getattr(samples, f"{part}_{letter}") for part in PARTS)
        if isinstance(train, Tensor) and isinstance(test, Tensor):
            yield from _differences(letter, train, test)


def _part_problems(part: str, x: object, y: object, classes: int) -> Iterator[str]:
    """Problems of the inputs and the targets of one part."""
    for letter, values in (("x", x), ("y", y)):
        if not isinstance(values, Tensor):
            yield f"{part}_{letter} is a {type(values).__name__}, and not a tensor"
            return
        if values.ndim == 0 or not values.numel():
            yield f"{part}_{letter} is empty (shape {tuple(values.shape)})"
            return
        if values.dtype not in (torch.float32, torch.int64):
            yield (
                f"{part}_{letter} has dtype {values.dtype}: use float32 for numbers "
                "(.float()), int64 for classes and tokens (.long())"
            )
        elif values.is_floating_point() and not bool(torch.isfinite(values).all()):
            yield f"{part}_{letter} has values that are not finite (NaN or infinity)"
    if len(x) != len(y):
        yield f"{part}_x has {len(x)} samples, and {part}_y has {len(y)}"
    if y.is_floating_point():
        yield from _number_problems(part, y, classes)
    elif y.dtype == torch.int64:
        yield from _class_problems(part, x, y, classes)


def _number_problems(part: str, y: Tensor, classes: int) -> Iterator[str]:
    if y.ndim != 1:
        yield (
            f"{part}_y has shape {tuple(y.shape)}: numbers are one a sample, of shape (n,) "
            "(.squeeze(1))"
        )
    if classes != 1:
        yield f"{part}_y holds numbers, for which classes is 1, but classes is {classes}"


def _class_problems(part: str, x: Tensor, y: Tensor, classes: int) -> Iterator[str]:
    text = not x.is_floating_point()
    if text and y.shape not in (x.shape, x.shape[:1]):
        yield (
            f"{part}_y has shape {tuple(y.shape)}: targets of text {tuple(x.shape)} have that "
            f"shape, or one class a sample, ({len(x)},)"
        )
    if not text and y.ndim != 1:
        yield f"{part}_y has shape {tuple(y.shape)}: classes are one a sample, of shape (n,)"
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= classes:
        yield (
            f"{part}_y has labels from {low} to {high}, but {classes} classes are numbered from 0 "
            f"to {classes - 1}"
        )


def _differences(letter: str, train: Tensor, test: Tensor) -> Iterator[str]:
    if train.shape[1:] != test.shape[1:]:
        yield (
            f"a sample of train_{letter} has shape {tuple(train.shape[1:])}, and one of "
            f"test_{letter} {tuple(test.shape[1:])}"
        )
    if train.dtype != test.dtype:
        yield f"train_{letter} has dtype {train.dtype}, and test_{letter} {test.dtype}"
