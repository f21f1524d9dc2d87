"""Rows of parameters: roles, initial weights, groups of the optimizer."""

import math

import pytest
import torch
from tests.support.networks import drawn, every_model, images, spec
from tests.support.parts import network as network_of
from torch import nn

from hypertransfer.networks import resolve
from hypertransfer.networks.layers import RELU_GAIN, Linear
from hypertransfer.networks.mlp import LinearNet
from hypertransfer.networks.resolve import Base
from hypertransfer.networks.tagged import RoleError, named_roles
from hypertransfer.parameterisation.algebra import Ratios, Role
from hypertransfer.parameterisation.tables import MUP_SGD, PARAMETERISATIONS, SGD

DRAWING = {n: v for n, v in PARAMETERISATIONS.items() if n != "as_built"}  # its builders draw
FOR_SGD = [name for name, versions in DRAWING.items() if SGD in versions]


class Untagged(LinearNet):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.norm = nn.LayerNorm(sizes["width"])


def test_a_parameter_without_a_role_is_refused_by_name():
    network = Untagged(width=4, depth=1, input_shape=(3,), classes=2)
    with pytest.raises(
        RoleError, match=r"norm\.weight, norm\.bias of Untagged have no role.*LayerN"
    ):
        resolve.resolve(network, MUP_SGD, Ratios(), Base(0.1))


def test_a_role_of_none_is_no_role_and_the_advice_is_python():
    network = nn.Sequential(Linear(3, 4, role=Role.INPUT), nn.Sequential(nn.LayerNorm(4)))
    network[1][0].roles = {"weight": None, "bias": Role.VECTOR}
    with pytest.raises(RoleError, match=r"1\.0\.weight of .* has no role: set self\[1\]\[0\]\.rol"):
        list(named_roles(network))


def test_a_role_for_the_weight_alone_does_not_cover_the_bias():
    network = nn.Sequential(Linear(3, 4, role=Role.INPUT, bias=True))
    network[0].roles = {"weight": Role.INPUT}
    with pytest.raises(RoleError, match=r"parameter 0\.bias"):
        list(named_roles(network))


@pytest.mark.parametrize("width", [1, 2])
def test_a_weight_that_the_table_could_not_draw_is_refused(width):
    """Also at the base shape, where a plain layer would keep torch's own draw in silence."""
    layer = nn.Linear(4, 2, bias=False)
    layer.roles = {"weight": Role.OUTPUT}
    with pytest.raises(
        RoleError, match=r"0\.weight has the role output.*hypertransfer\.networks\.layers"
    ):
        resolve.resolve(nn.Sequential(layer), MUP_SGD, Ratios(width=width), Base(0.1))


@pytest.mark.parametrize("gain", [-1.0, math.nan])
def test_a_gain_that_is_no_scale_is_refused(gain):
    network = nn.Sequential(Linear(3, 4, role=Role.INPUT, gain=gain))
    with pytest.raises(RoleError, match=r"0\.weight has the gain (-1|nan): .* let it be 0 or more"):
        resolve.resolve(network, MUP_SGD, Ratios(), Base(0.1))


@every_model
@pytest.mark.parametrize("weights", ["fan_in", "unit"])
@pytest.mark.parametrize("name", FOR_SGD)
def test_weights_have_the_deviations_of_their_rows(model, weights, name):
    network, rows = drawn(spec(model, width=32, parameterisation=name, weights=weights))
    parameters = dict(network.named_parameters())
    for row in rows:
        p = parameters[row.name]
        assert tuple(p.shape) == row.shape
        if "bias" in row.role or "vector" in row.role:
            assert row.init_std == 0.0  # biases keep 0, gains 1
            assert bool((p == float(row.name.endswith("weight"))).all())
            continue
        within = 4 / math.sqrt(2 * p.numel())  # four standard errors of a deviation
        assert p.std().item() == pytest.approx(row.init_std, rel=within), row.name
        assert p.mean().item() == pytest.approx(0, abs=4 * row.init_std / math.sqrt(p.numel()))


@every_model
def test_fan_in_and_unit_weights_are_one_network_at_the_start(model):
    x = images("fashion_mnist").train_x
    fan_in, unit = (drawn(spec(model, weights=weights))[0] for weights in ("fan_in", "unit"))
    torch.testing.assert_close(fan_in(x), unit(x), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(fan_in.input.weight, unit.input.weight)


@every_model
@pytest.mark.parametrize("name", FOR_SGD)
def test_unit_weights_have_deviation_one_in_every_parameterisation(model, name):
    _, rows = drawn(spec(model, width=16, parameterisation=name, weights="unit"))
    assert {row.init_std for row in rows if len(row.shape) > 1} == {1.0}
    assert all(row.multiplier <= 1 for row in rows if len(row.shape) > 1)


def test_deviations_at_the_base_shape_are_gain_over_root_fan_in():
    run = spec("residual_mlp", width=4, options={})
    _, rows = drawn(run)
    gains = {"input": 1.0, "hidden": RELU_GAIN, "output": 1.0}
    for row in rows:
        assert row.init_std == pytest.approx(gains[row.role] / math.sqrt(row.fan_in))
        assert (row.multiplier, row.lr) == (1.0, 0.1)


def test_deviations_stay_gain_over_root_fan_in_over_width_in_sp():
    _, rows = drawn(spec("conv", width=64, parameterisation="sp"))
    assert [row.init_std for row in rows] == pytest.approx([1 / math.sqrt(r.fan_in) for r in rows])


def test_draws_do_not_depend_on_other_parameters():
    """A deeper network shares every weight of the shallower one; another seed shares none."""
    shallow, deep, other = (
        dict(drawn(run)[0].named_parameters())
        for run in (
            spec("residual_mlp", depth=2),
            spec("residual_mlp", depth=5),
            spec("residual_mlp", depth=2, seed=1),
        )
    )
    assert set(shallow) < set(deep)
    for name, p in shallow.items():
        assert torch.equal(p, deep[name])
        if p.any():
            assert not torch.equal(p, other[name])


def test_draws_do_not_touch_or_read_the_global_generator():
    torch.manual_seed(1)
    first, _ = drawn(spec("conv"))
    torch.manual_seed(2)
    second, _ = drawn(spec("conv"))
    assert all(map(torch.equal, first.parameters(), second.parameters()))
    network = network_of("conv", width=4, depth=1, input_shape=(1, 28, 28), classes=3)
    rows = resolve.resolve(network, MUP_SGD, Ratios(), Base(0.1))
    before = torch.get_rng_state()
    resolve.apply(network, rows, MUP_SGD, Ratios(), seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_of_equal_shape_are_drawn_apart():
    network, _ = drawn(spec("residual_mlp", depth=2, options={}))
    a, b = (block.layers[1].weight for block in network.blocks)
    assert not torch.equal(a, b)


def test_depth_scales_only_what_is_inside_a_branch():
    """Adam under Depth-µP: branches learn at 1/√m_L of the rate, the other layers as before."""
    shapes = {"base": {"width": 4, "depth": 3}, "shape": {"width": 4, "depth": 12}}
    run = spec("residual_conv", parameterisation="depth_mup", optimizer="adam", **shapes)
    _, rows = drawn(run)
    for row in rows:
        assert row.lr == pytest.approx(0.05 if row.name.startswith("stages") else 0.1), row.name


@pytest.mark.parametrize("power", [SGD, 0.0])
def test_groups_hold_every_parameter_once_with_its_own_hyperparameters(power):
    run = spec("residual_mlp", depth=2, optimizer="sgd" if power else "adamw", weight_decay=0.1)
    network, rows = drawn(run)
    by_id = {id(p): name for name, p in network.named_parameters()}
    found = {}
    for group in resolve.groups(network, rows):
        for p in group["params"]:
            name = by_id.pop(id(p))
            found[name] = (group["lr"], group["weight_decay"], group.get("eps"))
    assert not by_id
    assert found == {row.name: (row.lr, row.weight_decay, row.eps) for row in rows}
