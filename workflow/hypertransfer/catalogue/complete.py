"""A run's spec with every option that its parts take: defaults of cards are filled in.

All that decides a run's numbers stands in its spec, its data, its table and its code. A default
that changes in a card therefore changes the keys of the runs that use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypertransfer.catalogue.cards import datasets, optimizers
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.catalogue.options import defaults
from hypertransfer.runs import parse
from hypertransfer.runs.spec import Component, RunSpec


class Completer:
    """Parses and completes many specs; equal parts are completed once, and specs share them."""

    def __init__(self) -> None:
        self._last: parse.Parsed = {}
        self._known: dict[tuple[str, str], Component] = {}

    def run_spec(self, values: Mapping[str, Any]) -> RunSpec:
        """The complete spec of a run from the nested plain values of a config.

        Raises:
            ProblemError: fields that are unknown, missing or have a value that cannot be used.
        """
        return self.complete(parse.run_spec(values, self._last))

    def complete(self, spec: RunSpec) -> RunSpec:
        """The spec with the defaults of its network, optimizer and data set filled in.

        A part that is unknown, or is named by an import path, stays as it is: checks name the one,
        and the code of the other is in the run's key. A package's optimizer gets the gradient
        power of its class. Completing a spec again changes nothing.
        """
        return replace(
            spec,
            model=self._completed("model", spec.model),
            optimizer=self._completed("optimizer", spec.optimizer),
            data=self._completed("data", spec.data),
        )

    def _completed(self, kind: str, part: Component) -> Component:
        place = (kind, part.text)
        if place not in self._known:
            options = _completed_options(kind, part)
            self._known[place] = Component(
                part.name, {name: options[name] for name in sorted(options)}
            )
        return self._known[place]


def run_spec(values: Mapping[str, Any]) -> RunSpec:
    """The complete spec of one run from the nested plain values of a config.

    Raises:
        ProblemError: fields that are unknown, missing or have a value that cannot be used.
    """
    return Completer().run_spec(values)


def complete(spec: RunSpec) -> RunSpec:
    """One spec with the defaults of its network, optimizer and data set filled in."""
    return Completer().complete(spec)


def _completed_options(kind: str, part: Component) -> Mapping[str, Any]:
    if kind == "data":
        known = part.name in datasets.CARDS
        return datasets.completed(part.name, part.options) if known else part.options
    cards: Mapping[str, Any] = MODELS if kind == "model" else OPTIMIZERS
    if part.name not in cards:
        return optimizers.completed(part) if kind == "optimizer" else part.options
    return {**defaults(cards[part.name].options), **part.options}
