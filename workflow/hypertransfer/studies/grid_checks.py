"""Check that the components of a grid's runs and probes exist, fit together, and can be run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hypertransfer.catalogue import checks, complete, dataset_options, lookup, own_options
from hypertransfer.catalogue import options as catalogue_options
from hypertransfer.catalogue.cards import datasets, optimizers, probes
from hypertransfer.runs import ratios
from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError, one_of
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies import (
    adaptive_conditions,
    adaptive_grids,
    as_needed_conditions,
    axis_checks,
    condition_checks,
    grid,
    spending,
)
from hypertransfer.studies.document import condition_text
from hypertransfer.studies.grid import Grid, Probe
from hypertransfer.studies.placed_run import Run


def expand(
    name: str,
    section: Grid,
    other_scales: Callable[[], Iterable[Grid]] = tuple,
) -> tuple[list[Run], list[Problem]]:
    """The runs of a grid, and every problem of the grid.

    Runs whose spec cannot be parsed are left out. `other_scales` returns the grid as it is at the
    other scales of the study. Paths of problems start at the root of the study.
    """
    runs: list[Run] = []
    problems = [
        problem.below("probes", key)
        for key, probe in section.probes.items()
        for problem in _probe_problems(probe)
    ]
    wrong = [*grid.problems(section), *axis_checks.problems(section)]
    wrong += [] if wrong else [*adaptive_grids.problems(section), *spending.grid_problems(section)]
    wrong += [] if wrong else _timed_problems(section)
    if not wrong:
        wrong = list(_condition_problems(section, other_scales))
        wrong += _run_problems(section, runs, idle_is_known=bool(wrong))
        wrong += [] if wrong else adaptive_conditions.probe_problems(section, runs)
        wrong += [] if wrong else as_needed_conditions.probe_problems(section, runs)
    problems += wrong
    return runs, [problem.below("grids", name) for problem in problems]


def _run_problems(
    section: Grid, runs: list[Run], *, idle_is_known: bool = False
) -> Iterator[Problem]:
    """Problems of the points of a grid; the runs are appended to `runs`.

    With `idle_is_known`, filters and probes that leave or select no point are not reported again.
    """
    empty = not idle_is_known
    idle = {} if idle_is_known else dict(section.probes)  # probes that select no point so far
    completer, options = complete.Completer(), checks.OptionChecks()
    twins = condition_checks.Twins()
    try:
        for point, values in grid.points(section):
            empty = False
            selecting = grid.selecting_probes(section, point)
            for name in selecting:
                idle.pop(name, None)
            try:
                spec = completer.run_spec(values)
            except ProblemError as error:
                yield from (_in_grid(section, problem) for problem in error.problems)
                continue
            runs.append(grid.run(section, point, spec, selecting))
            yield from twins.problems(point, spec)
            wrong = [*spec_problems(spec, options), *_needs_of_probes(selecting, spec)]
            yield from (_in_grid(section, problem) for problem in wrong)
            if not wrong:
                yield from _sample_problems(selecting, spec)
                yield from _group_problems(selecting)
        if empty:
            yield Problem((), NO_VALUE, "exclude and only leave no run of this grid")
        for name, probe in idle.items() if not empty else ():
            text = f"no run of this scale is selected by {condition_text(probe.where)}"
            yield Problem(("probes", name, "where"), NO_VALUE, text)
    except ProblemError as error:
        yield from error.problems
    except (KeyError, TypeError) as error:
        if not idle_is_known:  # else a condition is the reason, and its problem is known
            yield Problem((), NO_VALUE, f"cannot be expanded: {error!r}")


def _timed_problems(section: Grid) -> Iterator[Problem]:
    """Problems of timed probes in a grid whose runs are not all listed."""
    for name, probe in section.probes.items():
        card = probes.PROBES.get(probe.probe)
        if card and card.timed and not spending.has_listed_runs(section):
            text = (
                f"{probe.probe} is a timed probe, whose runs of one seed are measured in turns, so "
                "that all have to be known before: list the seeds and all values of the axes, or "
                "give the probe a grid of its own"
            )
            yield Problem(("probes", name, "probe"), NO_VALUE, text)


def _condition_problems(
    section: Grid, other_scales: Callable[[], Iterable[Grid]]
) -> Iterator[Problem]:
    try:
        yield from condition_checks.problems(section, other_scales)
    except (ProblemError, KeyError, TypeError):
        return  # `_run_problems` reports that the grid cannot be expanded


def spec_problems(spec: RunSpec, options: checks.OptionChecks | None = None) -> list[Problem]:
    """Problems of a run's components; if there are none, problems of its table."""
    return list(checks.objections(spec, options)) or list(_table_problems(spec))


def _needs_of_probes(selecting: Mapping[str, Probe], spec: RunSpec) -> Iterator[Problem]:
    """Requirements of the probes that select a run, and that the run does not meet."""
    for name, probe in selecting.items():
        if card := probes.PROBES.get(probe.probe):
            yield from card.needs(spec)
            if card.of_outputs and own_options.is_training_step(spec.loss):
                expected = f"a loss of outputs and targets, which the probe {name} needs"
                yield Problem(("loss",), spec.loss, expected)


def _sample_problems(selecting: Mapping[str, Probe], spec: RunSpec) -> Iterator[Problem]:
    """Problems of probes that ask for more training samples than a run has."""
    for name, probe in selecting.items():
        card, data = probes.PROBES.get(probe.probe), spec.data
        known = data.name in datasets.CARDS
        there = dataset_options.training_samples(data.name, data.options) if known else None
        if card and there is not None and card.lacks_samples(probe.settings, there):
            expected = f"at most {there}, the number of training samples of {data.name}"
            yield Problem(("probes", name, "samples"), probe.settings["samples"], expected)


def _group_problems(selecting: Mapping[str, Probe]) -> Iterator[Problem]:
    """Problems of probes whose samples cannot be split into groups of equal size."""
    for name, probe in selecting.items():
        card = probes.PROBES.get(probe.probe)
        if card and card.has_unequal_groups(probe.settings):
            full = catalogue_options.completed(card.settings, probe.settings)
            key = "samples" if "samples" in probe.settings else "batches"
            text = f"such that samples ({full['samples']}) is a multiple of batches"
            yield Problem(("probes", name, key), full[key], f"{text} ({full['batches']})")


def _table_problems(spec: RunSpec) -> Iterator[Problem]:
    """Problems of the parameterisation with the gradient power and the betas of the optimizer."""
    try:
        table = lookup.table(spec)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        yield Problem(("parameterisation",), spec.parameterisation, f"usable: {error}")
        return
    try:
        table.betas(optimizers.betas(spec.optimizer), ratios.ratios(spec))
    except ValueError as error:
        yield Problem(("batch_size",), spec.batch_size, f"within reach of the table: {error}")


def _in_grid(section: Grid, problem: Problem) -> Problem:
    """A problem of a run, located at the key of the grid from which the run has the value.

    The value comes from an override, an axis, or the base. An override is recognised by the value,
    or by the key if the problem has no value, since a problem of several runs is reported once.
    An unknown key may stand inside a mapping that an override sets as a whole.
    """
    axis, value = problem.key, problem.value
    for index, override in enumerate(section.overrides):
        place = ("overrides", str(index))
        if axis in override.set and (value is NO_VALUE or override.set[axis] == value):
            return Problem((*place, "set", axis), value, problem.expected)
        written = override.axes.get(axis)
        if isinstance(written, list) and value in written:
            return Problem((*place, "axes", axis), value, problem.expected)
        for length in range(1, len(problem.path) if value is NO_VALUE else 0):
            outer, inner = ".".join(problem.path[:length]), problem.path[length:]
            if _has(override.set.get(outer), inner):
                return Problem((*place, "set", outer), value, problem.expected)
            written = override.axes.get(outer)
            if isinstance(written, list) and any(_has(one, inner) for one in written):
                return Problem((*place, "axes", outer), value, problem.expected)
    for length in range(len(problem.path), 0, -1):  # an axis may hold whole components
        axis = ".".join(problem.path[:length])
        if axis in section.axes:
            return Problem(("axes", axis), value, problem.expected)
    return in_base(section.base, problem)


def _has(value: object, keys: tuple[str, ...]) -> bool:
    """Whether nested mappings have a value at a path of keys."""
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True


def in_base(base: Mapping[str, Any], problem: Problem) -> Problem:
    """A problem of a run, located at its key below `base`.

    A problem of an option is located at the component if the base has only the component's name.
    """
    if len(problem.path) > 1 and isinstance(base.get(problem.path[0]), str):
        problem = Problem(problem.path[:1], problem.value, problem.expected)
    return problem.below("base")


def _probe_problems(probe: Probe) -> Iterator[Problem]:
    if probe.probe not in probes.PROBES:
        yield Problem(("probe",), probe.probe, one_of(probe.probe, probes.PROBES))
        return
    schemas = probes.PROBES[probe.probe].settings
    for key, value in probe.settings.items():
        if key not in schemas:
            text = f"unknown setting; known: {', '.join(schemas)}"
            yield Problem((str(key),), NO_VALUE, text)
            continue
        for error in catalogue_options.Validator(schemas[key]).iter_errors(value):
            yield catalogue_options.problem(error, key)
