"""Checks of a run's components: what is sound is accepted, and no value of an option stops them."""

from __future__ import annotations

from typing import Any

import pytest

from hypertransfer.catalogue import checks, complete
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS

RUN = {
    "model": "residual_mlp", "shape": {"width": 8, "depth": 2}, "base": {"width": 8, "depth": 2},
    "parameterisation": "mup", "optimizer": "sgd", "lr": 0.1, "data": "digits", "batch_size": 16,
    "steps": 4, "seed": 0, "log_every": 1,
}  # fmt: skip
NO_OPTION_VALUES = (0, -1, "x", None, [], {}, 0.5)


def problems(**parts: Any) -> list[str]:
    """The problems of the small run with other parts."""
    return list(map(str, checks.objections(complete.run_spec({**RUN, **parts}))))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_is_accepted_with_its_defaults(optimizer):
    assert problems(optimizer=optimizer) == []


def test_radii_of_one_joint_norm_are_refused():
    refused = problems(optimizer={"name": "normalized_sgd", "radii": {"hidden": 2.0}})
    assert refused == [
        "optimizer.radii: {'hidden': 2.0} is not left out: "
        "normalized_sgd has one norm of all weights together"
    ]


@pytest.mark.parametrize(
    ("model", "option"),
    [(name, option) for name, card in MODELS.items() for option in card.options],
)
def test_options_of_networks_of_any_type_and_size_are_problems_at_most(model, option):
    for value in NO_OPTION_VALUES:
        for data in ("digits", {"name": "state_of_the_union", "context": value}):
            problems(model={"name": model, option: value}, data=data)
