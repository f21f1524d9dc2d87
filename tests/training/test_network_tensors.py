"""Parameters and buffers of networks, read, given and restored by name."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict, defaultdict, deque

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hypertransfer.training.network_tensors import evaluating, load_tensors, tensors_of, unchanged


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


class Holder(nn.Module):
    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)


def two_holders(first: Tensor, second: Tensor) -> nn.Module:
    return nn.Sequential(Holder(first), Holder(second))


@pytest.mark.parametrize("size", [3, 5])
def test_modules_go_on_sharing_a_buffer_of_equal_values(size):
    table = torch.ones(3)
    network = two_holders(table, table)
    load_tensors(network, {f"{number}.table": torch.full((size,), 2.0) for number in (0, 1)})
    network[0].table.add_(1)
    assert torch.equal(network[1].table, torch.full((size,), 3.0))


def test_modules_go_on_sharing_a_buffer_with_a_value_that_is_no_number():
    table = torch.ones(2)
    network = two_holders(table, table)
    given = torch.tensor([float("nan"), 2.0])
    load_tensors(network, {"0.table": given, "1.table": given.clone()})
    assert network[0].table is network[1].table
    assert network[0].table[1] == 2


@pytest.mark.parametrize("name", ["bias", "inner.weight.bias", "inner"])
def test_a_parameter_that_the_network_has_not_is_no_buffer(name):
    network = nn.Sequential(OrderedDict(linear=nn.Linear(2, 2, bias=False), inner=nn.ReLU()))
    name = f"linear.{name}" if name == "bias" else name
    with pytest.raises(ValueError, match=f"of another network: {name} differ"):
        load_tensors(network, {"linear.weight": torch.ones(2, 2), name: torch.ones(2)})
    assert set(tensors_of(network)) == {"linear.weight"}


def test_modules_that_stopped_sharing_a_buffer_get_their_own():
    table = torch.ones(3)
    network = two_holders(table, table)
    given = two_holders(torch.ones(3), torch.zeros(4))
    assert set(tensors_of(network)) == {"0.table", "1.table"}
    load_tensors(network, copies(given))
    assert_same(network, copies(given))


def test_a_buffer_of_another_dtype_is_replaced():
    network = two_holders(torch.ones(3), torch.ones(3))
    given = two_holders(torch.ones(3, dtype=torch.float64) / 3, torch.ones(3))
    load_tensors(network, copies(given))
    assert_same(network, copies(given))


class Restless(nn.Module):
    """Changes an attribute, a buffer and a generator in each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("wide", torch.ones(1).expand(2))  # whose entries share memory
        self.passes, self.generator = 0, torch.Generator().manual_seed(1)
        self.total = torch.zeros(())  # no buffer

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        self.seen += 1
        self.total += 1
        self.cache = x
        return self.wide * self.linear(x) * torch.rand((), generator=self.generator)


@pytest.mark.parametrize("measuring", [evaluating, unchanged])
def test_a_measurement_leaves_no_trace(measuring):
    network, untouched = Restless(), Restless()
    x = torch.randn(4, 3)
    network.linear.eval()
    with measuring(network):
        assert network.training is (measuring is unchanged)
        network(x)
    assert (network.passes, network.seen.item(), network.total.item()) == (0, 0, 0)
    assert not hasattr(network, "cache")
    assert torch.equal(network.generator.get_state(), untouched.generator.get_state())
    assert (network.training, network.linear.training) == (True, False)


class Tallying(nn.Module):
    """Changes what its attributes hold in each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.stats = {"n": 0, "inner": {"sizes": [1]}}
        self.counts, self.groups = Counter(a=1), defaultdict(list, a=[1])
        self.ordered = OrderedDict(a=1, b=2)
        self.seen, self.last = {0}, deque([1, 2, 3], maxlen=3)
        self.array, self.fixed = np.zeros(3), np.ones(2)
        self.fixed.flags.writeable = False
        self.pair = ([1], torch.zeros(2), random.Random(0))
        self.layers = [self.linear, self.linear.weight]
        self.layers.append(self.layers)  # holds itself

    def forward(self, x: Tensor) -> Tensor:
        self.stats["n"] += 1
        self.stats["inner"]["sizes"].append(2)
        self.stats["new"] = 1
        self.counts["a"] += 1
        self.groups["b"].append(1)
        self.ordered.move_to_end("a")
        self.ordered["c"] = 3
        self.seen.add(len(self.seen))
        self.last.append(4)
        self.array += 1
        self.pair[0].append(2)
        self.pair[1].add_(1)
        self.pair[2].random()
        self.layers.pop()
        return self.linear(x)


@pytest.mark.parametrize("measuring", [evaluating, unchanged])
def test_a_measurement_restores_what_containers_hold(measuring):
    network = Tallying()
    stats, inner = network.stats, network.stats["inner"]
    with measuring(network):
        network(torch.randn(4, 3))
        assert network.stats["n"] == 1
    assert network.stats is stats
    assert stats == {"n": 0, "inner": {"sizes": [1]}}
    assert stats["inner"] is inner
    assert network.counts == Counter(a=1)
    assert network.groups == {"a": [1]}
    assert network.groups["more"] == []
    assert list(network.ordered.items()) == [("a", 1), ("b", 2)]
    assert network.seen == {0}
    assert network.last == deque([1, 2, 3], maxlen=3)
    assert network.array.tolist() == [0, 0, 0]
    assert (network.pair[0], network.pair[1].tolist()) == ([1], [0, 0])
    assert network.pair[2].random() == random.Random(0).random()
    assert network.layers[0] is network.linear
    assert network.layers[2] is network.layers


@pytest.mark.parametrize("measuring", [evaluating, unchanged])
def test_a_measurement_restores_a_compiled_module(measuring):
    network = torch.jit.script(nn.BatchNorm1d(2))
    with measuring(network):
        network.running_mean = torch.full((2,), 7.0)
        network.running_var.add_(1)
    assert network.running_mean.tolist() == [0, 0]
    assert network.running_var.tolist() == [1, 1]
    assert network.training


def test_a_buffer_whose_entries_share_memory_is_replaced():
    network = two_holders(torch.ones(1).expand(3), torch.ones(3))
    given = two_holders(torch.arange(3.0), torch.ones(3))
    load_tensors(network, copies(given))
    assert_same(network, copies(given))
