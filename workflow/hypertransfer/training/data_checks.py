"""Checks of a data set when it is loaded, in words that name the data set."""

from __future__ import annotations

import inspect
import logging
import operator
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data.samples import Samples

log = logging.getLogger(__name__)
PARTS = ("train", "test")
TENSORS = tuple(f"{part}_{letter}" for part in PARTS for letter in "xy")


def check(name: str, samples: Samples) -> Samples:
    """Check shapes, lengths, dtypes, values and labels of a data set.

    Returns:
        The data set with tensors that belong to no autograd graph and may be used in one, and with
        `classes` as an int.

    Raises:
        DatasetError: every problem.
    """
    samples = _plain(samples)
    if problems := list(_problems(samples)):
        raise DatasetError(f"data set {name}: {'; '.join(problems)}")
    return samples


def _plain(samples: Samples) -> Samples:
    """The data set without autograd graphs, inference tensors and whole numbers of numpy."""
    tensors = {name: getattr(samples, name) for name in TENSORS}
    tensors = {n: t.detach() for n, t in tensors.items() if isinstance(t, Tensor)}
    tensors = {n: t.clone() if t.is_inference() else t for n, t in tensors.items()}
    classes = samples.classes
    if not isinstance(classes, bool) and hasattr(classes, "__index__"):
        with suppress(TypeError):  # an array of several values, which `check` reports
            classes = operator.index(classes)
    return replace(samples, **tensors, classes=classes)


def check_alike(name: str, first: Samples, second: Samples) -> None:
    """Check that a data set is the same when it is loaded again.

    Raises:
        DatasetError: samples differ.
    """
    unlike = [n for n in TENSORS if not torch.equal(getattr(first, n), getattr(second, n))]
    if unlike:
        raise DatasetError(
            f"data set {name} has other values of {', '.join(unlike)} each time it is loaded, so "
            "that a run would depend on what ran before it: draw from the global generators of "
            "torch, numpy or Python, or from a generator that the function makes and seeds"
        )


def check_augment(name: str, samples: Samples) -> None:
    """Check that the augmentation takes inputs and a seed, if the data set has an augmentation.

    Raises:
        DatasetError: it takes other arguments.
    """
    try:
        signature = inspect.signature(samples.augment) if samples.augment else None
    except (TypeError, ValueError):  # a callable of C code has no signature
        return
    try:
        if signature:
            signature.bind(samples.train_x, 0)
    except TypeError as error:
        raise DatasetError(
            f"data set {name}: augment is called as augment(x, seed), but takes {signature}"
        ) from error


def check_augmented(name: str, x: Tensor, augmented: object) -> None:
    """Check that an augmented batch can take the place of the batch x.

    Raises:
        DatasetError: it is no tensor, or has another shape or dtype, or values that are not finite.
    """
    if not isinstance(augmented, Tensor):
        found = f"a {type(augmented).__name__}"
    elif (augmented.shape, augmented.dtype) != (x.shape, x.dtype):
        found = f"shape {tuple(augmented.shape)} and dtype {augmented.dtype}"
    elif not bool(torch.isfinite(augmented).all()):
        found = "values that are not finite (NaN or infinity)"
    else:
        return
    raise DatasetError(
        f"data set {name}: augment returns {found} for a batch of shape {tuple(x.shape)} and dtype "
        f"{x.dtype}; it must return a tensor of the same shape and dtype with finite values"
    )


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
    x, y = samples.train_x, samples.train_y
    own_loss = ":" in loss  # which may shift labels itself
    if not own_loss and (x.dtype, x.shape) == (y.dtype, y.shape) and torch.equal(x, y):
        log.warning(
            "data set %s has targets that equal its inputs, so that a network learns to copy: the "
            "target of each token is the next token, and labels are not shifted here",
            name,
        )
    if samples.train_y.is_floating_point() and loss == "cross_entropy":
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
        if values.layout is not torch.strided:
            yield f"{part}_{letter} is a sparse tensor: use .to_dense()"
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
    yield from _input_problems(part, x)
    if y.is_floating_point():
        yield from _number_problems(part, y, classes)
    elif y.dtype == torch.int64:
        yield from _class_problems(part, x, y, classes)


def _input_problems(part: str, x: Tensor) -> Iterator[str]:
    if x.ndim == 1:
        yield (
            f"{part}_x has shape {tuple(x.shape)}: an input is an image (channels, height, width), "
            "a text (tokens,), or a vector (features,); for one number a sample use .unsqueeze(1)"
        )
    elif x.dtype == torch.int64 and x.ndim > 2:
        yield (
            f"{part}_x has shape {tuple(x.shape)} and dtype torch.int64, which is for tokens of "
            "shape (n, tokens): use float32 for images (.float())"
        )


def _number_problems(part: str, y: Tensor, classes: int) -> Iterator[str]:
    if y.ndim != 1:
        yield (
            f"{part}_y has shape {tuple(y.shape)}: numbers are one a sample, of shape (n,) "
            "(.squeeze(1)); for classes use .argmax(1)"
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
    if text:
        yield from _token_problems(part, x, classes if y.shape == x.shape else None)
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= classes:
        yield (
            f"{part}_y has labels from {low} to {high}, but {classes} classes are numbered from 0 "
            f"to {classes - 1}"
        )


def _token_problems(part: str, x: Tensor, vocabulary: int | None) -> Iterator[str]:
    """Problems of tokens; the vocabulary is unknown if the targets are classes of whole texts."""
    low, high = int(x.min()), int(x.max())
    if low < 0:
        yield f"{part}_x has tokens from {low} on, but tokens are numbered from 0"
    elif vocabulary is not None and high >= vocabulary:
        yield (
            f"{part}_x has tokens from {low} to {high}, but a vocabulary of {vocabulary} (classes) "
            f"is numbered from 0 to {vocabulary - 1}"
        )


def _differences(letter: str, train: Tensor, test: Tensor) -> Iterator[str]:
    if train.shape[1:] != test.shape[1:]:
        yield (
            f"a sample of train_{letter} has shape {tuple(train.shape[1:])}, and one of "
            f"test_{letter} {tuple(test.shape[1:])}"
        )
    if train.dtype != test.dtype:
        yield f"train_{letter} has dtype {train.dtype}, and test_{letter} {test.dtype}"
