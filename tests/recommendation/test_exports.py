"""Exports of a recommendation: JSON, param groups, Optuna, and an axis of a grid."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from tests.support.recommendation import observed
from torch import nn

from hypertransfer.cli.text import json_text
from hypertransfer.recommendation import exports
from hypertransfer.recommendation.advice import recommend
from hypertransfer.recommendation.observations import DIMENSIONS
from hypertransfer.recommendation.theory import CARRIED, Slope

SLOPES = dict.fromkeys(DIMENSIONS, Slope(CARRIED))
TARGET = 256, 2, 8, 100


@pytest.fixture(scope="module")
def advice():
    return recommend(observed({16: -4.0, 32: -4.0}), TARGET, SLOPES)


def test_the_plain_values_are_json_and_say_what_the_advice_says(advice):
    values = json.loads(json.dumps(exports.plain(advice), allow_nan=False))
    assert values["verdict"] == advice.verdict
    assert values["lr"] == advice.lr
    assert tuple(values["target"].values()) == TARGET
    assert [one["shape.width"] for one in values["measured"]] == [16, 32]
    assert values["interval"]["low"] < values["lr"] < values["interval"]["high"]


def test_without_a_bracketed_size_there_is_no_rate():
    nothing = recommend(observed({16: 9.0}), TARGET, SLOPES)
    values = json.loads(json_text(exports.plain(nothing)))
    assert values["lr"] is None
    assert values["measured"][0]["error_octaves"] == "open"


def test_suggested_sweeps_have_whole_sizes(advice):
    sizes = [tuple(one.values())[:4] for one in exports.plain(advice)["next_sweeps"]]
    assert len(sizes) >= 2
    assert all(16 <= width <= 256 for width, *_ in sizes)
    assert all(isinstance(part, int) for size in sizes for part in size)


def test_optuna_reads_the_interval(advice):
    values = exports.optuna(advice)
    assert values["name"] == "FloatDistribution"
    assert values["attributes"]["log"] is True
    assert (values["attributes"]["low"], values["attributes"]["high"]) == advice.interval


def test_the_axis_spans_the_interval_evenly_in_octaves(advice):
    rates = exports.axis(advice)["axes"]["lr"]
    assert rates[0] == pytest.approx(advice.interval[0], rel=1e-3)
    assert rates[-1] == pytest.approx(advice.interval[1], rel=1e-3)
    ratios = [b / a for a, b in itertools.pairwise(rates)]
    assert ratios == pytest.approx([ratios[0]] * 4, rel=1e-3)


def test_the_python_module_gives_groups_that_an_optimizer_takes():
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2, bias=False))
    rows = [
        {
            "name": name,
            "lr": rate,
            "weight_decay": 0.1,
            "eps": None,
            "betas": [0.8, 0.9],
            "init_std": 0.5,
            "multiplier": 1.0,
        }
        for name, rate in zip(dict(network.named_parameters()), (1, 2, 3, 2, 5), strict=True)
    ]
    space: dict = {}
    exec(exports.python(rows, "a perceptron"), space)
    optimizer = torch.optim.AdamW(space["groups"](network))
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert [rates[id(p)] for p in network.parameters()] == [1, 2, 3, 2, 5]
    assert all(group["betas"] == [0.8, 0.9] for group in optimizer.param_groups)
    assert "init_std" not in optimizer.param_groups[0]
    assert space["HYPERPARAMETERS"]["0.weight"]["multiplier"] == 1.0
    with pytest.raises(ValueError, match=r"other\.weight: it is another network"):
        space["groups"](nn.ModuleDict({"other": nn.Linear(1, 1, bias=False)}))
    factors = {"RESIDUAL": exports.Factor(0.25, "the outputs of branches", ["h.0.end", "h.1.end"])}
    text = exports.python(rows, "a perceptron", factors)
    exec(text, space)
    assert space["RESIDUAL"] == 0.25
    assert "RESIDUAL = 0.25  # multiply the outputs of branches by this: h.*.end\n" in text
    assert "Constants above the hyperparameters are factors" in space["__doc__"]
    # equal values of all numbers are one pattern
    assert set(space["HYPERPARAMETERS"]) == {"0.weight", "1.weight", "2.weight", "*.bias"}


ROW = {"name": "weight", "lr": 0.1, "init_std": 0.5, "multiplier": 1.0}


def documented(*rows, about="a perceptron", **values):
    """The module for rows, as the names that it defines, and its docstring in one line."""
    space: dict = {}
    exec(exports.python(rows, about, **values), space)
    return space, " ".join(space["__doc__"].split())


def test_the_docstring_of_the_python_module_says_what_is_so():
    _, plain = documented(ROW)
    assert plain.startswith("Hyperparameters of a perceptron. They belong")
    assert "Constants above" not in plain
    assert "The forward pass multiplies" not in plain
    _, multiplied = documented(ROW | {"multiplier": 0.25})
    assert "The forward pass multiplies weights by `multiplier`" in multiplied
    space, text = documented(ROW, initial=exports.Initial.OTHER)
    assert "initialise" not in space
    assert "initialise" not in text


def test_no_text_of_a_study_is_code_in_the_python_module():
    about = 'x """\nraise SystemExit\n"""' + "\\"
    _, text = documented(ROW, about=about)
    assert 'x """ raise SystemExit """' in text


def test_only_what_begins_at_zero_has_a_deviation_of_zero():
    rows = [ROW | {"name": name, "init_std": 0.0} for name in ("weight", "bias")]
    space, _ = documented(*rows, initial=exports.Initial.DRAWN, zeros=["weight"])
    assert space["HYPERPARAMETERS"]["weight"]["init_std"] == 0.0
    assert "init_std" not in space["HYPERPARAMETERS"]["bias"]
    layer = nn.Linear(3, 2)
    nn.init.ones_(layer.bias)
    space["initialise"](layer)
    assert not layer.weight.any()
    assert layer.bias.eq(1).all()
