"""Models and layers: roles by growth, draws, shapes, and the cost formulas against torch."""

import copy
import math

import pytest
import torch
from tests.support.parts import network as network_of
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hypertransfer.catalogue import checks, complete, dataset_options, lookup
from hypertransfer.catalogue.cards import datasets, networks
from hypertransfer.data.samples import Samples
from hypertransfer.networks import resolve
from hypertransfer.networks.attention import SelfAttention
from hypertransfer.networks.layers import RELU_GAIN, Branch, Conv2d, Linear
from hypertransfer.networks.mlp import LinearNet
from hypertransfer.networks.resolve import Base, RoleError
from hypertransfer.parameterisation.algebra import Ratios, Role
from hypertransfer.parameterisation.tables import MUP_SGD, PARAMETERISATIONS, SGD
from hypertransfer.planning import cost, flops
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


def shape_of(name):
    return dataset_options.shape(name, {})


def drawn(run, data="fashion_mnist"):
    return build.drawn_model(run, images(data), lookup.table(run))


def supported(model, data):
    return not list(checks.objections(spec(model, data=data)))


IMAGE_MODELS = [name for name, card in networks.MODELS.items() if card.data == "images"]
FOR_SGD = [name for name, versions in PARAMETERISATIONS.items() if SGD in versions]
PAIRS = [(model, data) for model in IMAGE_MODELS for data in DATA if supported(model, data)]

every_model = pytest.mark.parametrize("model", IMAGE_MODELS)
every_pair = pytest.mark.parametrize(("model", "data"), PAIRS)


def test_every_registered_model_is_tested_and_usable_somewhere():
    assert set(MODELS) == set(IMAGE_MODELS) == {model for model, _ in PAIRS}
    assert ("conv", "digits") not in PAIRS
    assert ("residual_conv", "digits") not in PAIRS
    assert ("residual_mlp", "digits") in PAIRS


# Roles -------------------------------------------------------------------------------------

# What doubles with the width: (fan_in, fan_out) of weights, (1, size) of vectors.
GROWTH = {
    "input": (False, True),
    "hidden": (True, True),
    "output": (True, False),
    "vector": (False, True),
    "final_vector": (False, True),
    "readout_bias": (False, False),
}


@every_pair
def test_roles_are_how_each_parameter_grows_with_width(model, data):
    narrow, wide = (drawn(spec(model, width=width, data=data), data)[1] for width in (8, 16))
    assert [row.name for row in narrow] == [row.name for row in wide]
    for a, b in zip(narrow, wide, strict=True):
        growth = tuple(y / x for x, y in ((a.fan_in, b.fan_in), (a.fan_out, b.fan_out)))
        assert growth == tuple(2.0 if grows else 1.0 for grows in GROWTH[a.role]), a.name
    assert {"input", "output"} <= {row.role for row in narrow}


@pytest.mark.parametrize("model", ["residual_conv", "residual_mlp", "vit"])
def test_branches_hold_the_blocks_and_nothing_else(model):
    network, _ = drawn(spec(model))
    inside = {tagged.name for tagged in resolve.named_roles(network) if tagged.in_branch}
    assert inside == {name for name, _ in network.named_parameters() if ".layers." in name}
    assert not any(n.startswith(("input", "between", "readout", "token", "norm")) for n in inside)
    assert inside


class Untagged(LinearNet):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.norm = nn.LayerNorm(sizes["width"])


def test_a_parameter_without_a_role_is_refused_by_name():
    network = Untagged(width=4, depth=1, input_shape=(3,), classes=2)
    with pytest.raises(RoleError, match=r"parameter norm\.weight of Untagged has no role.*LayerN"):
        resolve.resolve(network, MUP_SGD, Ratios(), Base(0.1))


def test_a_role_for_the_weight_alone_does_not_cover_the_bias():
    network = nn.Sequential(Linear(3, 4, role=Role.INPUT, bias=True))
    network[0].roles = {"weight": Role.INPUT}
    with pytest.raises(RoleError, match=r"parameter 0\.bias"):
        list(resolve.named_roles(network))


@pytest.mark.parametrize("width", [1, 2])
def test_a_weight_that_the_table_could_not_draw_is_refused(width):
    """Also at the base shape, where a plain layer would keep torch's own draw in silence."""
    layer = nn.Linear(4, 2, bias=False)
    layer.roles = {"weight": Role.OUTPUT}
    with pytest.raises(
        RoleError, match=r"0\.weight has the role output.*hypertransfer\.networks\.layers"
    ):
        resolve.resolve(nn.Sequential(layer), MUP_SGD, Ratios(width=width), Base(0.1))


@every_model
def test_deep_copies_keep_roles_multipliers_and_outputs(model):
    run = spec(model, width=16, parameterisation="depth_mup")
    network, rows = drawn(run)
    copied = copy.deepcopy(network)
    assert build.rows(run, copied, lookup.table(run)) == rows
    x = images("fashion_mnist").train_x
    assert torch.equal(copied(x), network(x))


# Draws -------------------------------------------------------------------------------------


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


# Layers and forward passes -----------------------------------------------------------------


@every_pair
def test_outputs_have_one_logit_for_each_class(model, data):
    network, _ = drawn(spec(model, data=data), data)
    x = images(data).train_x
    output = network(x)
    assert output.shape == (4, 10)
    assert output.isfinite().all()
    assert not torch.allclose(output[0], output[1])
    torch.testing.assert_close(network(x[:1]), output[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "reference", "x"),
    [
        (Linear(6, 4, role=Role.HIDDEN, bias=True), F.linear, torch.randn(5, 6)),
        (
            Conv2d(3, 4, role=Role.HIDDEN, bias=True),
            lambda *args: F.conv2d(*args, padding=1),
            torch.randn(5, 3, 7, 7),
        ),
    ],
    ids=["linear", "conv"],
)
def test_the_multiplier_scales_the_product_and_not_the_bias(layer, reference, x):
    nn.init.normal_(layer.bias)
    shape = (-1,) + (1,) * (x.ndim - 2)
    product = reference(x, layer.weight, None)
    assert torch.equal(layer(x), reference(x, layer.weight, layer.bias))
    layer.multiplier = 0.3
    expected = 0.3 * product + layer.bias.view(shape)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_fans_of_a_convolution_count_the_kernel():
    layer = Conv2d(3, 8, role=Role.INPUT, kernel=5)
    assert (layer.fan_in, layer.fan_out) == (75, 200)
    assert (Linear(3, 8, role=Role.INPUT).fan_in, Linear(3, 8, role=Role.INPUT).fan_out) == (3, 8)


def test_a_branch_is_skip_plus_strength_times_multiplier_times_layers():
    layer, x = Linear(4, 4, role=Role.HIDDEN), torch.randn(3, 4)
    branch = Branch(layer, strength=2.0)
    branch.multiplier = 0.25
    torch.testing.assert_close(branch(x), x + 0.5 * layer(x))
    branch.skip = False
    torch.testing.assert_close(branch(x), 0.5 * layer(x))


@pytest.mark.parametrize("model", ["residual_conv", "residual_mlp", "vit"])
def test_the_residual_multiplier_follows_depth_in_every_branch(model):
    base = LEAST_DEPTH.get(model, 1)
    deep = 4 * base
    shapes = {"base": {"width": 4, "depth": base}, "shape": {"width": 4, "depth": deep}}
    for name, expected in (("depth_mup", 0.5), ("mup", 1.0)):
        network, _ = drawn(spec(model, parameterisation=name, **shapes))
        branches = [m.multiplier for m in network.modules() if isinstance(m, Branch)]
        assert branches == pytest.approx([expected] * deep)


def test_depth_scales_only_what_is_inside_a_branch():
    """Adam under Depth-µP: branches learn at 1/√m_L of the rate, the other layers as before."""
    shapes = {"base": {"width": 4, "depth": 3}, "shape": {"width": 4, "depth": 12}}
    run = spec("residual_conv", parameterisation="depth_mup", optimizer="adam", **shapes)
    _, rows = drawn(run)
    for row in rows:
        assert row.lr == pytest.approx(0.05 if row.name.startswith("stages") else 0.1), row.name


def by_hand(network, x):
    """The ConvNet in the paper's order, ReLU before pooling, in plain functions of torch."""
    h = F.conv2d(x, network.input.scaled_weight(), stride=2, padding=1)
    h = F.max_pool2d(F.relu(h), 2)
    h = F.conv2d(h, network.hidden.scaled_weight(), stride=4, padding=1)
    h = F.max_pool2d(F.relu(h), 2)
    return F.linear(h.flatten(1), network.readout.scaled_weight())


@pytest.mark.parametrize("data", ["fashion_mnist", "cifar10"])
def test_pooling_before_relu_is_the_papers_network_with_its_gradients(data):
    run = spec("conv", width=16, data=data, weights="unit")
    network, _ = drawn(run, data)
    x, y = images(data).train_x, torch.arange(4)
    parameters = list(network.parameters())
    outputs = [network(x), by_hand(network, x)]
    torch.testing.assert_close(*outputs)
    gradients = [torch.autograd.grad(F.cross_entropy(o, y), parameters) for o in outputs]
    for a, b in zip(*gradients, strict=True):
        assert b.abs().max() > 0
        torch.testing.assert_close(a, b)


def test_attention_is_a_softmax_over_all_places_of_logits_over_the_head_size():
    mixing = SelfAttention(width=12, heads=3).double()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    q, k, v = (mixing.qkv.weight @ x.mT).mT.chunk(3, dim=-1)
    heads = []
    for h in range(3):
        part = slice(4 * h, 4 * h + 4)
        share = torch.softmax(q[..., part] @ k[..., part].mT / 4, dim=-1)
        heads.append(share @ v[..., part])
    expected = torch.cat(heads, -1) @ mixing.out.weight.T
    torch.testing.assert_close(mixing(x), expected)


def test_patches_are_squares_of_the_image_row_by_row():
    network = network_of(
        "vit", width=8, depth=2, input_shape=(2, 4, 6), classes=3, patch=2, heads=2
    )
    x = torch.arange(96.0).reshape(2, 2, 4, 6)
    found = network.patches(x)
    assert found.shape == (2, 6, 8)
    for row in range(2):
        for column in range(3):
            square = x[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            torch.testing.assert_close(found[:, 3 * row + column], square.flatten(1))


def test_a_vision_transformer_knows_where_its_patches_are():
    run = spec("vit", width=16)
    network, _ = drawn(run)
    x = images("fashion_mnist").train_x
    swapped = torch.cat([x[..., 4:8, :], x[..., :4, :], x[..., 8:, :]], dim=-2)
    assert not torch.allclose(network(x), network(swapped))
    with torch.no_grad():
        network.positions.weight.zero_()
    torch.testing.assert_close(network(x), network(swapped), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "key"),
    [({"depth": 3}, "shape.depth"), ({"width": 10}, "shape.width"),
     ({"options": {"patch": 5}}, "model.patch")],
)  # fmt: skip
def test_a_vision_transformer_that_cannot_be_is_refused(change, key):
    assert key in [problem.key for problem in checks.objections(spec("vit", **change))]


@pytest.mark.parametrize("layers", [1, 2])
def test_depth_counts_blocks(layers):
    sizes = {"width": 4, "classes": 10, "layers_per_block": layers}
    conv = network_of("residual_conv", depth=6, input_shape=(3, 32, 32), **sizes)
    mlp = network_of("residual_mlp", depth=6, input_shape=(64,), **sizes)
    for network in (conv, mlp):
        branches = [m for m in network.modules() if isinstance(m, Branch)]
        assert len(branches) == 6
        assert all(sum(p.ndim > 1 for p in b.parameters()) == layers for b in branches)


def test_without_skips_the_residual_mlp_is_a_plain_one():
    options = {"skip": False, "bias": True}
    network, _ = drawn(spec("residual_mlp", depth=2, options=options))
    x = images("fashion_mnist").train_x
    h = network.input(x.flatten(1))
    for block in network.blocks:
        h = block.layers[1](F.relu(h))
    torch.testing.assert_close(network(x), network.readout(F.relu(h)))


# Cost --------------------------------------------------------------------------------------


@every_pair
@pytest.mark.parametrize("width", [4, 32])
def test_forward_flops_are_those_torch_counts(model, data, width):
    depths = {"conv": (1,), "linear": (1,), "residual_conv": (3, 6), "vit": (2, 4)}
    for depth in depths.get(model, (1, 4)):
        run = spec(model, width=width, data=data, depth=depth)
        network, x = build.model(run, *shape_of(data)), images(data).train_x
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            network(x)  # torch counts the attention of this kernel only
        assert flops.forward_flops(run) * len(x) == pytest.approx(
            counter.get_total_flops(), rel=0.05
        )


def test_training_costs_three_forward_passes():
    run = spec("residual_mlp", width=64, batch_size=32, steps=10)
    rates = cost.Rates()
    seconds = cost.train_seconds(run, rates) / 10 - rates.seconds_per_step
    per_step = seconds * rates.operations_per_second
    assert per_step == pytest.approx(3 * 32 * flops.forward_flops(run))
    network, data = build.model(run, *shape_of("fashion_mnist")), images("fashion_mnist")
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(network(data.train_x), data.train_y).backward()
    # the first layer needs no gradient by its input, so torch counts somewhat less
    first = 2 * len(data.train_x) * 28 * 28 * 64
    counted = counter.get_total_flops() + first
    assert counted == pytest.approx(3 * flops.forward_flops(run) * len(data.train_x), rel=0.05)


@pytest.mark.parametrize("power", [SGD, 0.0])
def test_groups_hold_every_parameter_once_with_its_own_hyperparameters(power):
    run = spec("residual_mlp", depth=2, optimizer="sgd" if power else "adamw", weight_decay=0.1)
    network, rows = drawn(run)
    by_id = {id(p): name for name, p in network.named_parameters()}
    found = {}
    for group in resolve.groups(network, rows):
        for p in group["params"]:
            name = by_id.pop(id(p))
            found[name] = (group["lr"], group["weight_decay"], group["eps"])
    assert not by_id
    assert found == {row.name: (row.lr, row.weight_decay, row.eps) for row in rows}
