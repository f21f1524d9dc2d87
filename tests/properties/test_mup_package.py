"""µP against its authors' own package (microsoft/mup): the same updates, step for step."""

import mup
import pytest
import torch
from tests.support.parts import network as network_of
from tests.support.parts import optimizer as optimizer_of
from torch import nn
from torch.nn import functional as F

from hypertransfer.networks import resolve
from hypertransfer.networks.resolve import Base
from hypertransfer.parameterisation.algebra import Ratios
from hypertransfer.parameterisation.tables import MUP_ADAM, MUP_SGD, NTP_SGD, SP_ADAM, SP_SGD

STEPS = 15
INPUTS, CLASSES, BASE_WIDTH = 6, 5, 8
# The package leaves Adam's eps unscaled, so it must not matter; 0 would be 0/0 in a dead unit.
NO_EPS = 1e-30


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def perceptron(width, depth):
    """An MLP with biases and `depth` hidden layers, in the words of the package."""
    layers = [nn.Linear(INPUTS, width), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, mup.MuReadout(width, CLASSES))


def theirs(width, depth):
    """The package's network, with its base shapes set and its readout rescaled."""
    network = perceptron(width, depth)
    mup.set_base_shapes(
        network, perceptron(BASE_WIDTH, depth), delta=perceptron(2 * BASE_WIDTH, depth)
    )
    return network


def ours(width, depth, table, base, seed=0):
    """The same MLP of this library, drawn under its table, and its optimizer groups."""
    network = network_of(
        "residual_mlp",
        width=width,
        depth=depth,
        input_shape=(INPUTS,),
        classes=CLASSES,
        bias=True,
        skip=False,
    )
    ratios = Ratios(width=width / BASE_WIDTH)
    rows = resolve.resolve(network, table, ratios, base)
    resolve.apply(network, rows, table, ratios, seed)
    for name, p in network.named_parameters():  # biases that are not all zero
        if name.endswith("bias"):
            nn.init.normal_(p, std=0.1)
    return network, resolve.groups(network, rows)


def copy_weights(source, target):
    """Same parameters in the same order; equal raw values, since the multipliers are equal too."""
    for p, q in zip(source.parameters(), target.parameters(), strict=True):
        q.data.copy_(p.data)


def difference(network, optimizer, other, other_optimizer):
    """Largest difference of outputs and weights over the steps, and how far the outputs moved."""
    x, y = torch.randn(20, INPUTS), torch.arange(20) % CLASSES
    start = network(x).detach()
    worst = 0.0
    for _ in range(STEPS):
        for net, steps in ((network, optimizer), (other, other_optimizer)):
            steps.zero_grad()
            F.cross_entropy(net(x), y).backward()
            steps.step()
        pairs = zip(network.parameters(), other.parameters(), strict=True)
        gaps = [(p - q).abs().max().item() for p, q in pairs]
        worst = max(worst, *gaps, (network(x) - other(x)).abs().max().item())
    return worst, (network(x) - start).abs().max().item()


def sgd_difference(width, depth, table):
    base = Base(lr=0.1, weight_decay=0.01)
    network, groups = ours(width, depth, table, base)
    other = theirs(width, depth)
    copy_weights(network, other)
    reference = mup.MuSGD(other.parameters(), lr=0.1, weight_decay=0.01, momentum=0.5)
    return difference(network, optimizer_of("sgd", groups, momentum=0.5), other, reference)


def adam_difference(width, depth, table):
    network, groups = ours(width, depth, table, Base(lr=0.01, eps=NO_EPS))
    other = theirs(width, depth)
    copy_weights(network, other)
    reference = mup.MuAdam(other.parameters(), lr=0.01, eps=NO_EPS)
    return difference(network, optimizer_of("adamw", groups), other, reference)


every_size = pytest.mark.parametrize(("width", "depth"), [(8, 1), (16, 1), (32, 2), (96, 1)])


@every_size
def test_sgd_makes_the_same_updates_as_mu_sgd(width, depth):
    worst, moved = sgd_difference(width, depth, MUP_SGD)
    assert worst < 1e-10
    assert moved > 0.1


@every_size
def test_adam_makes_the_same_updates_as_mu_adam(width, depth):
    worst, moved = adam_difference(width, depth, MUP_ADAM)
    assert worst < 1e-10
    assert moved > 0.1


@pytest.mark.parametrize("table", [SP_SGD, NTP_SGD], ids=["sp", "ntp"])
def test_other_tables_make_other_updates_than_mu_sgd(table):
    """Also at equal raw weights: the comparison sees the table, not just the network."""
    assert sgd_difference(8, 1, table)[0] < 1e-10  # all tables are one at the base shape
    assert sgd_difference(32, 1, table)[0] > 1e-2


def test_other_tables_make_other_updates_than_mu_adam():
    assert adam_difference(8, 1, SP_ADAM)[0] < 1e-10
    assert adam_difference(32, 1, SP_ADAM)[0] > 1e-2


def test_decoupled_decay_is_that_of_mu_adamw():
    network, groups = ours(32, 1, MUP_ADAM, Base(lr=0.01, weight_decay=0.3, eps=NO_EPS))
    other = theirs(32, 1)
    copy_weights(network, other)
    reference = mup.MuAdamW(other.parameters(), lr=0.01, weight_decay=0.3, eps=NO_EPS)
    worst, moved = difference(network, optimizer_of("adamw", groups), other, reference)
    assert worst < 1e-10
    assert moved > 0.1


def test_initial_deviations_scale_as_in_the_package():
    """Ratios over the base width, as the package's constants are torch's and not ours."""

    def package(width, seed):
        network = theirs(width, 1)
        return [m.weight.std().item() for m in network if isinstance(m, nn.Linear)]

    def library(width, seed):
        network, _ = ours(width, 1, MUP_SGD, Base(lr=0.1), seed)
        return [p.std().item() for p in network.parameters() if p.ndim == 2]

    for deviations in (package, library):
        base = torch.tensor([deviations(BASE_WIDTH, seed) for seed in range(200)]).mean(0)
        wide = torch.tensor([deviations(16 * BASE_WIDTH, seed) for seed in range(20)]).mean(0)
        ratios = torch.tensor([1.0, 1 / 4, 1.0])  # input, hidden, readout
        torch.testing.assert_close(wide / base, ratios, rtol=0.05, atol=0)
