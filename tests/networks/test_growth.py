"""Rules follow the dimensions that grow with the width."""

from __future__ import annotations

import math

import pytest
import torch
from tests.support.parts import network as network_of
from torch import nn

from hypertransfer.networks import growth, resolve
from hypertransfer.networks.layers import Linear, RMSNorm
from hypertransfer.networks.resolve import Base
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Ratios, Role
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE, SGD

BASE = 16


class Bottleneck(nn.Module):
    """A network whose inner vectors have 4 entries at every width."""

    def __init__(self, width: int, roles: tuple[Role, ...] = (Role.HIDDEN,) * 3) -> None:
        super().__init__()
        self.input = Linear(8, width, role=Role.INPUT)
        self.hidden = Linear(width, width, role=Role.HIDDEN, bias=True)
        self.narrow = Linear(width, 4, role=roles[0], bias=True)
        self.norm = RMSNorm(4)
        self.fixed = Linear(4, 4, role=roles[1])
        self.wide = Linear(4, width, role=roles[2], bias=True)
        self.readout = Linear(width, 10, role=Role.OUTPUT, bias=True)


def rows(make, table, width, power=SCALE_FREE):
    found = resolve.resolve(
        make(width),
        PARAMETERISATIONS[table][power],
        Ratios(width=width / BASE),
        Base(1.0, weight_decay=1.0),
        growth.sizes(make(BASE)),
    )
    return {row.name: row for row in found}


def test_hidden_matrices_and_vectors_that_do_not_grow_in_both_dimensions():
    found = rows(Bottleneck, "mup", 64)
    assert {name: row.scaled_as for name, row in found.items()} == {
        "input.weight": "input",
        "hidden.weight": "hidden",
        "hidden.bias": "vector",
        "narrow.weight": "narrowing",
        "narrow.bias": "qk_gain",
        "norm.weight": "qk_gain",
        "fixed.weight": "fixed",
        "wide.weight": "widening",
        "wide.bias": "vector",
        "readout.weight": "output",
        "readout.bias": "readout_bias",
    }
    assert {row.role for row in found.values()} == {
        "input", "hidden", "vector", "output", "readout_bias",
    }  # fmt: skip


def test_a_network_may_give_the_roles_itself():
    def with_roles(width):
        return Bottleneck(width, (Role.NARROWING, Role.FIXED, Role.WIDENING))

    declared, found = rows(with_roles, "mup", 64), rows(Bottleneck, "mup", 64)
    for name, row in found.items():
        assert declared[name].scaled_as == row.scaled_as
        assert declared[name].lr == row.lr
    alone = resolve.resolve(
        with_roles(64), PARAMETERISATIONS["mup"][SCALE_FREE], Ratios(width=4), Base(1.0)
    )
    assert [row.init_std for row in alone if row.init_std] == [
        row.init_std for row in declared.values() if row.init_std
    ]


@pytest.mark.parametrize(
    ("table", "power", "name", "init_std", "multiplier", "lr"),
    [
        ("sp", SCALE_FREE, "narrow", 1 / 8, 1, 1),
        ("sp", SCALE_FREE, "wide", 1 / 2, 1, 1),
        ("sp", SCALE_FREE, "fixed", 1 / 2, 1, 1),
        ("mup", SCALE_FREE, "hidden", 1 / 8, 1, 1 / 4),
        ("mup", SCALE_FREE, "narrow", 1 / 4, 1 / 4, 1),
        ("mup", SCALE_FREE, "wide", 1 / 2, 1, 1),
        ("mup", SCALE_FREE, "fixed", 1 / 2, 1, 1),
        ("mup", SGD, "narrow", 1 / 4, 1 / 4, 4),
        ("mup", SGD, "wide", 1 / 2, 1, 4),
        ("mup", SGD, "fixed", 1 / 2, 1, 1),
        ("spectral", SCALE_FREE, "narrow", 1 / 16, 1, 1),
        ("spectral", SCALE_FREE, "wide", 1 / 2, 1, 1),
        ("mup_muon", SCALE_FREE, "hidden", 1 / 8, 1, 1),
        ("mup_muon", SCALE_FREE, "narrow", 1 / 16, 1, 1 / 2),
        ("mup_muon", SCALE_FREE, "wide", 1 / 2, 1, 1),
        ("mup_moonlight", SCALE_FREE, "hidden", 1 / 8, 1, 1 / 2),
        ("mup_moonlight", SCALE_FREE, "narrow", 1 / 16, 1, 1 / 4),
        ("mup_moonlight", SCALE_FREE, "wide", 1 / 2, 1, 1),
    ],
)
def test_rules_of_bottlenecks(table, power, name, init_std, multiplier, lr):
    row = rows(Bottleneck, table, 64, power)[f"{name}.weight"]
    assert row.init_std == pytest.approx(init_std)
    assert row.multiplier == pytest.approx(multiplier)
    assert row.lr == pytest.approx(lr)


@pytest.mark.parametrize(
    ("role", "sizes", "text"),
    [
        (Role.INPUT, ("width", 8), r"input, but its fan_in grows .* the role output"),
        (Role.INPUT, ("width", "width"), r"input, but its fan_in grows .* the role hidden"),
        (Role.OUTPUT, (8, "width"), r"output, but its fan_out grows .* the role input"),
        (Role.OUTPUT, ("width", "width"), r"output, but its fan_out grows .* the role hidden"),
        (Role.HIDDEN, ("width", "root"), r"fan_out of 0\.weight grows from 4 to 8 .* factor 4"),
    ],
)
def test_growth_that_contradicts_the_role(role, sizes, text):
    def make(width):
        known = {"width": width, "root": math.isqrt(width)}
        return nn.Sequential(Linear(*(known.get(size, size) for size in sizes), role=role))

    with pytest.raises(RoleError, match=text):
        rows(make, "mup", 64)


@pytest.mark.parametrize("role", [Role.INPUT, Role.OUTPUT])
def test_inputs_and_outputs_that_do_not_grow_keep_their_hyperparameters(role):
    row = rows(lambda width: nn.Sequential(Linear(4, 8, role=role)), "mup", 64, SGD)["0.weight"]
    assert (row.scaled_as, row.init_std, row.multiplier, row.lr) == ("fixed", 1 / 2, 1, 1)


def test_sizes_that_are_rounded_grow_with_the_width():
    def make(width):
        return nn.Sequential(Linear(width, 8 * round(width / 3), role=Role.HIDDEN))

    assert rows(make, "mup", 24)["0.weight"].scaled_as == "hidden"
    assert rows(make, "mup", 8)["0.weight"].scaled_as == "hidden"


@pytest.mark.parametrize(
    ("options", "narrow"),
    [
        ({}, set()),
        ({"kv_heads": 1}, {"key", "value"}),
        ({"attention": "latent", "rotary_size": 4, "positions": "rotary"}, {"shared_key"}),
        ({"attention": "latent", "positions": "rotary"}, {"shared_key"}),
        ({"attention": "latent", "positions": "learned", "rotary_size": 0}, set()),
    ],
)
def test_projections_of_decoders_that_do_not_grow(options, narrow):
    def make(width):
        options_of_all = {"depth": 2, "input_shape": (8,), "classes": 32, "head_size": 8}
        return network_of("gpt", width=width, **options_of_all, **options)

    found = rows(make, "mup", 64).values()
    assert {row.name.split(".")[-2] for row in found if row.scaled_as == "narrowing"} == narrow
    assert {row.scaled_as for row in found if row.role == "hidden"} <= {"hidden", "narrowing"}


def moved(make, table, width, step):
    """RMS change, after one step, of the bottleneck's outputs on inputs of RMS 1.

    The step is the update of each optimizer of a gradient that is aligned with the inputs, as
    gradients of a trained network are.
    """
    layer = make(width).narrow
    row = rows(make, table, width)["narrow.weight"]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, layer.in_features, generator=generator)
    gradient = torch.randn(layer.out_features, 1, generator=generator) @ x
    change = row.multiplier * row.lr * step(gradient) @ x.T
    return float(change.square().mean().sqrt())


def keller(gradient):
    u, _, v = torch.linalg.svd(gradient, full_matrices=False)
    return max(1, gradient.shape[0] / gradient.shape[1]) ** 0.5 * u[:, :1] @ v[:1]


def moonlight(gradient):
    u, _, v = torch.linalg.svd(gradient, full_matrices=False)
    return 0.2 * max(gradient.shape) ** 0.5 * u[:, :1] @ v[:1]


@pytest.mark.parametrize(
    ("table", "step"), [("mup", torch.sign), ("mup_muon", keller), ("mup_moonlight", moonlight)]
)
def test_updates_of_a_narrowing_matrix_change_its_outputs_equally_at_all_widths(table, step):
    at = {width: moved(Bottleneck, table, width, step) for width in (16, 64, 256, 1024)}
    assert max(at.values()) < 1.5 * min(at.values())
