"""Data sets of torch's `Dataset` as tensors in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, default_collate

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data.samples import Samples

PARTS = ("train", "test")
PAIRS = (("x", "y"), ("input_ids", "labels"), ("pixel_values", "labels"))  # keys of an item
KEYS = (*PARTS, "classes", "augment")


def samples_of(found: Any) -> Samples:
    """The samples of two data sets of torch, read once, in order.

    Args:
        found: `Samples`, which are returned as they are; a pair of data sets, for training and for
            testing; or a mapping with the keys `train` and `test`, and `classes` and `augment` (see
            `Samples`) if wanted. An item is a pair of an input and a target, or a mapping with the
            keys of one of `PAIRS`, of tensors, arrays and numbers as `default_collate` takes them.
            In place of a data set, a tuple of two tensors or arrays has the inputs and the targets
            of all samples.
            Without `classes` these are the labels up to the largest one; for targets that are
            tokens, the tokens up to the largest one; and 1 for numbers.

    Raises:
        DatasetError: it is neither, or an item cannot be read or collated.
    """
    if isinstance(found, Samples):
        return found
    if isinstance(found, tuple | list) and len(found) == len(PARTS):
        found = dict(zip(PARTS, found, strict=True))
    if not isinstance(found, Mapping) or not set(PARTS) <= set(found) <= set(KEYS):
        raise DatasetError(
            f"returns a {_named(found)}, and not hypertransfer.data.samples.Samples, two data sets "
            "of torch (training, test), or a mapping with train, test and, if wanted, classes and "
            "augment"
        )
    tensors: dict[str, Tensor] = {}
    for part in PARTS:
        tensors[f"{part}_x"], tensors[f"{part}_y"] = _columns(part, found[part])
    classes = found.get("classes", _classes(tensors))
    return Samples(**tensors, classes=classes, augment=found.get("augment"))


def _named(found: Any) -> str:
    name = type(found).__name__
    if isinstance(found, Mapping):
        return f"{name} with the keys {', '.join(map(str, found)) or 'none'}"
    return f"{name} of {len(found)}" if isinstance(found, tuple | list) else name


def _columns(part: str, dataset: Any) -> tuple[Tensor, Tensor]:
    """The inputs and the targets of all samples of a data set, or of a pair of tensors."""
    if isinstance(dataset, tuple) and len(dataset) == 2 and all(map(_is_column, dataset)):
        x, y = map(torch.as_tensor, dataset)
        if len(x) != len(y):
            raise DatasetError(f"{part} has {len(x)} inputs and {len(y)} targets")
        return _typed(x), _typed(y)
    if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__"):
        raise DatasetError(
            f"{part} is a {type(dataset).__name__}, whose samples have no numbers: every size is "
            "trained on the same batches, so use a torch.utils.data.Dataset with __getitem__ and "
            "__len__"
        )
    try:
        items = [dataset[index] for index in range(len(dataset))]
        columns = default_collate(items) if items else []
    except Exception as error:  # of the user's data set
        raise DatasetError(f"{part} cannot be read into one batch: {error!r}") from error
    if isinstance(columns, Mapping):
        pairs = [keys for keys in PAIRS if set(keys) <= set(columns)]
        if pairs and (others := set(columns) - set(pairs[0])):
            raise DatasetError(
                f"{part} has items with {', '.join(sorted(others))}, which would not be used: "
                f"return {' and '.join(pairs[0])} alone, without padding"
            )
        if not pairs:
            known = ", or ".join(" and ".join(keys) for keys in PAIRS)
            raise DatasetError(
                f"{part} has items with {', '.join(map(str, columns))}: return {known}"
            )
        columns = [columns[key] for key in pairs[0]]
    paired = not isinstance(columns, Tensor) and len(columns) == 2
    if not paired or not all(isinstance(column, Tensor) for column in columns):
        raise DatasetError(
            f"{part} has items that are no pairs of an input and a target, but "
            f"{_named(items[0]) if items else 'there are none'}"
        )
    return _typed(columns[0]), _typed(columns[1])


def _is_column(values: Any) -> bool:
    """Whether values are those of all samples."""
    return isinstance(values, Tensor | np.ndarray) and values.ndim > 0


def _typed(column: Tensor) -> Tensor:
    """Floats as float32, and whole numbers but bytes as int64, which images are not read as."""
    if column.is_floating_point():
        return column.float()
    return column if column.dtype == torch.uint8 and column.ndim > 2 else column.long()


def _classes(tensors: Mapping[str, Tensor]) -> int:
    """The number of classes that the targets show."""
    targets = [tensors[f"{part}_y"] for part in PARTS]
    if any(y.is_floating_point() for y in targets):
        return 1
    shown = targets + [tensors[f"{part}_x"] for part in PARTS] if targets[0].ndim > 1 else targets
    return 1 + max((int(column.max()) for column in shown if column.numel()), default=0)
