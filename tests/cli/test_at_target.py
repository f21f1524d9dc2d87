"""The module that `recommend --groups` writes, against what the table does to the network."""

from __future__ import annotations

import math
import types

import pytest
import torch
from tests.support import foreign, own_parts
from tests.support.specs import VALID
from tests.training.conftest import offered
from tests.training.test_adopted import features, gpt2, mlp, tokens
from torch import nn

from hypertransfer.catalogue import complete, lookup
from hypertransfer.cli.at_target import scaled
from hypertransfer.networks.adopted.recipe import Recipe
from hypertransfer.networks.adopted.scaling import drawn_values
from hypertransfer.training import build, data_sets

BASE, TARGET = (16, 1), (64, 2)


class Recurrent(nn.Module):
    """Two layers of gates; the matrices of torch are drawn alike."""

    def __init__(self, width):
        super().__init__()
        self.token = nn.Embedding(50, width)
        self.gates = nn.LSTM(width, width, 2, batch_first=True)
        self.head = nn.Linear(width, 50)

    def forward(self, x):
        return self.head(self.gates(self.token(x))[0])


def recurrent(width, depth):
    return Recurrent(width)


def transformer(width, depth):
    return foreign.Transformer(width, depth)


def gpt(width, depth):
    return gpt2(width, depth)


NETWORKS = {
    "gpt": ("tokens", "completep"),
    "transformer": ("tokens", "completep"),
    "mlp": ("features", "mup"),
    "recurrent": ("tokens", "mup"),
    "otherwise": ("tokens", "mup"),
}
GATES = {"gates.weight_*": "hidden", "gates.bias_*": "vector"}
ADOPT = {"recurrent": {"roles": GATES}}
BUILDS = {
    "gpt": gpt,
    "transformer": transformer,
    "mlp": mlp,
    "recurrent": recurrent,
    "otherwise": lambda width, depth: Drawn(width),
}


@pytest.fixture(autouse=True)
def guests(monkeypatch, tmp_path):
    """Builders and data of the tests, as `guests:<name>`."""
    parts = {**BUILDS, "tokens": tokens, "features": features}
    yield from offered(monkeypatch, tmp_path, "guests", parts)


@pytest.fixture
def own(monkeypatch, tmp_path):
    """The parts of `tests.support.own_parts`, as `mine:<name>`."""
    parts = {part.__name__: part for part in own_parts.PARTS}
    yield from offered(monkeypatch, tmp_path, "mine", parts)


def adopting(name, **values):
    data, table = NETWORKS[name]
    sizes = [dict(zip(("width", "depth"), size, strict=True)) for size in (BASE, TARGET)]
    if name == "recurrent":
        sizes = [{**size, "depth": 1} for size in sizes]
    return complete.run_spec(
        {
            "model": {"name": f"guests:{name}", "adopt": ADOPT.get(name, {})},
            "data": f"guests:{data}", "base": sizes[0], "shape": sizes[1],
            "parameterisation": table, "optimizer": "adamw", "lr": 0.01, "batch_size": 8,
            "steps": 2, "seed": 5, "log_every": 1, **values,
        }
    )  # fmt: skip


def stated(**values):
    return complete.run_spec(
        {
            **VALID, "model": "residual_mlp", "parameterisation": "mup",
            "base": {"width": 4, "depth": 1}, "shape": {"width": 64, "depth": 2}, **values,
        }
    )  # fmt: skip


def written(spec):
    """The module that is written for a target."""
    text = scaled(spec).python("the study mine, grid sweep, at width 64")
    module = types.ModuleType("written")
    exec(text, module.__dict__)
    return module


def drawn_anew(spec):
    """The network of a spec as its modules draw it, which no table has scaled."""
    data = data_sets.samples(spec)
    return build.model(spec, tuple(data.train_x.shape[1:]), data.classes)


@pytest.mark.parametrize("name", NETWORKS)
def test_initial_values_are_those_of_a_recipe_up_to_the_draw(name):
    run, module = adopting(name), written(adopting(name))
    depth = run.shape.depth
    few = data_sets.samples(run).train_x[:2]
    roles = GATES if name == "recurrent" else None
    recipe = Recipe(BUILDS[name], 16, 1, lookup.table(run), inputs=few, roles=roles)
    wanted = drawn_values(recipe.make(64, depth)[0])
    base = drawn_values(BUILDS[name](16, depth))
    network = BUILDS[name](64, depth)
    before = drawn_values(network)
    module.initialise(network)
    after = drawn_values(network)
    for parameter, (deviation, entries) in wanted.items():
        noise = math.sqrt(1.0 / base[parameter].entries + 1.0 / entries)
        assert after[parameter].deviation == pytest.approx(deviation, rel=4 * noise), parameter
    # The table begins some weights otherwise than torch draws them.
    assert any(after[n].deviation != pytest.approx(before[n].deviation, rel=0.2) for n in after)
    module.initialise(network)  # a second call changes nothing but the last digit
    for parameter, (deviation, _) in drawn_values(network).items():
        assert deviation == pytest.approx(after[parameter].deviation, rel=1e-5)


def test_vectors_stay_and_the_form_of_the_draw_stays():
    network = BUILDS["gpt"](64, 2)
    before = {name: tensor.clone() for name, tensor in network.named_parameters()}
    written(adopting("gpt")).initialise(network)
    for name, tensor in network.named_parameters():
        if tensor.ndim == 1:
            assert torch.equal(tensor, before[name])
        else:
            ratio = float(tensor.norm() / before[name].norm())
            torch.testing.assert_close(tensor, before[name] * ratio)


def test_a_matrix_of_equal_entries_is_refused():
    network = BUILDS["mlp"](64, 2)
    nn.init.zeros_(network[0].weight)
    with pytest.raises(ValueError, match=r"0\.weight has equal entries"):
        written(adopting("mlp")).initialise(network)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("name", ["OwnValues", "ZeroReadout", "Padded"])
@pytest.mark.parametrize("weights", ["fan_in", "unit"])
def test_networks_that_state_roles_are_drawn_as_runs_draw_them(name, weights):
    """Gaussians, zeros, and the values that an author chose."""
    data = "mine:tokens" if name == "Padded" else "mine:samples"
    shape = {"width": 64, "depth": 1}
    run = stated(model=f"mine:{name}", data=data, weights=weights, shape=shape)
    network = drawn_anew(run)
    written(run).initialise(network)
    wanted = build.drawn_model(run, data_sets.samples(run), lookup.table(run))[0]
    drawn = {row.name for row in scaled(run).rows if row.init_std > 0}
    for (parameter, own), other in zip(
        network.named_parameters(), wanted.parameters(), strict=True
    ):
        if parameter not in drawn:
            assert torch.equal(own, other), parameter
            continue
        noise = 4 / math.sqrt(own.numel())
        assert float(own.std()) == pytest.approx(float(other.std()), rel=noise), parameter
    if name == "Padded":
        assert not network.inp.weight[0].any()


def test_draws_follow_a_generator_or_the_seed_of_torch():
    module, first, second = written(stated()), drawn_anew(stated()), drawn_anew(stated())

    def both(draw):
        draw(first)
        draw(second)
        return all(map(torch.equal, first.parameters(), second.parameters()))

    def seeded(network):
        torch.manual_seed(7)
        module.initialise(network)

    assert both(seeded)
    assert both(lambda network: module.initialise(network, torch.Generator().manual_seed(7)))
    assert not both(module.initialise)
    assert all(parameter.requires_grad for parameter in first.parameters())


def test_weights_on_a_boundary_have_no_function():
    run = stated(optimizer="scion", weights="boundary", parameterisation="spectral")
    module = written(run)
    assert not hasattr(module, "initialise")
    assert not any("init_std" in values for values in module.HYPERPARAMETERS.values())
    assert "boundaries of the balls" in " ".join(module.__doc__.split())


def test_matrices_that_are_drawn_alike_have_one_deviation():
    rows = {row.name: row for row in scaled(adopting("recurrent")).rows}
    names = [f"gates.weight_{kind}_l{layer}" for kind in ("ih", "hh") for layer in (0, 1)]
    assert len({rows[name].init_std for name in names}) == 1
    assert rows[names[0]].init_std == pytest.approx(1 / math.sqrt(3 * 16) / 2, rel=0.02)


def test_matrices_that_are_drawn_otherwise_keep_their_deviations():
    """GPT-2 draws what ends a branch with a lower deviation."""
    run = adopting("gpt", base={"width": 16, "depth": 8}, shape={"width": 64, "depth": 8})
    rows = {row.name: row for row in scaled(run).rows}
    ends = rows["transformer.h.0.attn.c_proj.weight"], rows["transformer.h.0.attn.c_attn.weight"]
    assert ends[0].init_std < 0.5 * ends[1].init_std


class Drawn(nn.Module):
    """Two square matrices, of which the second is drawn with a deviation that is √2 lower."""

    def __init__(self, width):
        super().__init__()
        self.token = nn.Embedding(50, width)
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        self.head = nn.Linear(width, 50)
        nn.init.normal_(self.first.weight, std=0.02)
        nn.init.normal_(self.second.weight, std=0.02 / math.sqrt(2))

    def forward(self, x):
        return self.head(self.second(torch.relu(self.first(self.token(x)))))


def test_matrices_of_two_modules_are_not_pooled_even_at_small_sizes():
    run = adopting("otherwise", base={"width": 8, "depth": 1}, shape={"width": 64, "depth": 1})
    rows = {row.name: row for row in scaled(run).rows}
    ratio = rows["first.weight"].init_std / rows["second.weight"].init_std
    assert ratio == pytest.approx(math.sqrt(2), rel=4 / 8)
    assert rows["first.weight"].init_std != rows["second.weight"].init_std


def test_a_table_that_keeps_values_has_those_of_the_network():
    run = adopting("transformer", parameterisation="as_built")
    rows = {row.name: row for row in scaled(run).rows}
    assert rows["token.weight"].init_std == pytest.approx(1.0, rel=0.1)
    assert rows["head.weight"].init_std == pytest.approx(1 / math.sqrt(3 * 64), rel=0.1)
