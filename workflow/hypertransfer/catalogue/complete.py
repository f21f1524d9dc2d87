"""A run's spec with every option that its parts take: defaults of cards are filled in.

All that decides a run's numbers stands in its spec, its data, its table and its code. A default
that changes in a card therefore changes the keys of the runs that use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypertransfer.catalogue.cards import datasets
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.catalogue.options import defaults
from hypertransfer.runs import parse
from hypertransfer.runs.spec import Component, RunSpec


def run_spec(values: Mapping[str, Any]) -> RunSpec:
    """The complete spec of a run from the nested plain values of a config.

    Raises:
        ProblemError: fields that are unknown, missing or have a value that cannot be used.
    """
    return complete(parse.run_spec(values))


def complete(spec: RunSpec) -> RunSpec:
    """The spec with the defaults of its network, optimizer and data set filled in.

    A part that is unknown, or is named by an import path, stays as it is: checks name the one, and
    the code of the other is in the run's key. Completing a spec again changes nothing.
    """
    return replace(
        spec,
        model=_completed(spec.model, MODELS),
        optimizer=_completed(spec.optimizer, OPTIMIZERS),
        data=_completed_data(spec.data),
    )


def _completed(part: Component, cards: Mapping[str, Any]) -> Component:
    if part.name not in cards:
        return part
    options = {**defaults(cards[part.name].options), **part.options}
    return Component(part.name, {name: options[name] for name in sorted(options)})


def _completed_data(data: Component) -> Component:
    if data.name not in datasets.CARDS:
        return data
    options = datasets.completed(data.name, data.options)
    return Component(data.name, {name: options[name] for name in sorted(options)})
