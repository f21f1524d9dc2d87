"""Attributes that training changes go through a file and back; others are left alone."""

from __future__ import annotations

import collections
import itertools
import json
import threading
import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hypertransfer.training.module_state import ModuleState
from hypertransfer.training.state import StateError


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.count, self.history = 0, [1.0]


class Net(nn.Module):
    """A network with attributes of many kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.linear = Inner(), nn.Linear(2, 2)
        self.mean = torch.zeros(3)
        self.generator = torch.Generator().manual_seed(1)
        self.alias = self.inner.history  # the same list
        self.layers = [self.linear, self.linear.weight]
        self.lock, self.functional, self.act = threading.Lock(), F, lambda x: x
        self.settings = collections.Counter(a=1)
        self.spare = 1


def nested(depth: int) -> list:
    found: list = []
    for _ in range(depth):
        found = [found]
    return found


def through_a_file(state: ModuleState) -> tuple[dict, list]:
    tensors, structure = state.changed()
    return {n: t.clone() for n, t in tensors.items()}, json.loads(json.dumps(structure))


def trained(net: Net) -> Net:
    net.inner.count = 7
    net.inner.history.append(2.0)
    net.mean = net.mean + 0.5
    torch.rand(5, generator=net.generator)
    net.late = (1, torch.ones(2))
    net.settings["a"] += 1
    del net.spare
    with torch.no_grad():
        net.linear.weight.add_(1)
    return net


def net_without_lock() -> Net:
    net = Net()
    del net.lock
    return net


def test_changed_attributes_are_restored():
    one, other = net_without_lock(), net_without_lock()
    state = ModuleState(one)
    trained(one)
    ModuleState(other).restore(*through_a_file(state))
    assert (other.inner.count, other.inner.history) == (7, [1.0, 2.0])
    assert torch.equal(other.mean, torch.full((3,), 0.5))
    assert torch.equal(
        torch.rand(4, generator=other.generator), torch.rand(4, generator=one.generator)
    )
    assert other.late[0] == 1
    assert other.late[1].tolist() == [1, 1]
    assert not hasattr(other, "spare")
    assert other.alias is other.inner.history
    assert other.layers[0] is other.linear
    assert other.settings == collections.Counter(a=2)


def test_what_training_does_not_change_is_not_written():
    net = net_without_lock()
    state = ModuleState(net)
    with torch.no_grad():
        net.linear.weight.add_(1)
    tensors, structure = state.changed()
    assert not tensors
    assert structure["attributes"] == structure["removed"] == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "settings",
            collections.ChainMap({"a": 2}),
            r"^Net\.settings holds an object of collections\.ChainMap, which cannot",
        ),
        ("count", itertools.count(), r"^Net\.count holds an object of itertools\.count, which"),
        ("act", F.relu, r"^Net\.act is code that the network changed"),
        ("mean", torch.zeros(2, device="meta"), r"^Net\.mean is on the device meta"),
        ("settings", nested(2000), r"^Net holds values that are nested too deeply"),
    ],
)
def test_a_change_that_no_file_can_hold_is_named(name, value, message):
    net = net_without_lock()
    state = ModuleState(net)
    setattr(net, name, value)
    with pytest.raises(StateError, match=message):
        state.changed()


def test_an_object_that_may_have_changed_unseen_is_named():
    with pytest.raises(StateError, match=r"^Net\.lock holds an object of _thread\.lock, "):
        ModuleState(Net()).changed()


def test_an_attribute_of_an_inner_module_is_named_by_its_path():
    net = net_without_lock()
    state = ModuleState(net)
    net.inner.count = itertools.count()
    with pytest.raises(StateError, match=r"^Net\.inner\.count holds an object of itertools"):
        state.changed()


@pytest.mark.parametrize("missing", ["attributes", "removed"])
def test_a_structure_that_lacks_a_part_is_of_another_network(missing):
    tensors, structure = through_a_file(ModuleState(trained(net_without_lock())))
    del structure[missing]
    with pytest.raises(StateError, match="is of another network"):
        ModuleState(net_without_lock()).restore(tensors, structure)


def test_an_attribute_of_a_module_that_the_network_lacks_is_refused():
    one = net_without_lock()
    state = ModuleState(one)
    one.inner.count = 3
    with pytest.raises(StateError, match="is of another network"):
        ModuleState(nn.Linear(2, 2)).restore(*through_a_file(state))


def test_a_start_takes_no_copy_of_an_array():
    net = net_without_lock()
    net.table = np.ones(2_000_000)
    tracemalloc.start()
    try:
        state = ModuleState(net)
        assert tracemalloc.get_traced_memory()[1] < net.table.nbytes / 4
    finally:
        tracemalloc.stop()
    net.table[-1] = 2
    _, structure = state.changed()
    assert "table" in [name for name, _ in structure["attributes"]]


class Note:
    """An object of the network's package, whose class counts too."""

    made = 0


def test_attributes_of_classes_of_held_objects_are_restored(monkeypatch):
    monkeypatch.setattr(Note, "made", 0)
    one, other = net_without_lock(), net_without_lock()
    state = ModuleState(one)
    one.note, Note.made = Note(), 5
    saved = through_a_file(state)
    Note.made = 0
    ModuleState(other).restore(*saved)
    assert (type(other.note), Note.made) == (Note, 5)


def test_classes_are_written_in_the_order_of_the_modules():
    """An order by address would differ from process to process."""
    kinds = [type(f"Kind{n}", (nn.Module,), {"calls": 0}) for n in range(8)]
    net = nn.Sequential(*(kind() for kind in kinds))
    state = ModuleState(net)
    assert [cls for cls in state._classes() if cls in kinds] == kinds
