"""Check that the components of a run exist, accept their options, and fit each other."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from hypertransfer.catalogue import (
    adoption_checks,
    dataset_options,
    imported_names,
    multiplier_checks,
    optimizer_checks,
    own_options,
    package_checks,
)
from hypertransfer.catalogue.cards import datasets
from hypertransfer.catalogue.cards.lmo_presets import LMO_PRESETS
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.catalogue.lookup import objection, of_package
from hypertransfer.catalogue.module_source import own
from hypertransfer.catalogue.options import Validator, problem
from hypertransfer.parameterisation.tables import PARAMETERISATIONS
from hypertransfer.runs.paths import is_file
from hypertransfer.runs.problem import Problem, hint, known_names
from hypertransfer.runs.spec import Component, RunSpec


class OptionChecks:
    """Checks the options of components; equal components are checked once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[Problem]] = {}

    def problems(self, kind: str, part: Component, cards: Mapping[str, Any]) -> list[Problem]:
        """Problems of the name and the options of a component, whose `cards` are given by name."""
        place = (kind, part.text)
        if place not in self._known:
            self._known[place] = list(_option_problems(kind, part, cards))
        return self._known[place]

    def of_data_set(self, data: Component) -> list[Problem]:
        """Problems of the options of a data set with a card."""
        place = ("card", data.text)
        if place not in self._known:
            found = dataset_options.objections(data.name, data.options)
            self._known[place] = [problem.below("data") for problem in found]
        return self._known[place]


def objections(spec: RunSpec, options: OptionChecks | None = None) -> Iterator[Problem]:
    """Every problem of the components that a spec names, and of their combination.

    The network and the data set are checked together only if neither has a problem of its own.
    `options` keeps results of checks, which specs with equal components share.
    """
    problems = list(_component_problems(spec, options or OptionChecks()))
    yield from problems
    if spec.data.name in datasets.CARDS and not any(p.path[0] == "data" for p in problems):
        there = dataset_options.training_samples(spec.data.name, spec.data.options)
        if there is not None and spec.batch_size > there:
            expected = f"at most {there}, the number of training samples of {spec.data.name}"
            yield Problem(("batch_size",), spec.batch_size, expected)
    ours = spec.model.name in MODELS and spec.data.name in datasets.CARDS
    if ours and not any(problem.path[0] in ("model", "data") for problem in problems):
        yield from _fit(spec)


def _component_problems(spec: RunSpec, options: OptionChecks) -> Iterator[Problem]:
    """Problems of each component, and of the optimizer and the shape with the others."""
    known_data = ":" in spec.data.name or spec.data.name in datasets.CARDS
    if not known_data:
        yield Problem(("data",), spec.data.name, _data_set(spec.data.name))
    elif ":" in spec.data.name:
        yield from options.problems("data", spec.data, {})
    else:
        yield from options.of_data_set(spec.data)
    if ":" in spec.parameterisation:
        yield from _unfound("parameterisation", spec.parameterisation)
    elif spec.parameterisation not in PARAMETERISATIONS:
        expected = _one_of(spec.parameterisation, PARAMETERISATIONS)
        yield Problem(("parameterisation",), spec.parameterisation, expected)
    if ":" in spec.loss:
        yield from _unfound("loss", spec.loss)
        yield from own_options.loss_problems(spec.loss)
        if spec.optimizer.name == "sophia" and own_options.is_training_step(spec.loss):
            expected = "a loss of outputs and targets with sophia, which evaluates the loss itself"
            yield Problem(("loss",), spec.loss, expected)
        elif spec.optimizer.options.get("estimator") == "gauss_newton":
            expected = (
                "cross_entropy with sophia's estimator gauss_newton; hutchinson takes any loss"
            )
            yield Problem(("loss",), spec.loss, expected)
    yield from options.problems("model", spec.model, MODELS)
    yield from adoption_checks.problems(spec)
    yield from options.problems("optimizer", spec.optimizer, OPTIMIZERS)
    if spec.multipliers:
        yield from multiplier_checks.problems(spec)
    if spec.checkpoints and spec.checkpoints[-1] > spec.steps:
        beyond = [step for step in spec.checkpoints if step > spec.steps]
        yield Problem(("checkpoints",), beyond, f"within the run's {spec.steps} steps")
    warmup = spec.schedule.warmup
    if isinstance(warmup, int) and warmup > spec.steps:
        expected = f"at most the run's {spec.steps} steps: the peak learning rate is never reached"
        yield Problem(("schedule", "warmup"), warmup, expected)
    if spec.optimizer.name == "adam" and spec.weight_decay:
        yield Problem(
            ("weight_decay",), spec.weight_decay, "0 with adam: use adamw, whose decay is decoupled"
        )
    if of_package(spec.optimizer):
        yield from package_checks.decay_problems(spec.optimizer, spec.weight_decay)
    card = OPTIMIZERS.get(spec.optimizer.name)
    if spec.optimizer.name == "normalized_sgd" and spec.optimizer.options.get("radii"):
        expected = "left out: normalized_sgd has one norm of all weights together"
        yield Problem(("optimizer", "radii"), spec.optimizer.options["radii"], expected)
    if spec.weights == "boundary" and not (card and card.steepest):
        expected = f"usable without an optimizer with norms of its own: {', '.join(LMO_PRESETS)}"
        yield Problem(("weights",), spec.weights, expected)
    finer = max(spec.shape.granularity, spec.base.granularity) > 1
    if finer and spec.model.name in MODELS and not spec.model.options.get("experts"):
        expected = f"1: {spec.model.name} has no experts to split (model.experts)"
        yield Problem(("shape", "granularity"), spec.shape.granularity, expected)


def _fit(spec: RunSpec) -> Iterator[Problem]:
    """Problems of the network with the data set."""
    card, kind = MODELS[spec.model.name], datasets.kind(spec.data.name)
    if card.data != kind:
        expected = f"usable with {spec.model.name}: the network is for {card.data}, not {kind}"
        yield Problem(("data", "name"), spec.data.name, expected)
        return
    if kind == "text" and spec.loss == "mse":
        yield Problem(("loss",), spec.loss, "cross_entropy, the library's only loss for text")
    shape, _ = dataset_options.shape(spec.data.name, spec.data.options)
    yield from card.needs(spec, shape[1] if len(shape) > 1 else shape[0])


def _data_set(name: str) -> str:
    """The known data sets, or how to write that of a file."""
    if name.endswith(".txt") or is_file(name):
        return f"a data set: for a text of one's own write {{name: text_file, file: {name}}}"
    return _one_of(name, datasets.CARDS)


def _one_of(name: str, known: Iterable[str]) -> str:
    """The known names, and how to write that of a part of the user or of a package."""
    module, dot, attribute = name.rpartition(".")
    written = f": {module}:{attribute}" if dot else ""
    known = list(known)
    return f"one of {', '.join(known)}, or module:attribute{written}{hint(name, known)}"


def _unfound(kind: str, name: str) -> Iterator[Problem]:
    if text := objection(kind, name) or _undefined(name) or imported_names.objection(kind, name):
        yield Problem((kind,), name, text)


def _undefined(name: str) -> str:
    """Why the source of `module:attribute` cannot define the attribute; empty if it may."""
    module, _, attribute = name.partition(":")
    source = own(module)
    if source is None:  # a class of an installed package, which `lookup.load` checks
        return ""
    try:
        names = _bound(source, source.stat().st_mtime_ns)
    except SyntaxError as error:
        return f"readable: {source.name}, line {error.lineno}: {error.msg}"
    if attribute in names or names & {"*", "__getattr__", "globals"}:
        return ""
    return f"found: {source.name} defines no {attribute!r}"


@lru_cache
def _bound(source: Path, _modified: int) -> frozenset[str]:
    """Names that a source file defines, assigns, imports or uses; the file is not executed."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Name():
                found.add(node.id)
            case ast.alias():
                found.add(node.asname or node.name)
    return frozenset(found)


def _import_path_problems(optimizer: Component) -> Iterator[Problem]:
    """Problems of an optimizer that is named by its import path."""
    if objection("optimizer", optimizer.name):
        return
    if of_package(optimizer):
        problems = list(package_checks.class_problems(optimizer))
        yield from problems
        if any(problem.path == ("optimizer",) for problem in problems):
            return  # the class is none that could have a power
    yield from optimizer_checks.problems(optimizer)
    yield from package_checks.scaled_problems(optimizer)
    yield from package_checks.power_problems(optimizer)


def _option_problems(kind: str, part: Component, cards: Mapping[str, Any]) -> Iterator[Problem]:
    if ":" in part.name:
        unfound = list(_unfound(kind, part.name))
        if kind == "model":
            unfound += adoption_checks.option_problems(part)
        yield from unfound or own_options.problems(kind, part)
        if kind == "optimizer":
            yield from _import_path_problems(part)
        return
    if part.name not in cards:
        yield Problem((kind,), part.name, _one_of(part.name, cards))
        return
    problems = list(_refused_options(kind, part, cards[part.name].options))
    yield from problems or (optimizer_checks.problems(part) if kind == "optimizer" else ())


def _refused_options(kind: str, part: Component, schemas: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of options of a component, each by itself."""
    for option, value in part.options.items():
        if option not in schemas:
            known = known_names(option, schemas)
            expected = f"accepted: {part.name} has no option {option!r}; {known}"
            yield Problem((kind, option), value, expected)
            continue
        for error in Validator(schemas[option]).iter_errors(value):
            yield problem(error, kind, option)
