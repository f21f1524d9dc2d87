"""Optimizer classes of packages as their source has them, against the classes themselves."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
from tests.support.package_optimizers import NAMES, class_of

from hypertransfer.catalogue import package_source
from hypertransfer.catalogue.cards.package_optimizers import PACKAGES


def test_the_source_has_all_classes():
    found = [f"{module}:{n}" for module in PACKAGES for n in package_source.optimizers(module)]
    assert sorted(found) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_options_are_those_of_the_signature(name):
    signature = package_source.signature(*name.split(":"))
    own = list(inspect.signature(class_of(name)).parameters.values())[1:]
    named = [p.name for p in own if p.kind is not p.VAR_KEYWORD]
    assert list(signature.options[: len(named)]) == named
    assert list(signature.required) == [
        p.name for p in own if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    ]
    assert len(signature.options) == len(named) or any(p.kind is p.VAR_KEYWORD for p in own)


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_those_of_the_signature(name):
    signature = package_source.signature(*name.split(":"))
    own = {p.name: p.default for p in inspect.signature(class_of(name)).parameters.values()}
    found = {option: own[option] for option in signature.defaults}
    assert repr(dict(signature.defaults)) == repr(found)


def test_literal_defaults_are_found():
    found = package_source.signature("torch.optim", "SGD").defaults
    assert {
        "momentum": 0,
        "dampening": 0,
        "nesterov": False,
        "foreach": None,
    }.items() <= found.items()
    assert package_source.signature("torch.optim", "AdamW").defaults["betas"] == (0.9, 0.999)
    # an expression in the source is none
    assert "growth_rate" not in package_source.signature("pytorch_optimizer", "Prodigy").defaults


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("torch.optim", "lr_scheduler"),  # a module that the package imports
        ("pytorch_optimizer", "BaseOptimizer"),  # not among the names that it offers
        ("pytorch_optimizer", "RotoGrad"),  # a module of networks
        ("pytorch_optimizer", "agc"),
        ("torch.optim", "Nothing"),
    ],
)
def test_nothing_else_is_an_optimizer(module, name):
    assert package_source.signature(module, name) is None


def test_options_from_further_keywords_count():
    assert "use_palm" in package_source.signature("pytorch_optimizer", "ScheduleFreeAdamW").options
    assert not package_source.signature("pytorch_optimizer", "Magma").complete


def test_nothing_is_imported():
    code = (
        "import sys; from hypertransfer.catalogue import package_source as p; "
        "p.signature('pytorch_optimizer', 'SOAP'); p.signature('torch.optim', 'AdamW'); "
        "assert not {'torch', 'pytorch_optimizer'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
