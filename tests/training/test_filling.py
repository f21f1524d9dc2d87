"""Memory that nobody wrote: the library reads none, so that torch need not fill it with NaN."""

import pytest
import torch
from tests.support.probes import measured, spec
from tests.support.synthetic import run as synthetic_run
from torch.utils import deterministic

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.probes import checkpoint
from hypertransfer.training import loop
from hypertransfer.training.settings import reproducible

TEXT = {"name": "state_of_the_union", "context": 16, "train": 5000, "test": 8}
IMAGES = {"name": "fashion_mnist_subset", "train": 100, "test": 20}
DECODER = {"data": TEXT, "batch_size": 4, "base": {"width": 16, "depth": 2}}
DECODER |= {"shape": {"width": 16, "depth": 2}, "weights": "fan_in"}
WITH = {
    "conv": {"data": IMAGES, "shape": {"width": 6, "depth": 1}},
    "residual_conv": {"data": IMAGES},
    "vit": {
        "model": {"name": "vit", "heads": 2},
        "shape": {"width": 8, "depth": 2},
        "base": {"width": 8, "depth": 1},
    },
    "linear": {"loss": "mse", "data": "gaussian_regression", "shape": {"width": 8, "depth": 1}},
    "gpt": DECODER,
    "llama": DECODER
    | {"model": {"name": "llama", "experts": 4, "top_k": 2, "attention": "latent"}},
}
PROBED = [
    ("hessian", {}),
    ("gauss_newton", {}),
    ("ntk", {}),
    ("trace", {}),
    ("alignment", {}),
    ("density", {}),
    ("features", {}),
]


@pytest.fixture
def filled(monkeypatch):
    """A function that makes the library fill all new tensors with NaN."""

    def fill():
        always = lambda **_: reproducible(fill=True)  # noqa: E731
        monkeypatch.setattr(loop, "reproducible", always)
        monkeypatch.setattr(checkpoint, "reproducible", always)

    yield fill
    reproducible()


def both(result, fill):
    """What a function returns without and with filling."""
    plain = result()
    assert not deterministic.fill_uninitialized_memory
    fill()
    other = result()
    assert deterministic.fill_uninitialized_memory
    return plain, other


def trained(**values):
    run = spec(**values)
    return loop.train(run, lookup.table(run))


def assert_same(plain, other):
    assert repr(plain.history) == repr(other.history)
    assert all(map(torch.equal, plain.checkpoints[8].values(), other.checkpoints[8].values()))


@pytest.mark.parametrize("model", MODELS)
def test_no_network_reads_memory_that_nobody_wrote(filled, model):
    assert_same(*both(lambda: trained(**{"model": model, **WITH.get(model, {})}), filled))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_optimizer_reads_memory_that_nobody_wrote(filled, optimizer):
    values = {"optimizer": optimizer, "lr": 0.01, "weights": "fan_in"}
    assert_same(*both(lambda: trained(**values), filled))


@pytest.mark.parametrize(("probe", "settings"), PROBED, ids=[name for name, _ in PROBED])
def test_no_probe_reads_memory_that_nobody_wrote(filled, probe, settings):
    run = spec()
    weights = loop.train(run, lookup.table(run)).checkpoints
    plain, other = both(lambda: measured(run, probe, weights, samples=20, **settings), filled)
    assert {**plain, "seconds": None} == {**other, "seconds": None}


def test_parts_of_the_user_get_nan_where_they_read_memory_that_nobody_wrote(synthetic):
    synthetic_run(
        model="synthetic_parts:Watching", optimizer="sgd", shape={"width": 12, "depth": 1}
    )
    assert deterministic.fill_uninitialized_memory
