"""Every image network at small shapes, on noise in the shape of a data set."""

import pytest
import torch

from hypertransfer.catalogue import checks, complete, lookup
from hypertransfer.catalogue.cards import datasets, networks
from hypertransfer.data.samples import Samples
from hypertransfer.training import build

DATA = ("fashion_mnist", "cifar10", "digits")

# Every registered model, with options that switch on every kind of parameter it has.
MODELS = {
    "conv": {},
    "residual_conv": {"layers_per_block": 2},
    "residual_mlp": {"layers_per_block": 2, "bias": True},
    "vit": {"heads": 4},
    "linear": {},
}

LEAST_DEPTH = {"residual_conv": 3, "vit": 2}


def spec(model, *, width=8, data="fashion_mnist", depth=None, options=None, **values):
    depth = depth or LEAST_DEPTH.get(model, 1)
    options = MODELS[model] if options is None else options
    return complete.run_spec(
        {
            "model": {"name": model, **options},
            "data": data,
            "base": {"width": 4, "depth": depth},
            "shape": {"width": width, "depth": depth},
            "parameterisation": "mup",
            "optimizer": "sgd",
            "lr": 0.1,
            "batch_size": 4,
            "steps": 1,
            "seed": 0,
            "log_every": 1,
            **values,
        }
    )


def images(name):
    """Noise in the shape of a data set, so that no test here reads one."""
    card = datasets.card(name)
    x, y = torch.randn(4, *card.input_shape), torch.zeros(4, dtype=torch.long)
    return Samples(x, y, x, y, card.classes)


def drawn(run, data="fashion_mnist"):
    return build.drawn_model(run, images(data), lookup.table(run))


def supported(model, data):
    return not list(checks.objections(spec(model, data=data)))


# The factors by which the fan-in and the fan-out of a role grow when the width doubles. A vector's
# fan-in is 1.
GROWTH = {
    "input": (1.0, 2.0),
    "hidden": (2.0, 2.0),
    "output": (2.0, 1.0),
    "vector": (1.0, 2.0),
    "final_vector": (1.0, 2.0),
    "readout_bias": (1.0, 1.0),
    "qk_gain": (1.0, 1.0),
}


def growth(narrow, wide):
    """The factors by which each parameter's fan-in and fan-out grow, by its name."""
    assert [row.name for row in narrow] == [row.name for row in wide]
    pairs = zip(narrow, wide, strict=True)
    return {a.name: (b.fan_in / a.fan_in, b.fan_out / a.fan_out) for a, b in pairs}


def growth_of_roles(rows):
    """The factors of `GROWTH` for the role of each parameter, by its name."""
    return {row.name: GROWTH[row.role] for row in rows}


IMAGE_MODELS = [name for name, card in networks.MODELS.items() if card.data == "images"]

PAIRS = [(model, data) for model in IMAGE_MODELS for data in DATA if supported(model, data)]

every_model = pytest.mark.parametrize("model", IMAGE_MODELS)

every_pair = pytest.mark.parametrize(("model", "data"), PAIRS)
