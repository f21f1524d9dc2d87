"""Data sets of torch as tensors in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data.torch_datasets import samples_of

X = torch.arange(12.0).reshape(6, 2)
Y = torch.tensor([0, 1, 2, 0, 1, 4])


class Items(Dataset):
    def __init__(self, items):
        self.items = items

    def __getitem__(self, index):
        return self.items[index]

    def __len__(self):
        return len(self.items)


def test_a_pair_of_data_sets_becomes_tensors_in_order():
    whole = TensorDataset(X, Y)
    found = samples_of((Subset(whole, [3, 1, 0]), Subset(whole, [5])))
    assert torch.equal(found.train_x, X[[3, 1, 0]])
    assert torch.equal(found.train_y, Y[[3, 1, 0]])
    assert torch.equal(found.test_x, X[[5]])
    assert found.classes == 5
    assert found.augment is None


@pytest.mark.parametrize("made", [torch.Tensor.clone, torch.Tensor.numpy])
def test_a_part_may_be_a_pair_of_tensors_or_arrays(made):
    test = made(X[:2].double()), made(Y[:2].int())
    found = samples_of(((made(X), made(Y)), test))
    assert torch.equal(found.train_x, X)
    assert torch.equal(found.train_y, Y)
    assert (found.test_x.dtype, found.test_y.dtype) == (torch.float32, torch.int64)
    same = samples_of({"train": TensorDataset(X, Y), "test": (X[:2], Y[:2])})
    assert torch.equal(same.train_x, found.train_x)
    assert torch.equal(same.test_y, found.test_y)


def test_arrays_and_numbers_of_python_are_taken():
    items = [(np.ones((1, 4, 4), np.float64), 1), (np.zeros((1, 4, 4), np.float64), 0)]
    found = samples_of({"train": Items(items), "test": Items(items[:1]), "classes": 7})
    assert (found.train_x.dtype, found.train_x.shape) == (torch.float32, (2, 1, 4, 4))
    assert found.train_y.tolist() == [1, 0]
    assert found.train_y.dtype == torch.int64
    assert found.classes == 7


def test_texts_have_as_many_tokens_as_occur_in_inputs_or_targets():
    tokens = torch.tensor([[1, 2, 3], [4, 5, 9]], dtype=torch.int32)
    items = Items([{"input_ids": row, "labels": row - 1} for row in tokens])
    found = samples_of((items, items))
    assert found.classes == 10
    assert found.train_x.dtype == found.train_y.dtype == torch.int64
    assert torch.equal(found.train_y, tokens.long() - 1)


def test_numbers_have_one_class():
    numbers = Items([(torch.ones(2), 0.5), (torch.ones(2), 1.5)])
    found = samples_of((numbers, numbers))
    assert found.classes == 1
    assert found.train_y.dtype == torch.float32


def test_an_augmentation_is_kept():
    data = TensorDataset(X, Y)

    def augment(x, seed):
        return x

    assert samples_of({"train": data, "test": data, "augment": augment}).augment is augment


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(X[0], Y[0])])


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (3, "returns a int, and not hypertransfer.data.samples.Samples"),
        ((TensorDataset(X, Y),) * 3, "returns a tuple of 3"),
        ({"train": X}, "returns a dict with the keys train, and not"),
        ((Stream(), Stream()), "train is a Stream, whose samples have no numbers"),
        ((TensorDataset(X, Y), [1, 2]), "test has items that are no pairs"),
        ((Items([{"input_ids": X[0], "labels": Y, "attention_mask": X[0]}]),) * 2,
         "train has items with attention_mask, which would not be used"),
        ((Items([{"label": 1, "image": X}]),) * 2,
         "train has items with label, image: return x and y, or input_ids and labels, or pixel_"),
        ((Items([]), Items([])), "train has items that are no pairs of an input and a target, but"),
        (((X, Y[:3]), (X, Y)), f"train has {len(X)} inputs and 3 targets"),
        (([X[:2, 0], X[2:4, 0]], (X, Y)), "train has items that are no pairs"),
        (((X, torch.tensor(1)), (X, Y)), "train cannot be read into one batch"),
        ((Items([(X[0], 0), (X, 0)]),) * 2, "train cannot be read into one batch: RuntimeError"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(found, text):
    with pytest.raises(DatasetError, match=text):
        samples_of(found)
