"""The state of an optimizer goes through a file bit for bit, and no code comes out of it."""

from __future__ import annotations

import math
import random
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from enum import Enum

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from hypertransfer.runs.canonical import canonical, parse_json
from hypertransfer.training.optimizer_state import of_optimizer, to_optimizer
from hypertransfer.training.state import StateError


class Projector:
    """Stands for an object of the optimizer's package that holds tensors."""

    def __init__(self, rank):
        self.rank, self.matrix = rank, torch.randn(rank, rank)


class Kind(Enum):
    FIRST = 1
    SECOND = 2


Pair = namedtuple("Pair", "moment steps")


class WithSlot:
    __slots__ = ("steps",)


class WithSlotAndDict(WithSlot):
    """Its `steps` are in a slot, its `note` in a dictionary."""

    def __init__(self):
        self.steps, self.note = 0, ""


class Hoarder(torch.optim.Optimizer):
    """Keeps something of everything, in the state, in the groups and in attributes."""

    def __init__(self, shapes=((4, 3), (3,))):
        parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in shapes]
        super().__init__([{"params": [p], "lr": 0.1} for p in parameters], {})
        self.function = lambda x: x
        self.kind, self.generator = Kind.FIRST, torch.Generator()
        self.dice, self.numpy = random.Random(0), np.random.default_rng(0)
        self.old_numpy, self.calls = np.random.RandomState(0), Counter()
        self.slotted = WithSlotAndDict()
        self.by_id, self.losses, self.count = {}, deque(maxlen=3), 0

    def live(self, steps):
        """Change all that can change."""
        for _ in range(steps):
            self.count += 1
            self.losses.append(torch.rand(()))
            torch.randn(2, generator=self.generator)
            self.dice.random()
            self.numpy.random()
            self.old_numpy.rand()
            self.calls["step"] += 1
            self.slotted.steps += 1
        self.slotted.note = "lived"
        self.kind = Kind.SECOND
        self.state["emotion"] = {"short": 0.1, "never": math.nan, "far": -math.inf}
        for group in self.param_groups:
            group["weights"] = {"sum": torch.rand((), dtype=torch.float64), 3: [None, "a", True]}
            for p in group["params"]:
                shared = torch.randn_like(p)
                self.state[p] = {
                    "step": torch.tensor(steps),
                    "half": torch.randn_like(p).bfloat16(),
                    "codes": torch.arange(5, dtype=torch.uint8),
                    "turned": torch.randn(2, 3).t(),
                    "expanded": torch.randn(3, 1).expand(3, 4),
                    "projector": Projector(2),
                    "one": shared,
                    "other": shared,
                    "shape": (p.shape, torch.float16, [p]),
                    "ordered": OrderedDict(b=1, a=np.float64(0.1)),
                    "array": np.arange(4).reshape(2, 2),
                    "pair": Pair(torch.randn_like(p), steps),
                    "counts": defaultdict(int, a=1),
                    "plain": defaultdict(None, a=1),
                }
                self.by_id[id(p)] = {"steps": steps}
        return self


def through_a_file(optimizer):
    """The tensors and the structure after a file, as training keeps and reads them."""
    tensors, structure = of_optimizer(optimizer)
    contiguous = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    return load(save(contiguous)), parse_json(canonical(structure).encode())


def restored(optimizer):
    other = Hoarder()
    to_optimizer(other, *through_a_file(optimizer))
    return other


@pytest.fixture
def pair():
    torch.manual_seed(0)
    first = Hoarder().live(5)
    return first, restored(first)


def states(pair):
    first, second = pair
    for a, b in zip(first.param_groups, second.param_groups, strict=True):
        yield from zip(
            [first.state[p] for p in a["params"]], [second.state[p] for p in b["params"]],
            strict=True,
        )  # fmt: skip


def test_tensors_keep_value_dtype_and_memory_layout(pair):
    for one, other in states(pair):
        for name, tensor in one.items():
            if isinstance(tensor, torch.Tensor):
                assert torch.equal(tensor, other[name]), name
                assert tensor.dtype == other[name].dtype, name
                assert tensor.stride() == other[name].stride(), name


def test_a_tensor_that_stands_twice_is_one_tensor(pair):
    for _, state in states(pair):
        assert state["one"] is state["other"]


def test_values_of_groups_and_attributes_return(pair):
    first, second = pair
    assert second.count == 5
    assert second.kind is Kind.SECOND
    assert second.losses == first.losses
    assert second.losses.maxlen == 3
    assert repr(second.state["emotion"]) == repr(first.state["emotion"])
    for a, b in zip(first.param_groups, second.param_groups, strict=True):
        assert a["weights"] == b["weights"]
        assert b["weights"]["sum"].dtype == torch.float64
    assert list(second.by_id) == [id(p) for g in second.param_groups for p in g["params"]]


def test_objects_and_values_of_the_state_return(pair):
    for one, other in states(pair):
        assert isinstance(other["projector"], Projector)
        assert torch.equal(one["projector"].matrix, other["projector"].matrix)
        shape, dtype, (parameter,) = other["shape"]
        assert type(shape) is torch.Size
        assert shape == one["shape"][0] == parameter.shape
        assert dtype is torch.float16
        assert pair[1].state[parameter] is other
        assert list(other["ordered"].items()) == list(one["ordered"].items())
        assert type(other["ordered"]["a"]) is np.float64
        assert other["array"].tolist() == one["array"].tolist()
        assert type(other["pair"]) is Pair
        assert torch.equal(other["pair"].moment, one["pair"].moment)
        other["counts"]["b"] += 1
        assert other["counts"] == {"a": 1, "b": 1}
        assert other["plain"].default_factory is None


def test_counters_and_slots_return(pair):
    _, second = pair
    assert type(second.calls) is Counter
    assert second.calls == {"step": 5}
    assert (second.slotted.steps, second.slotted.note) == (5, "lived")


def test_generators_go_on(pair):
    first, second = pair
    a, b = (torch.randn(3, generator=o.generator) for o in pair)
    assert torch.equal(a, b)
    assert first.dice.random() == second.dice.random()
    assert first.numpy.random() == second.numpy.random()
    assert first.old_numpy.rand() == second.old_numpy.rand()


def test_functions_stay_those_of_the_new_optimizer(pair):
    first, second = pair
    assert second.function is not first.function
    assert second.function(3) == 3


ARRAYS = [
    np.zeros((0, 3)), np.array(3.5), np.arange(6.0).reshape(2, 3).T, np.arange(3, dtype=">f8"),
    np.array(["ab", "c"]), np.array(["2020-01-01"], "M8[D]"), np.arange(3) + 1j,
    np.arange(12)[::2], np.array([True, False]), np.array([np.nan, -0.0], np.float16),
    np.array([2**63], np.uint64),
]  # fmt: skip


@pytest.mark.parametrize("array", ARRAYS, ids=str)
def test_arrays_of_all_types_return(array):
    optimizer = Hoarder()
    optimizer.kept = array
    found = restored(optimizer).kept
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.tobytes() == array.tobytes()
    assert found.flags.writeable
    if array.flags.fnc:
        assert found.strides == array.strides


def test_arrays_and_tensors_of_one_optimizer_do_not_take_each_others_place():
    optimizer = Hoarder()
    optimizer.kept = [np.full(2, 1.0), torch.full((2,), 2.0), np.full(2, 3.0), [np.full(2, 4.0)]]
    first, second, third, (fourth,) = restored(optimizer).kept
    assert [float(x[0]) for x in (first, second, third, fourth)] == [1, 2, 3, 4]


def test_an_array_is_no_text_in_the_header():
    optimizer = Hoarder()
    _, before = of_optimizer(optimizer)
    optimizer.kept = np.zeros(100_000)
    _, structure = of_optimizer(optimizer)
    assert len(canonical(structure)) < len(canonical(before)) + 1000


def test_an_array_with_a_mask_is_refused():
    optimizer = Hoarder()
    optimizer.kept = np.ma.masked_array([1, 2], [True, False])
    with pytest.raises(StateError, match=r"^Hoarder\.kept holds an object of numpy\.ma"):
        of_optimizer(optimizer)


def test_what_cannot_be_written_is_named():
    optimizer = Hoarder()
    optimizer.state["log"] = {"file": iter([])}
    with pytest.raises(
        StateError,
        match=r"Hoarder\.state\['log'\]\['file'\] holds an object of builtins\.list_it",
    ):
        of_optimizer(optimizer)


def nested(depth):
    found = []
    for _ in range(depth):
        found = [found]
    return found


def quantised():
    return torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.quint8)


FIELDS = np.zeros(2, np.dtype([("a", "i4"), ("b", "f8")]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch.zeros(2, dtype=torch.complex128), "is of the type complex128, .*complex64"),
        (lambda: torch.zeros(2, dtype=torch.complex32), "is of the type complex32, .*complex64"),
        (quantised, "is of the type quint8, .* plain type"),
        (lambda: torch.ones(2).to(torch.float8_e8m0fnu), "is of the type float8_e8m0fnu, .* plain"),
        (lambda: torch.zeros(2, device="meta"), "is on the device meta, .* another device"),
        (lambda: torch.zeros(2, 2).to_sparse(), "is a sparse tensor, .* make it dense"),
        (lambda: 10**5000, "is a number of too many digits"),
        (lambda: FIELDS, "has named fields, which cannot be saved"),
        (lambda: FIELDS[0], "has named fields, which cannot be saved"),
    ],
)
@pytest.mark.filterwarnings("ignore:torch.quantize", "ignore:ComplexHalf")
def test_values_that_no_file_can_hold_are_named(make, message):
    optimizer = Hoarder()
    optimizer.kept = [make()]
    with pytest.raises(StateError, match=rf"^Hoarder\.kept\[0\] {message}"):
        of_optimizer(optimizer)


def test_values_that_are_nested_too_deeply_are_refused():
    optimizer = Hoarder()
    optimizer.kept = nested(2000)
    with pytest.raises(StateError, match=r"^Hoarder holds values that are nested too deeply"):
        of_optimizer(optimizer)


def test_a_number_of_4200_digits_returns():
    optimizer = Hoarder()
    optimizer.kept = -(10**4200)
    assert restored(optimizer).kept == -(10**4200)


def test_a_state_of_another_optimizer_is_refused():
    state = through_a_file(Hoarder().live(1))
    for other in (torch.optim.SGD([torch.zeros(2)]), Hoarder(shapes=[(4, 3)])):
        with pytest.raises(StateError, match="of another optimizer"):
            to_optimizer(other, *state)


@pytest.mark.parametrize("path", ["subprocess:Popen", "builtins:object", "os:environ", "sys:path"])
def test_no_class_of_other_packages_is_made(path):
    evil = {"kind": "object", "value": path, "attributes": [], "number": 1}
    with pytest.raises(StateError, match="not of the package of Hoarder"):
        to_optimizer(Hoarder(), {}, {"attributes": [["evil", evil]], "classes": {}})


# Common memory ---------------------------------------------------------------------------------


class Sharing(Hoarder):
    """Has views of parameters, and views of one buffer."""

    def share(self):
        parameters = [p for group in self.param_groups for p in group["params"]]
        self.flat, start = torch.arange(15.0), 0
        for p in parameters:
            self.state[p]["fast"] = p.detach()
            self.state[p]["moment"] = self.flat[start : start + p.numel()].view(p.shape)
            start += p.numel()
        self.row = parameters[0].data[1]
        self.alias = self.flat.detach()
        return self


def parts(optimizer):
    return [(p, optimizer.state[p]) for group in optimizer.param_groups for p in group["params"]]


def shared():
    second = Sharing()
    to_optimizer(second, *through_a_file(Sharing().share()))
    return second


def test_views_of_parameters_are_views_of_the_new_parameters():
    second = shared()
    for number, (p, state) in enumerate(parts(second), 1):
        state["fast"].fill_(number)
        assert bool((p == number).all())
    second.row.zero_()
    assert parts(second)[0][0].detach().tolist() == [[1] * 3, [0] * 3, [1] * 3, [1] * 3]


def test_views_of_one_buffer_have_one_buffer():
    second = shared()
    assert second.flat.tolist() == second.alias.tolist() == list(range(15))
    (_, matrix), (_, vector) = parts(second)
    assert matrix["moment"].tolist() == torch.arange(12.0).view(4, 3).tolist()
    second.flat.zero_()
    assert not second.alias.any()
    assert not matrix["moment"].any()
    assert not vector["moment"].any()
    assert len(of_optimizer(second)[0]) == len(of_optimizer(Hoarder())[0]) + 1


def test_memory_of_tensors_of_two_types_is_refused_by_place():
    optimizer = Hoarder()
    whole = torch.zeros(4)
    optimizer.state.update(whole=whole, bits=whole.view(torch.int32))
    with pytest.raises(StateError, match=r"state\['whole'\] and .*state\['bits'\] have common mem"):
        of_optimizer(optimizer)


def test_arrays_on_the_memory_of_tensors_are_refused_by_place():
    optimizer = Hoarder()
    (parameter, _), *_ = parts(optimizer)
    optimizer.array = parameter.detach().numpy()
    with pytest.raises(StateError, match=r"Hoarder\.array is an array on the memory of a"):
        of_optimizer(optimizer)
    optimizer.tensor = torch.zeros(3)
    optimizer.array = optimizer.tensor.numpy()
    with pytest.raises(StateError, match=r"Hoarder\.array and Hoarder\.tensor have common memory"):
        of_optimizer(optimizer)


def test_two_arrays_on_one_memory_are_refused_as_such():
    optimizer = Hoarder()
    optimizer.array = np.zeros(4)
    optimizer.part = optimizer.array[:2]
    text = r"Hoarder\.array and Hoarder\.part have common memory, which arrays of numpy would lose"
    with pytest.raises(StateError, match=text):
        of_optimizer(optimizer)


def test_entries_that_share_memory_go_on_sharing_it():
    optimizer = Hoarder()
    optimizer.rows = torch.arange(4.0)[None, :, None].expand(3, 4, 2)
    optimizer.trained = torch.ones(1).expand(5).requires_grad_()
    second = restored(optimizer)
    assert torch.equal(second.rows, optimizer.rows)
    assert second.rows.stride() == (0, 1, 0)
    assert (second.trained.stride(), second.trained.requires_grad) == ((0,), True)
    assert second.rows.untyped_storage().nbytes() == 4 * 4


# Graphs ----------------------------------------------------------------------------------------


def test_a_tensor_with_a_graph_returns_without_it():
    optimizer = Hoarder()
    optimizer.loss = torch.ones(2, requires_grad=True).exp()
    optimizer.leaf = torch.ones(2, requires_grad=True)
    second = restored(optimizer)
    assert torch.equal(second.loss, torch.full((2,), math.e))
    assert (second.loss.requires_grad, second.leaf.requires_grad) == (False, True)


def test_a_view_of_a_parameter_with_a_graph_is_refused_by_place():
    optimizer = Hoarder()
    optimizer.row = parts(optimizer)[0][0][1]
    with pytest.raises(StateError, match=r"Hoarder\.row is a view of a parameter with a graph"):
        of_optimizer(optimizer)
    optimizer.row = optimizer.row.detach()
    assert of_optimizer(optimizer)
