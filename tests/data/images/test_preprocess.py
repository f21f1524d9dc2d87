"""Preprocessing of images: normalisation, sizes, and augmentation, for all loaders."""

import importlib
import importlib.util

import numpy as np
import pytest
import torch

from hypertransfer.catalogue.cards import datasets
from hypertransfer.catalogue.cards.datasets import CARDS, DatasetError
from hypertransfer.data import samples
from hypertransfer.data.images import digits, fashion_mnist, preprocess

torch.set_num_threads(1)


def test_normalised_is_per_channel():
    x = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 4)).astype(np.uint8)
    mean, std = (10.0, 20.0, 30.0), (1.0, 2.0, 4.0)
    truth = (x.astype(float) - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    out = preprocess.normalised(x, mean, std)
    assert out.dtype == torch.float32
    np.testing.assert_allclose(out.numpy(), truth, rtol=1e-6)


def test_normalised_leaves_float_input_alone():
    x = np.ones((2, 1, 2, 2), np.float32)
    preprocess.normalised(x, (0.5,), (2.0,))
    assert (x == 1).all()


@pytest.mark.parametrize("load", [digits.load, fashion_mnist.load_subset])
@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("size", [-1, 0, 1_000_000])
def test_sizes_beyond_the_set(load, part, size):
    with pytest.raises(DatasetError, match=rf"{part}: {size} images were asked for; there are"):
        load(**{part: size})


@pytest.mark.parametrize("load", [digits.load, fashion_mnist.load_subset])
def test_sizes_take_from_the_start(load):
    few, whole = load(train=7, test=3), load()
    for part, size in (("train", 7), ("test", 3)):
        x, y = getattr(few, f"{part}_x"), getattr(few, f"{part}_y")
        assert len(x) == len(y) == size
        assert torch.equal(x, getattr(whole, f"{part}_x")[:size])
        assert torch.equal(y, getattr(whole, f"{part}_y")[:size])


@pytest.mark.parametrize("name", ["digits", "fashion_mnist_subset"])
def test_what_comes_along_is_as_its_card_says(name):
    card = CARDS[name]
    module, _, attribute = card.module.partition(":")
    data = getattr(importlib.import_module(module), attribute)()
    assert data.train_x.shape == (card.train, *card.input_shape)
    assert data.test_x.shape == (card.test, *card.input_shape)
    assert data.train_x.dtype == data.test_x.dtype == torch.float32
    assert data.train_y.dtype == data.test_y.dtype == torch.int64
    assert data.classes == card.classes
    for y in (data.train_y, data.test_y):
        assert y.unique().tolist() == list(range(card.classes))


def test_images_move_together():
    data = digits.load(train=5, test=5)
    moved = data.to(torch.device("meta"))
    assert all(
        getattr(moved, f"{part}_{side}").is_meta for part in ("train", "test") for side in "xy"
    )
    assert not data.train_x.is_meta


def test_augmentation_shifts_each_image_by_its_own_amount():
    x = torch.arange(1.0, 65).reshape(1, 1, 8, 8).expand(50, 1, 8, 8).contiguous()
    found = preprocess.shifted(1, flip=False)(x, seed=3)
    padded = torch.nn.functional.pad(x[:1], (1,) * 4, value=1.0)
    possible = [padded[0, :, i : i + 8, j : j + 8] for i in range(3) for j in range(3)]
    kinds = {next(k for k, p in enumerate(possible) if torch.equal(p, one)) for one in found}
    assert len(kinds) == 9


def test_augmentation_is_a_function_of_its_seed():
    x = torch.randn(20, 3, 8, 8)
    augment = preprocess.shifted(2, flip=True)
    assert torch.equal(augment(x, 1), augment(x, 1))
    assert not torch.equal(augment(x, 1), augment(x, 2))
    assert samples.augmentation_seed(0, 1) != samples.augmentation_seed(1, 0)


def test_flips_mirror_about_half_of_the_images():
    x = torch.randn(400, 1, 4, 4)
    found = preprocess.shifted(0, flip=True)(x, seed=0)
    mirrored = torch.tensor([torch.equal(a, b.flip(-1)) for a, b in zip(found, x, strict=True)])
    kept = torch.tensor([torch.equal(a, b) for a, b in zip(found, x, strict=True)])
    assert bool((mirrored | kept).all())
    assert 0.4 < float(mirrored.float().mean()) < 0.6


@pytest.mark.parametrize("name", ["digits", "fashion_mnist_subset"])
def test_loaders_augment_when_asked(name):
    module, _, attribute = datasets.card(name).module.partition(":")
    load = getattr(importlib.import_module(module), attribute)
    assert load(train=8, test=8).augment is None
    data = load(train=8, test=8, augment=True)
    assert data.augment(data.train_x, 0).shape == data.train_x.shape
