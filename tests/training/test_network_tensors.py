"""Parameters and buffers of networks, read, given and restored by name."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hypertransfer.training.network_tensors import load_tensors, tensors_of, unchanged


class Growing(nn.Module):
    """A linear map with a table that is made on the first call and widened on longer inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.register_buffer("table", None)
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.table is None or len(self.table) < len(x):
            self.table = torch.arange(2.0 * len(x))
        self.calls += 1
        return self.linear(x) * self.table[: len(x), None]


def copies(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors_of(model).items()}


def assert_same(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    own = tensors_of(model)
    assert set(own) == set(tensors)
    assert all(torch.equal(own[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize(("before", "after"), [(0, 4), (4, 0), (2, 7), (7, 2), (5, 5)])
def test_buffers_have_the_values_and_shapes_that_are_given(before, after):
    def used(tokens):
        network = Growing()
        if tokens:
            network(torch.randn(tokens, 3))
        return network

    given, network = used(after), used(before)
    load_tensors(network, copies(given))
    assert_same(network, copies(given))
    assert "table" in network._buffers
    x = torch.randn(6, 3)
    assert torch.equal(network(x), given(x))


def test_the_tensors_of_the_network_are_not_those_given():
    network, given = Growing(), Growing()
    given(torch.randn(4, 3))
    tensors = copies(given)
    parameters = list(network.parameters())
    load_tensors(network, tensors)
    assert all(p is own for p, own in zip(network.parameters(), parameters, strict=True))
    with torch.no_grad():
        for tensor in tensors_of(network).values():
            tensor.add_(1)
    assert_same(given, tensors)


def test_a_shared_tensor_is_read_once_and_given_to_both():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[1].weight = network[0].weight
    assert set(tensors_of(network)) == {"0.weight", "0.bias", "1.bias"}
    load_tensors(network, {n: torch.ones_like(t) for n, t in tensors_of(network).items()})
    assert network[1].weight is network[0].weight
    assert network[1].weight.eq(1).all()


@pytest.mark.parametrize("change", ["missing", "further", "shape", "module"])
def test_tensors_of_another_network_are_refused_and_change_nothing(change):
    network = Growing()
    before, tensors = copies(network), copies(Growing())
    named = {
        "missing": "linear.bias",
        "further": "linear.weight.more",
        "shape": "linear.weight",
        "module": "other.table",
    }[change]
    if change == "missing":
        del tensors[named]
    else:
        tensors[named] = torch.ones(5, 5)
    with pytest.raises(ValueError, match=f"of another network: {named} differ"):
        load_tensors(network, tensors)
    assert_same(network, before)


def test_a_measurement_restores_tables_that_grew_and_tables_that_were_made():
    network = Growing()
    before = copies(network)
    with unchanged(network):
        network(torch.randn(4, 3)).sum().backward()
        network.register_buffer("late", torch.ones(2))
    assert_same(network, before)
    assert network.table is None
    assert all(parameter.grad is None for parameter in network.parameters())
    network(torch.randn(4, 3))
    before = copies(network)
    with unchanged(network):
        network(torch.randn(9, 3))
    assert_same(network, before)
