"""The abc symmetry on trained networks, and the paper's explicit formula as a second opinion.

In float64, so that equal networks stay equal to rounding over twenty updates.
"""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.parts import network as network_of
from tests.support.parts import optimizer as optimizer_of
from torch.nn import functional as F

from hypertransfer.networks import resolve
from hypertransfer.networks.resolve import Base
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Power, Ratios, Role
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE, SGD, W

STEPS = 20
RATIOS = Ratios(width=3.0, depth=2.0)
DRAWN = (Role.INPUT, Role.HIDDEN, Role.OUTPUT)

MODELS = {
    "mlp": (
        lambda: network_of(
            "residual_mlp",
            width=12,
            depth=2,
            input_shape=(1, 4, 4),
            classes=4,
            bias=True,
            strength=0.7,
        ),
        (1, 4, 4),
    ),
    "conv": (
        lambda: network_of("conv", width=6, depth=1, input_shape=(2, 20, 20), classes=4),
        (2, 20, 20),
    ),
}
OPTIMIZERS = {
    "sgd": (
        SGD,
        lambda groups: optimizer_of("sgd", groups, momentum=0.5),
        Base(0.1, weight_decay=0.05),
    ),
    "adamw": (SCALE_FREE, partial(optimizer_of, "adamw"), Base(0.03, weight_decay=0.5, eps=1e-3)),
}

every_model = pytest.mark.parametrize("model", MODELS)
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def batch(shape):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(16, *shape, generator=generator)
    return x, torch.arange(16) % 4


def losses(model, optimizer, table, weights="fan_in"):
    """The loss before each update on one fixed batch, and after the last."""
    make_model, shape = MODELS[model]
    _, make_optimizer, base = OPTIMIZERS[optimizer]
    network = make_model()
    rows = resolve.resolve(network, table, RATIOS, replace(base, weights=weights))
    resolve.apply(network, rows, table, RATIOS, seed=3)
    steps = make_optimizer(resolve.groups(network, rows))
    x, y = batch(shape)
    out = []
    for _ in range(STEPS):
        loss = F.cross_entropy(network(x), y)
        steps.zero_grad()
        loss.backward()
        steps.step()
        out.append(loss.item())
    return torch.tensor([*out, F.cross_entropy(network(x), y).item()])


def names_for(optimizer):
    """The parameterisations that have a table for the optimizer."""
    return sorted(n for n, found in PARAMETERISATIONS.items() if OPTIMIZERS[optimizer][0] in found)


def table_of(name, optimizer):
    return PARAMETERISATIONS[name][OPTIMIZERS[optimizer][0]]


@every_model
@every_optimizer
@settings(max_examples=8, deadline=None)
@given(
    data=st.data(),
    role=st.sampled_from(DRAWN),
    s=st.builds(Power, st.floats(-1.5, 1.5), st.floats(-1.5, 1.5)),
)
def test_a_shifted_table_trains_the_same_network(model, optimizer, data, role, s):
    name = data.draw(st.sampled_from(names_for(optimizer)))
    table = table_of(name, optimizer)
    original = losses(model, optimizer, table)
    assert original[-1] < original[0] - 0.02  # the optimizer does something to agree on
    shifted = losses(model, optimizer, table.shifted(role, s))
    torch.testing.assert_close(shifted, original, rtol=0, atol=1e-9)


@every_model
@pytest.mark.parametrize(
    ("optimizer", "name"), [(one, name) for one in OPTIMIZERS for name in names_for(one)]
)
def test_all_roles_shifted_at_once_train_the_same_network(model, optimizer, name):
    table = table_of(name, optimizer)
    shifted = losses(model, optimizer, table.unit())  # drawn at gain/√fan_in of the base shape
    torch.testing.assert_close(shifted, losses(model, optimizer, table), rtol=0, atol=1e-9)


@every_model
@every_optimizer
@pytest.mark.parametrize("role", DRAWN)
@pytest.mark.parametrize("field", ["multiplier", "init_std", "lr"])
def test_one_wrong_exponent_trains_another_network(model, optimizer, role, field):
    table = table_of("mup", optimizer).shifted(role, W(1 / 2))
    original = losses(model, optimizer, table)
    rule = table.rules[role]
    wrong = replace(rule, **{field: getattr(rule, field) * W(1 / 2)})
    other = losses(model, optimizer, replace(table, rules={**table.rules, role: wrong}))
    assert (other - original).abs().max() > 1e-3


@every_model
@pytest.mark.parametrize(("optimizer", "field"), [("sgd", "weight_decay"), ("adamw", "eps")])
def test_a_shift_that_forgets_decay_or_eps_trains_another_network(model, optimizer, field):
    table = table_of("mup", optimizer)
    shifted = table.shifted(Role.HIDDEN, W(2))
    old, new = table.rules[Role.HIDDEN], shifted.rules[Role.HIDDEN]
    wrong = replace(new, **{field: getattr(old, field)})
    other = losses(model, optimizer, replace(shifted, rules={**table.rules, Role.HIDDEN: wrong}))
    assert (other - losses(model, optimizer, table)).abs().max() > 1e-3


def test_the_shift_of_another_optimizer_trains_another_network():
    """The learning rate's exponent depends on the gradient power: Adam's is not SGD's."""
    mup = table_of("mup", "sgd")
    as_adam = mup.rules[Role.HIDDEN].shifted(W(1), SCALE_FREE)
    other = losses("mlp", "sgd", replace(mup, rules={**mup.rules, Role.HIDDEN: as_adam}))
    assert (other - losses("mlp", "sgd", mup)).abs().max() > 1e-3


def test_vectors_have_no_multiplier_to_shift_into():
    network = MODELS["mlp"][0]()
    table = table_of("mup", "sgd").shifted(Role.VECTOR, W(1))
    with pytest.raises(RoleError, match=r"input\.bias \(vector\) a multiplier"):
        resolve.resolve(network, table, RATIOS, Base(0.1))


# The explicit formula of the Super Consistency paper ---------------------------------------


class Explicit:
    """The paper's two-layer ConvNet as it prints it: N(0, 1) weights, all scaling explicit.

    y = W x / √fan_in in each layer, times 1/γ at the readout, ReLU then max-pooling; SGD with
    η = η₀γ² for every weight. γ = √F in µP and 1 in NTP, with F the readout's fan_in.
    """

    def __init__(self, weights, gamma):
        self.weights = [w.clone().requires_grad_() for w in weights]
        self.gamma = gamma

    def output(self, x):
        first, second, readout = self.weights
        h = F.conv2d(x, first, stride=2, padding=1) / math.sqrt(9 * x.shape[1])
        h = F.max_pool2d(F.relu(h), 2)
        h = F.conv2d(h, second, stride=4, padding=1) / math.sqrt(9 * h.shape[1])
        h = F.max_pool2d(F.relu(h), 2).flatten(1)
        return h @ readout.T / (self.gamma * math.sqrt(h.shape[1]))

    def step(self, x, y, eta0):
        """The loss, and one update."""
        loss = F.cross_entropy(self.output(x), y)
        gradients = torch.autograd.grad(loss, self.weights)
        with torch.no_grad():
            for w, g in zip(self.weights, gradients, strict=True):
                w -= eta0 * self.gamma**2 * g
        return loss.item()


def unit_network(name, width, shape):
    """Our ConvNet in the unit form with base width 1, and its rows."""
    network = network_of("conv", width=width, depth=1, input_shape=shape, classes=4)
    table, ratios = PARAMETERISATIONS[name][SGD], Ratios(width=width)
    rows = resolve.resolve(network, table, ratios, Base(lr=0.5, weights="unit"))
    resolve.apply(network, rows, table, ratios, seed=0)
    return network, rows


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
@pytest.mark.parametrize("width", [4, 16])
@pytest.mark.parametrize("name", ["mup", "ntp"])
def test_unit_weights_are_the_papers_explicit_formula(name, width, shape):
    network, rows = unit_network(name, width, shape)
    features = network.readout.fan_in
    assert features == width  # one pixel is left, so that F = N and base width 1 means γ₀ = 1
    explicit = Explicit([p.detach() for p in network.parameters()], explicit_gamma(name, features))
    steps = optimizer_of("sgd", resolve.groups(network, rows))
    x, y = batch(shape)
    ours, theirs = [], []
    for _ in range(STEPS):
        theirs.append(explicit.step(x, y, eta0=0.5))
        loss = F.cross_entropy(network(x), y)
        steps.zero_grad()
        loss.backward()
        steps.step()
        ours.append(loss.item())
    torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), rtol=1e-9, atol=0)
    assert ours[-1] < 0.9 * ours[0]
    for p, q in zip(network.parameters(), explicit.weights, strict=True):
        torch.testing.assert_close(p.detach(), q.detach(), rtol=1e-8, atol=1e-9)


def explicit_gamma(name, features):
    return math.sqrt(features) if name == "mup" else 1.0


@pytest.mark.parametrize("name", ["mup", "ntp"])
def test_unit_rows_are_the_papers_numbers(name):
    _, rows = unit_network(name, 16, (1, 28, 28))
    gamma = explicit_gamma(name, 16)
    assert [row.init_std for row in rows] == [1.0, 1.0, 1.0]
    assert [row.lr for row in rows] == pytest.approx([0.5 * gamma**2] * 3)
    multipliers = [1 / 3, 1 / 12, 1 / (4 * gamma)]
    assert [row.multiplier for row in rows] == pytest.approx(multipliers)


def test_unit_and_fan_in_weights_are_different_networks_to_train():
    """One learning rate for N(0, 1) weights is not one for weights of deviation 1/√fan_in."""
    table = table_of("mup", "sgd")
    fan_in, unit = (losses("mlp", "sgd", table, weights) for weights in ("fan_in", "unit"))
    assert unit[0] == pytest.approx(fan_in[0].item(), rel=1e-12)  # the same function at the start
    assert (unit - fan_in).abs().max() > 1e-3
