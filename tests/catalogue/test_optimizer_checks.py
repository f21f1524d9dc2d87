"""Options of one optimizer that contradict each other, or that nothing reads."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.catalogue.test_checks import RUN, problems

from hypertransfer.catalogue import complete, optimizer_checks
from hypertransfer.catalogue.cards.lmo_presets import LMO_PRESETS
from hypertransfer.catalogue.cards.lmo_presets import NORMS as NAMES
from hypertransfer.optimizers.norms import NORMS, Iteration, matrix_shape
from hypertransfer.training import build


def refused(name: str, **options: Any) -> list[str]:
    return problems(optimizer={"name": name, **options})


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("sgd", {"nesterov": True}, "optimizer.nesterov: true is not false without momentum"),
        ("torch.optim:SGD", {"nesterov": True}, "optimizer.nesterov: true is not false without"),
        ("torch.optim:SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
         "optimizer.dampening: 0.1 is not 0 with nesterov"),
        ("lars", {"light": True, "nesterov": True}, "optimizer.light: true is not false with nest"),
        ("muon", {"light": True}, "optimizer.light: true is not false with nesterov, which muon"),
        ("scion", {"light": True, "form": "clipped"}, "optimizer.light: true is not false with"),
    ],
)  # fmt: skip
def test_options_that_exclude_each_other_are_refused(name, options, text):
    (problem,) = refused(name, **options)
    assert problem.startswith(text)
    with pytest.raises(ValueError, match=r"[Nn]esterov|light"):  # as the optimizer would
        built(name, options)


def built(name: str, options: dict[str, Any]) -> torch.optim.Optimizer:
    layer = torch.nn.Linear(2, 2)
    group = {"params": list(layer.parameters()), "lr": 0.1, "weight_decay": 0.0, "eps": 1e-8,
             "betas": (0.9, 0.99), "role": "hidden", "one_hot": False}  # fmt: skip
    make = build.lookup.load("optimizer", build.lookup.import_path("optimizer", name))
    if ":" in name:
        return make([{k: group[k] for k in ("params", "lr")}], **options)
    spec = complete.run_spec({**RUN, "optimizer": {"name": name, **options}}).optimizer
    taken = {**build.optimizers.fixed(spec), **spec.options}
    return make([group], **{k: v for k, v in taken.items() if k != "betas"})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sgd", {"nesterov": True, "momentum": 0.9}),
        ("torch.optim:SGD", {"nesterov": True, "momentum": 0.9}),
        ("muon", {"light": True, "nesterov": False, "adam_lr": 0.5, "eps": 1e-6, "ns_steps": 3}),
        ("lars", {"norms": {"hidden": "keller"}, "ns_steps": 3}),
        ("scion", {"betas": [0.9, 0.95], "eps": 1e-8, "ns_steps": 0}),
    ],
)
def test_options_that_go_together_are_accepted(name, options):
    assert refused(name, **options) == []


@pytest.mark.parametrize("name", ["lars", "normalized_sgd", "signum", "scion", "all_col"])
@pytest.mark.parametrize(
    ("option", "value"), [("adam_lr", 0.5), ("betas", [0.5, 0.5]), ("eps", 1e-2)]
)
def test_options_of_adamw_need_parameters_that_it_updates(name, option, value):
    assert refused(name, **{option: value}) == [
        f"optimizer.{option}: has no effect: AdamW updates no parameters of {name}; leave it out"
    ]


@pytest.mark.parametrize("name", LMO_PRESETS)
def test_newton_schulz_steps_need_a_norm_that_takes_them(name):
    iterated = ("muon", "moonlight", "scion", "scion_row", "scion_spectral")
    assert (refused(name, ns_steps=3) == []) == (name in iterated)


@pytest.mark.parametrize("name", NAMES)
def test_norms_that_take_newton_schulz_steps_are_those_that_they_change(name):
    gradient = torch.randn((1, 6, 4), generator=torch.Generator().manual_seed(0))
    few, exact = (NORMS[name].direction(gradient, Iteration(n)) for n in (1, 0))
    assert matrix_shape("hidden", (6, 4)).outputs == 6
    assert (not torch.allclose(few, exact, atol=1e-2)) == (name in optimizer_checks.ITERATED)
