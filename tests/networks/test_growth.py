"""Rules follow the dimensions that grow with the width."""

from __future__ import annotations

import math
from dataclasses import replace

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
    network = make(width)
    found = resolve.resolve(
        network,
        PARAMETERISATIONS[table][power],
        Ratios(width=width / BASE),
        Base(1.0, weight_decay=1.0),
        growth.measured(make, network, BASE, width),
    )
    return {row.name: row for row in found}


def scaled_as(make, *widths):
    """The roles whose rules scale the parameters, by name, which are equal at all the widths."""
    first, *others = ({n: r.scaled_as for n, r in rows(make, "mup", w).items()} for w in widths)
    for other in others:
        assert {name: role for name, role in other.items() if name in first} == first
    return first


def layers(*shapes, role=Role.HIDDEN):
    """A function that makes linear layers whose shapes are functions of the width."""
    return lambda width: nn.Sequential(
        *(Linear(fan_in(width), fan_out(width), role=role) for fan_in, fan_out in shapes)
    )


def same(width):
    return width


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
        (Role.OUTPUT, (8, "width"), r"output, but .* its fan_out grows .* the role input"),
        (Role.OUTPUT, ("width", "width"), r"output, but its fan_out grows .* the role hidden"),
        (Role.ROUTER, ("width", "width"), r"router, but its fan_out grows .* the role hidden"),
        (Role.EXPERT_UP, ("width", 8), r"expert_up, but its fan_out does not .* the role hidden"),
    ],
)
def test_growth_that_contradicts_the_role(role, sizes, text):
    def make(width):
        numbers = (width if size == "width" else size for size in sizes)
        return nn.Sequential(Linear(*numbers, role=role))

    with pytest.raises(RoleError, match=text):
        rows(make, "mup", 64)


@pytest.mark.parametrize("role", [Role.INPUT, Role.OUTPUT])
def test_inputs_and_outputs_that_do_not_grow_keep_their_hyperparameters(role):
    def make(width):
        return nn.Sequential(Linear(4, 8, role=role), Linear(8, width, role=Role.INPUT))

    row = rows(make, "mup", 64, SGD)["0.weight"]
    assert (row.scaled_as, row.init_std, row.multiplier, row.lr) == ("fixed", 1 / 2, 1, 1)


@pytest.mark.parametrize("width", [8, BASE, 17, 32, 64])
@pytest.mark.parametrize(
    ("of_width", "at_widths"),
    [
        (math.isqrt, "4, 8, 16"),
        (lambda width: width**2, "256, 4096, 65536"),
        (lambda width: width * math.isqrt(width), "64, 512, 4096"),
        (lambda width: 4096 // width, "256, 64, 16"),
        (lambda width: min(width, 64), "16, 64, 64"),
        (lambda width: max(width, 64), "64, 64, 256"),
    ],
)
def test_another_growth_than_that_of_the_width_is_refused_at_every_width(
    of_width, at_widths, width
):
    for make, fan in (
        (layers((same, of_width)), "fan_out"),
        (layers((of_width, same)), "fan_in"),
    ):
        with pytest.raises(
            RoleError, match=rf"the {fan} of 0\.weight is {at_widths}, .* no table has a rule"
        ):
            rows(make, "mup", width)


def test_a_size_that_departs_from_its_growth_at_the_width_of_the_run_is_refused():
    """A limit that lies beyond the widths that are compared."""
    make = layers((same, lambda width: min(width, 512)))
    assert rows(make, "mup", 512)["0.weight"].scaled_as == "hidden"
    with pytest.raises(RoleError, match=r"is 16, 64, 256, 512 at the widths 16, 64, 256, 2048"):
        rows(make, "mup", 2048)


def test_sizes_that_are_rounded_grow_with_the_width():
    make = layers((same, lambda width: 8 * round(width / 3)))
    assert scaled_as(make, 8, 18, 24, 1024) == {"0.weight": "hidden"}


@pytest.mark.parametrize("multiple", [8, 16, 32, 64])
def test_inner_sizes_of_gated_units_have_one_rule_at_all_widths(multiple):
    """8/3 of the width, rounded up, is the same number at several widths near the base."""

    def inner(width):
        return multiple * math.ceil(8 * width / 3 / multiple)

    make = layers((same, inner), (inner, same))
    widths = (12, 17, 18, 20, 24, 32, 64, 512)
    assert scaled_as(make, *widths) == dict.fromkeys(("0.weight", "1.weight"), "hidden")


@pytest.mark.parametrize("raw", [6, 100, 784])
def test_a_layer_of_the_width_and_the_raw_inputs_is_hidden_at_all_widths(raw):
    make = layers((lambda width: width + raw, same))
    assert scaled_as(make, 8, 17, 32, 64) == {"0.weight": "hidden"}


class Vectors(nn.Module):
    """Parameters that no layer holds, of one role."""

    def __init__(self, role, **shapes):
        super().__init__()
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.ones(shape)))
        self.roles = dict.fromkeys(shapes, role)


@pytest.mark.parametrize("role", [Role.VECTOR, Role.FINAL_VECTOR, Role.QK_GAIN])
@pytest.mark.parametrize("shape", [lambda n: (n, n), lambda n: (4 * n, n), lambda n: (2, n, n)])
def test_a_matrix_that_is_tagged_as_a_vector_is_refused(role, shape):
    with pytest.raises(RoleError, match=rf"tensor has the role {role.value}, but 2 of its dim"):
        rows(lambda width: Vectors(role, tensor=shape(width)), "mup", 64)


def test_vectors_grow_in_one_dimension_or_not():
    def make(width):
        return Vectors(Role.VECTOR, row=(1, width, 1, 1), stack=(3, width), small=(4,), number=())

    assert scaled_as(make, 8, 64) == {
        "row": "vector", "stack": "vector", "small": "qk_gain", "number": "qk_gain",
    }  # fmt: skip


def test_gains_of_queries_that_grow_are_vectors_as_vectors_that_do_not_are_such_gains():
    def make(width):
        return Vectors(Role.QK_GAIN, of_width=(width,), of_heads=(width // 4, 4), of_head=(4,))

    expected = {"of_width": "vector", "of_heads": "vector", "of_head": "qk_gain"}
    assert scaled_as(make, 8, 64) == expected
    found = rows(make, "mup", 64, SGD)  # 2203.03466, Table 8: SGD rates of vectors times m_N
    assert {name: row.lr for name, row in found.items()} == {
        "of_width": 4, "of_heads": 4, "of_head": 1,
    }  # fmt: skip


def test_a_bias_of_the_readout_that_grows_is_refused():
    with pytest.raises(RoleError, match=r"b has the role readout_bias, .* the role vector"):
        rows(lambda width: Vectors(Role.READOUT_BIAS, b=(width,)), "mup", 64)


def test_modules_whose_number_grows_have_one_rule():
    def make(width):
        return nn.ModuleDict(
            {
                "heads": nn.ModuleList(
                    Linear(width, 2, role=Role.HIDDEN) for _ in range(width // 2)
                ),
                "mix": Linear(width, width, role=Role.HIDDEN),
            }
        )

    found = rows(make, "mup", 64)
    heads = [row for name, row in found.items() if name.startswith("heads")]
    assert len(heads) == 32
    assert {(row.scaled_as, row.lr, row.multiplier) for row in heads} == {("narrowing", 1, 1 / 4)}
    assert found["mix.weight"].scaled_as == "hidden"
    assert len(rows(make, "mup", 8)) == 5


def test_parameters_without_siblings_at_the_base_width_are_refused():
    def none_at_base(width):
        many = range(width // 32)
        return nn.ModuleList(Linear(width, width, role=Role.HIDDEN) for _ in many)

    def unlike(width):
        sizes = [width, 4, *[width] * (width // BASE - 1)]
        return nn.ModuleList(Linear(width, size, role=Role.HIDDEN) for size in sizes)

    for make, name in ((none_at_base, 0), (unlike, 2)):
        with pytest.raises(RoleError, match=rf"^{name}\.weight does not exist at the base width"):
            rows(make, "mup", 64)


def test_a_network_that_cannot_be_built_at_the_larger_widths_is_compared_at_its_own(caplog):
    class Some(nn.Module):
        def __init__(self, width):
            super().__init__()
            inner = {16: 40, 48: 128}[width]
            self.up = Linear(width, inner, role=Role.HIDDEN)
            self.down = Linear(inner, 4, role=Role.HIDDEN)

    assert scaled_as(Some, 48) == {"up.weight": "hidden", "down.weight": "narrowing"}
    assert "Some cannot be built at the widths 16, 64, 256 " in caplog.text
    assert scaled_as(Some, BASE) == {"up.weight": "hidden", "down.weight": "hidden"}
    assert len(caplog.records) == 1, "once in a process"


def test_a_parameter_scales_at_the_base_width_as_at_the_others():
    """The rules differ in powers of the depth, which may not be the base's."""
    assert scaled_as(Bottleneck, 8, BASE, 64)["narrow.weight"] == "narrowing"
    for table in ("sp", "mup", "spectral"):
        base = rows(Bottleneck, table, BASE)
        alone = resolve.resolve(
            Bottleneck(BASE),
            PARAMETERISATIONS[table][SCALE_FREE],
            Ratios(width=1),
            Base(1.0, weight_decay=1.0),
        )
        assert [replace(row, scaled_as=row.role) for row in base.values()] == alone


def test_networks_of_equal_functions_are_built_once():
    built = []

    def make(width):
        built.append(width)
        return layers((same, same))(width)

    first, second = (growth.measured(make, make(width), BASE, width) for width in (32, 64))
    assert built == [32, 16, 64, 256, 64]
    assert (first.sizes, first.widths) == (second.sizes, second.widths)
    assert (first.width, second.width) == (32, 64)


def test_a_network_that_reads_its_weights_while_it_is_built_is_compared():
    class Reading(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.layer = Linear(width, width, role=Role.HIDDEN)
            self.norm = float(self.layer.weight.detach().norm())

    assert scaled_as(Reading, 8, 64) == {"layer.weight": "hidden"}


def test_comparing_takes_no_memory_for_parameters_and_changes_no_network():
    built = []

    def make(width):
        network = layers((same, same))(width)
        rates = [number.item() for number in torch.linspace(0, 1, 3)]  # as of dropped branches
        built.append((width, network[0].weight.device.type, rates))
        return network

    network = make(64)
    before = network[0].weight.detach().clone()
    growth.measured(make, network, BASE, 64)
    assert [(width, device) for width, device, _ in built] == [
        (64, "cpu"), (16, "meta"), (64, "meta"), (256, "meta"),
    ]  # fmt: skip
    assert torch.equal(network[0].weight, before)
    assert make(16)[0].weight.device.type == "cpu"


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
