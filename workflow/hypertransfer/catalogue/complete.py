"""Complete specs of runs, in which the defaults of the cards are filled in.

Equal options become one value: numbers have the type of the option's schema, so that runs of
`momentum: 0`, of `momentum: 0.0` and of the default have one key.

Spec, data, table and code determine the numbers of a run. If a default changes in a card, the keys
of the runs that use it change, since the spec holds the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypertransfer.catalogue import package_source
from hypertransfer.catalogue.cards import datasets, optimizers
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS, without_defaults
from hypertransfer.catalogue.cards.package_optimizers import NEEDED_OPTIONS
from hypertransfer.catalogue.lookup import of_package
from hypertransfer.catalogue.options import completed, typed_number, typed_options
from hypertransfer.catalogue.package_checks import OF_THE_RUN, is_same
from hypertransfer.runs import parse
from hypertransfer.runs.paths import expand_home
from hypertransfer.runs.spec import Component, RunSpec

COMPLETED = ("model", "optimizer", "data")


class Completer:
    """Parses and completes specs, which share equal components."""

    def __init__(self) -> None:
        self._earlier = parse.Parsed()
        self._known: dict[tuple[str, str], Component] = {}

    def run_spec(self, values: Mapping[str, Any]) -> RunSpec:
        """The complete spec of a run from the nested plain values of a config.

        Raises:
            ProblemError: fields are unknown, missing or invalid; `problems` lists all of them.
        """
        fields = parse.fields_of_run(values, self._earlier)
        return RunSpec(**{**fields, **self._completed_fields(fields)})

    def complete(self, spec: RunSpec) -> RunSpec:
        """The spec with the defaults of its network, optimizer and data set filled in.

        Unknown components are left as they are, and `checks` reports them. An optimizer of a
        package gets the gradient power of its class, and loses options that have the default of
        the class; other parts that are named by an import path keep all options. An `order_seed`
        that equals the seed becomes None. A complete spec is left unchanged.
        """
        return replace(spec, **self._completed_fields(vars(spec)))

    def _completed_fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a spec that `complete` may change."""
        same_order = fields["order_seed"] == fields["seed"]  # as without an order_seed: one run
        parts = {kind: self._completed(kind, fields[kind]) for kind in COMPLETED}
        return {**parts, "order_seed": None if same_order else fields["order_seed"]}

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
        ProblemError: fields are unknown, missing or invalid; `problems` lists all of them.
    """
    return Completer().run_spec(values)


def complete(spec: RunSpec) -> RunSpec:
    """One spec with the defaults of its network, optimizer and data set filled in."""
    return Completer().complete(spec)


def _completed_options(kind: str, part: Component) -> Mapping[str, Any]:
    if kind == "data":
        if part.name not in datasets.CARDS:
            return part.options
        options = typed_options(datasets.OPTIONS, datasets.completed(part.name, part.options))
        for place in datasets.PLACES:
            if isinstance(path := options.get(place), str):
                options[place] = expand_home(path)
        return options
    cards: Mapping[str, Any] = MODELS if kind == "model" else OPTIMIZERS
    if part.name not in cards:
        return _of_import_path(part) if kind == "optimizer" else part.options
    card = cards[part.name]
    options = typed_options(card.options, completed(card.options, part.options))
    return without_defaults(part.name, options) if kind == "optimizer" else options


def _of_import_path(optimizer: Component) -> Mapping[str, Any]:
    """The options of an optimizer named by import path, where those of a package are normalised.

    Options that have the default of the class, as its source says, are left out. The options that
    the table scales if they are given stay.
    """
    options = optimizers.completed(optimizer)
    module, _, name = optimizer.name.partition(":")
    if not of_package(optimizer):
        return options
    found = package_source.signature(module, name)
    defaults = found.defaults if found else {}
    as_written = {*OF_THE_RUN, *NEEDED_OPTIONS.get(optimizer.name, {})}
    kept = {}
    for option, value in options.items():
        if option in defaults and option not in as_written:
            value = _like(defaults[option], value)
            if option not in optimizers.SCALED and is_same(value, defaults[option]):
                continue
        kept[option] = value
    return kept


def _like(default: Any, value: Any) -> Any:
    """A value with its numbers of the types that the default has."""
    if isinstance(default, list | tuple) and isinstance(value, list | tuple):
        if len(default) == len(value):
            return [_like(one, other) for one, other in zip(default, value, strict=True)]
        return value
    if isinstance(default, bool) or not isinstance(default, int | float):
        return value
    return typed_number("integer" if isinstance(default, int) else "number", value)
