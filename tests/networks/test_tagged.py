"""The parameters of a network: which are one, which share memory, which no table can scale."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from hypertransfer.networks.layers import Branch, Embedding, Linear
from hypertransfer.networks.tagged import RoleError, named_roles
from hypertransfer.parameterisation.algebra import Role

WIDTH = 8


def hidden(bias=False):
    return Linear(WIDTH, WIDTH, role=Role.HIDDEN, bias=bias)


def ends():
    """An embedding and a readout with weights of one shape."""
    return nn.ModuleDict(
        {"inp": Embedding(5, WIDTH), "out": Linear(WIDTH, 5, role=Role.OUTPUT)}
    )  # fmt: skip


def assigned_data():
    network = ends()
    network.out.weight.data = network.inp.weight.data
    return network


def wrapped():
    network = ends()
    network.out.weight = nn.Parameter(network.inp.weight)
    return network


def transposed():
    network = ends()
    network.out.weight = nn.Parameter(network.inp.weight.t())
    return network


def part():
    """A bias that is a row of a matrix of another module."""
    network = ends()
    network.norm = nn.LayerNorm(WIDTH, bias=False)
    network.norm.roles = {"weight": Role.VECTOR}
    network.norm.weight = nn.Parameter(network.out.weight.data[1])
    return network


@pytest.mark.parametrize("make", [assigned_data, wrapped, transposed])
def test_two_parameters_on_one_memory_are_refused(make):
    with pytest.raises(
        RoleError, match=r"inp\.weight and out\.weight are two .* common memory: assign the Param"
    ):
        list(named_roles(make()))


def test_a_parameter_on_a_part_of_another_is_refused():
    with pytest.raises(RoleError, match=r"out\.weight and norm\.weight are two"):
        list(named_roles(part()))


def test_the_parameter_itself_can_be_shared():
    network = ends()
    network.out.weight = network.inp.weight
    assert [tagged.name for tagged in named_roles(network)] == ["inp.weight"]


@pytest.mark.parametrize("columns", [False, True])
def test_views_of_one_buffer_without_common_entries_are_parameters(columns):
    network = nn.ModuleList([hidden(), hidden()])
    flat = torch.zeros(2 * WIDTH**2)
    for layer, rows, interleaved in zip(
        network, flat.split(WIDTH**2), flat.view(WIDTH, 2 * WIDTH).split(WIDTH, 1), strict=True
    ):
        layer.weight.data = interleaved if columns else rows.view(WIDTH, WIDTH)
    assert len(list(named_roles(network))) == 2


def test_parameters_without_entries_share_nothing():
    network = nn.ParameterList([torch.empty(0), torch.empty(0)])
    network.roles = {"0": Role.VECTOR, "1": Role.VECTOR}
    assert len(list(named_roles(network))) == 2


@pytest.mark.parametrize("branch_first", [False, True])
def test_a_module_inside_and_outside_a_branch_is_refused(branch_first):
    layer = hidden()
    parts = {"first": layer, "block": Branch(layer)}
    names = sorted(parts) if branch_first else list(parts)
    network = nn.Sequential()
    for name in names:
        network.add_module(name, parts[name])
    with pytest.raises(RoleError, match=r"first\.weight .*share one tensor.* inside or all out"):
        list(named_roles(network))


def test_a_module_that_two_branches_use_is_one():
    layer = hidden(bias=True)
    network = nn.ModuleList([Branch(layer), Branch(nn.ReLU(), layer)])
    assert [(tagged.name, tagged.in_branch, tagged.sharers) for tagged in named_roles(network)] == [
        ("0.layers.0.weight", True, ()),
        ("0.layers.0.bias", True, ()),
    ]


def with_roles(module, role=Role.VECTOR):
    """The module, with one role for all parameters."""
    for each in module.modules():
        each.roles = {name: role for name, _ in each.named_parameters(recurse=False)}
    return module


@pytest.mark.parametrize("tagged", [False, True])
@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: parametrizations.weight_norm(hidden()), "remove the parametrization"),
        (lambda: parametrizations.spectral_norm(hidden()), "remove the parametrization"),
        (lambda: parametrizations.orthogonal(hidden()), "remove the parametrization"),
        (lambda: nn.utils.weight_norm(hidden()), r"0\.weight_[gv] is .* the parametrization"),
        (lambda: nn.utils.weight_norm(hidden(), dim=None), r"0\.weight_g is .* parametrization"),
        (lambda: nn.utils.spectral_norm(hidden()), r"0\.weight_orig is .* the parametrization"),
        (lambda: nn.LSTM(WIDTH, WIDTH), r"0\.weight_ih_l0 of torch's LSTM .* from Linear"),
        (lambda: nn.GRUCell(WIDTH, WIDTH), r"0\.weight_ih of torch's GRUCell .* from Linear"),
        (lambda: nn.MultiheadAttention(WIDTH, 2), r"torch's MultiheadAttention .* from Linear"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_matrices_that_no_table_can_scale_are_refused_with_what_to_use(make, text, tagged):
    module = make()
    network = nn.Sequential(with_roles(module) if tagged else module)
    with pytest.raises(RoleError, match=text):
        list(named_roles(network))


def test_a_complex_parameter_is_refused_by_name():
    network = nn.ParameterDict({"phase": torch.zeros(WIDTH, dtype=torch.complex64)})
    network.roles = {"phase": Role.VECTOR}
    with pytest.raises(RoleError, match="parameter phase is complex: use two real parameters"):
        list(named_roles(network))
