"""Types of modules that a config multiplies, against the networks that have them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from tests.catalogue.test_checks import RUN, problems
from tests.support.searches import SEARCH, search_study

from hypertransfer.catalogue import complete
from hypertransfer.catalogue.cards import module_types
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.networks.layers import Branch
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.module_multipliers import kind
from hypertransfer.studies.document import ConfigError
from hypertransfer.training import build, imports

# Options that change which parameters a decoder has, with the parts that they belong to.
ATTENTION = [
    {"attention": "multi_head", "qk_norm": True},
    {"attention": "multi_head", "fused": True},
    {"attention": "latent"},
    {"attention": "latent", "query_latent_ratio": 0.5, "positions": "rotary"},
]
FEED_FORWARD = [
    *({"activation": activation, "bias": True} for activation in ("gelu", "swiglu")),
    {"activation": "swiglu", "bias": False, "experts": 4, "shared": 1},
]
PARTS = list(itertools.product(ATTENTION, FEED_FORWARD, ("layer", "rms"), ("learned", "rotary")))


def variants(name: str) -> Iterator[dict[str, Any]]:
    if MODELS[name].data == "text":
        for attention, feed_forward, norm, positions in PARTS:
            yield {"norm": norm, "positions": positions, **feed_forward, **attention}
        return
    flags = [option for option in ("skip", "bias") if option in MODELS[name].options]
    for values in itertools.product((True, False), repeat=len(flags)):
        yield dict(zip(flags, values, strict=True))


def network(name: str, options: dict[str, Any]) -> Any:
    text = MODELS[name].data == "text"
    depth = 1 if name in ("conv", "linear") else 6
    shape = {"width": 32, "depth": depth}
    data = "state_of_the_union" if text else "fashion_mnist_subset"
    parts = {"model": {"name": name, **options}, "shape": shape, "base": shape, "data": data}
    spec = complete.run_spec({**RUN, **parts})
    return build.model(spec, *(((16,), 256) if text else ((1, 28, 28), 10)))


@pytest.mark.parametrize("name", MODELS)
def test_types_of_modules_are_those_of_the_networks(name):
    parameters, branches = set(), set()
    for options in variants(name):
        made = network(name, options)
        parameters |= {kind(one) for one, _ in made.named_parameters()}
        branches |= {kind(one) for one, m in made.named_modules() if isinstance(m, Branch)}
    assert set(module_types.PARAMETERS[name]) == parameters
    assert set(module_types.BRANCHES[name]) == branches


@pytest.mark.parametrize("hyperparameter", ["lr", "init_std"])
def test_a_misspelt_type_is_refused_with_the_known_ones(hyperparameter):
    found = problems(multipliers={hyperparameter: {"types": {"hiden": 2}}})
    assert found == [
        f"multipliers.{hyperparameter}.types: residual_mlp has no hiden; its types are 'bias', "
        "'input.bias', 'input.weight', 'readout.bias', 'readout.weight', 'weight'"
    ]
    assert problems(multipliers={hyperparameter: {"types": {"weight": 2}}}) == []


def test_a_type_that_the_network_has_with_other_options_only_is_refused_when_it_is_built():
    """As the documentation says; planning does not know which options bring which types."""
    shape = {"width": 32, "depth": 2}
    fused = {"multipliers": {"lr": {"types": {"attention.mix.qkv.weight": 2}}}}
    parts = {"model": "gpt", "shape": shape, "base": shape, "data": "state_of_the_union", **fused}
    assert problems(**parts) == []
    spec, shapes = complete.run_spec({**RUN, **parts}), ((16,), 256)
    with pytest.raises(RoleError, match=r"multipliers\.lr: Decoder has no attention\.mix\.qkv"):
        assert build.scheme(spec, build.model(spec, *shapes), imports.table(spec), shapes).rows


def test_types_of_residual_multipliers_are_branches():
    assert problems(multipliers={"residual": {"types": {"": 2}}}) == []
    (found,) = problems(multipliers={"residual": {"types": {"weight": 2}}})
    assert found == "multipliers.residual.types: residual_mlp has no weight; its types are ''"


def test_networks_of_the_user_have_any_types(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_net.py").write_text("class Net: ...", encoding="utf-8")
    assert problems(model="own_net:Net", multipliers={"lr": {"types": {"any": 2}}}) == []


def test_groups_of_a_search_have_types_of_the_network(tmp_path):
    space = {"lr": {"groups": {"w": ["weigth"], "ends": ["input.weight"]}}}
    with pytest.raises(ConfigError, match=r"space\.lr\.groups\.w: residual_mlp has no weigth; its"):
        search_study(tmp_path, space=space)


@pytest.mark.parametrize(
    ("hyperparameter", "text"),
    [
        ("eps", "sgd has no eps here that the table scales"),
        ("beta1", "sgd has no beta1 here that the table scales"),
        ("beta2", "sgd has no beta2 here that the table scales"),
        ("weight_decay", "the weight decay of the run is 0"),
    ],
)
def test_a_search_over_what_the_run_does_not_have_is_refused(tmp_path, hyperparameter, text):
    base = {**SEARCH["base"], "optimizer": "sgd", "parameterisation": "mup"}
    space = {**SEARCH["space"], hyperparameter: {"groups": {"w": ["weight"]}}}
    with pytest.raises(ConfigError, match=rf"space\.{hyperparameter}: has no effect: {text}"):
        search_study(tmp_path, base=base, space=space)


def test_a_search_over_what_the_run_has_is_accepted(tmp_path):
    base = {**SEARCH["base"], "optimizer": "adamw", "weight_decay": 0.1}
    names = ("eps", "beta1", "beta2", "weight_decay")
    space = {name: {"groups": {"w": ["weight"]}} for name in names}
    search_study(tmp_path, base=base, space=space)
