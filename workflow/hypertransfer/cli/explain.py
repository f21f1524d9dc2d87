"""`hypertransfer plan --explain RUN`: the ratios and the scaled hyperparameters of one run."""

from __future__ import annotations

import argparse
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import yaml
from torch import nn

from hypertransfer.catalogue import dataset_options, lookup
from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.catalogue.module_source import PACKAGE_ROOT, is_followed
from hypertransfer.cli.text import aligned
from hypertransfer.cli.values import with_powers
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Parameterisation, Power, Ratios, Role, Rule
from hypertransfer.planning.load import load
from hypertransfer.planning.planned_runs import PlannedRun
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.runs import ratios as runs_ratios
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.problem import known_names
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies.document import ConfigError, LocatedProblem, number_in
from hypertransfer.studies.main_config import main_config, studies_folder
from hypertransfer.training import build, data_sets, imports, network_checks

MOST_SHOWN = 20  # values of an axis that a message lists
COLUMNS = ("init_std", "multiplier", "lr", "weight_decay", "eps")


def run(arguments: argparse.Namespace) -> int:
    """Print the ratios and the scaled hyperparameters of the run that `--explain` names.

    Raises:
        ConfigError: the configs have problems, no run has the name, or a part of the run that the
            config names fails.
    """
    config, origins = main_config(arguments.configfile, arguments.config)
    folder = studies_folder(arguments.configfile)
    plans = load(config, folder, origins)
    study, grid, planned = find(plans, arguments.explain)
    others = [plan.name for plan in plans if plan.name != study and grid in plan.runs]
    if others and arguments.explain.partition(":")[0] == grid:  # and not a key
        print(f"the grid {grid} of {study}; there is also one of this name in {', '.join(others)}")
    try:
        print(*lines(planned), sep="\n")
    except Exception as error:
        own = ", ".join(_own_parts(planned.run.spec))
        if not own and not isinstance(error, RoleError | DatasetError):
            raise
        of = f"run {planned.key}{own and f' of {own}'}"
        text = f"{of} cannot be built: {type(error).__name__}: {error}{_place(error)}"
        place = str(folder / f"{study}.yaml"), None, f"grids.{grid}"
        raise ConfigError([LocatedProblem(*place, text)]) from error
    return 0


def _own_parts(spec: RunSpec) -> list[str]:
    """The import paths of the run's parts that are the user's code."""
    names = [spec.model.name, spec.data.name, spec.parameterisation]
    names += [] if lookup.of_package(spec.optimizer) else [spec.optimizer.name]
    return [name for name in names if ":" in name]


def _place(error: Exception) -> str:
    """Where the user's code, if any, raised the error or called what raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = [frame for frame in frames if _is_own(Path(frame.filename))]
    return f" ({mine[-1].filename}, line {mine[-1].lineno})" if mine else ""


def _is_own(file: Path) -> bool:
    inside = file.is_relative_to(Path.cwd()) and not file.is_relative_to(PACKAGE_ROOT)
    return inside and is_followed(file)


def find(plans: Sequence[StudyPlan], wanted: str) -> tuple[str, str, PlannedRun]:
    """The study, the grid, and the first run with a name.

    A name is the beginning of a key, `grid`, or `grid:axis=value,…`.

    Raises:
        ConfigError: no run has the name.
    """
    runs = [
        (plan.name, grid, planned)
        for plan in plans
        for grid, grid_runs in plan.runs.items()
        for planned in grid_runs
    ]
    grid, _, text = wanted.partition(":")
    condition = _condition(text)
    for study, name, planned in runs:
        if name == grid and condition.keys() <= planned.run.point.keys():
            if matches(condition, planned.run.point):
                return study, name, planned
        elif len(wanted) > 3 and planned.key.startswith(wanted):
            return study, name, planned
    of_grid = [(study, planned) for study, name, planned in runs if name == grid]
    text = _unmet(grid, condition, of_grid) if of_grid else _no_grid(grid, runs)
    raise ConfigError([LocatedProblem("--explain", None, wanted, text)])


def _no_grid(name: str, runs: Sequence[tuple[str, str, PlannedRun]]) -> str:
    """Why a name that is none of a grid, nor the beginning of a key, names no run."""
    grids = known_names(name, dict.fromkeys(grid for _, grid, _ in runs), "grids")
    return f"names no run: give the beginning of a key, or grid:axis=value,…; {grids}"


def _unmet(
    grid: str, condition: Mapping[str, object], runs: Sequence[tuple[str, PlannedRun]]
) -> str:
    """Why no run of a grid meets a condition; several studies may have a grid of this name."""
    studies = list(dict.fromkeys(study for study, _ in runs))
    of = f"the grid {grid} of {' and '.join(studies)}"
    points = [planned.run.point for _, planned in runs]
    for axis, wanted in condition.items():
        axes = dict.fromkeys(axis for point in points for axis in point)
        if axis not in axes:
            return f"names no run: {of} has no axis {axis!r}; {known_names(axis, axes)}"
        values = {canonical(point[axis]): point[axis] for point in points if axis in point}
        if not any(matches({axis: wanted}, {axis: value}) for value in values.values()):
            known = known_names(wanted, values.values(), most=MOST_SHOWN)
            return f"names no run: {of} has no {axis} {wanted!r}; {known}"
    return f"names no run: no point of {of} has all of these values together"


def _condition(text: str) -> dict[str, object]:
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    values = ((axis, number_in(value)) for axis, _, value in pairs)
    return {
        axis: with_powers(yaml.safe_load(value)) if isinstance(value, str) else value
        for axis, value in values
    }


def lines(planned: PlannedRun) -> Iterator[str]:
    """The lines of the explanation of a run.

    The lines have a table of ratios, and a table with one row for each group of parameters that
    have the same role and hyperparameters, in or outside residual branches.
    """
    spec = planned.run.spec
    table, ratios = imports.table(spec), runs_ratios.ratios(spec)
    table = table.unit() if spec.weights == "unit" else table
    shapes = shape_of(spec)
    network = build.model(spec, *shapes)
    scheme = build.scheme(spec, network, table, shapes)
    point = ", ".join(f"{axis} = {value}" for axis, value in planned.run.point.items())
    yield f"{planned.key}: {point}"
    yield f"{spec.parameterisation} ({table.source}), {spec.optimizer.name}"
    yield ""
    yield from aligned([("", "base", "target", "ratio"), *_ratios(spec, ratios)], 1)
    yield ""
    if scheme.branches:
        power = table.residual_multiplier
        scaled = _scaled(power.at(ratios), power)
        yield f"residual multiplier of {scheme.branches} branches: {scaled}"
        yield ""
    elif network_checks.scales_depth(table) and ratios.depth != 1:
        yield f"no residual branches, so no power of m_L of {table.name} applies to any"
        yield ""
    yield from aligned(
        [("role", "parameters", *COLUMNS, "betas"), *_roles(network, scheme, table)], 2
    )
    yield from _tied(scheme.tied, table, ratios)
    optimizer = build.optimizer(spec, network, scheme.rows)
    norms = {
        group["kind"]: f"{group['norm']} × {group['radius']:g}"
        for group in optimizer.param_groups
        if "norm" in group
    }
    if norms:
        yield ""
        yield "norms × radii: " + ", ".join(f"{kind} {text}" for kind, text in norms.items())
    if spec.weights == "boundary":
        yield "weights are drawn on the boundary of these balls, not with the init_std above"
    if spec.multipliers:
        yield ""
        names = ", ".join(spec.multipliers)
        yield f"the values include the multipliers of single modules: {names}"


def shape_of(spec: RunSpec) -> tuple[tuple[int, ...], int]:
    """The shape of the input of one sample, and the number of outputs, of the run's data set."""
    if ":" in spec.data.name:
        data = data_sets.samples(spec)
        return tuple(data.train_x.shape[1:]), data.classes
    return dataset_options.shape(spec.data.name, spec.data.options)


def _ratios(spec: RunSpec, ratios: Ratios) -> Iterator[tuple]:
    yield "m_N  width", spec.base.width, spec.shape.width, f"{ratios.width:g}"
    yield "m_L  depth", spec.base.depth, spec.shape.depth, f"{ratios.depth:g}"
    yield "m_B  batch size", spec.base_batch_size, spec.batch_size, f"{ratios.batch:g}"
    base, target = spec.base_batch_size * spec.base_steps, spec.batch_size * spec.steps
    yield "m_D  samples", base, target, f"{ratios.duration:g}"
    if max(spec.base.granularity, spec.shape.granularity) > 1:
        sizes = spec.base.granularity, spec.shape.granularity
        yield "m_G  granularity", *sizes, f"{ratios.granularity:g}"
    yield "     steps", spec.base_steps, spec.steps, f"{spec.steps / spec.base_steps:g}"


def _roles(network: nn.Module, scheme: build.Scheme, table: Parameterisation) -> Iterator[tuple]:
    groups: dict[tuple, list[str]] = {}
    parameters, in_branches = dict(network.named_parameters()), scheme.in_branches
    for row in scheme.rows:
        values = tuple(getattr(row, name) for name in COLUMNS)
        frozen = not parameters[row.name].requires_grad
        in_branch = row.name in in_branches
        group = row.role, Role(row.scaled_as), frozen, in_branch, values, row.betas
        groups.setdefault(group, []).append(row.name)
    for (name_of_role, role, frozen, in_branch, values, betas), names in groups.items():
        rule = Rule() if frozen else scheme.rule(role)
        shown = [
            _scaled(value, _applied(getattr(rule, name), in_branch)) if value else "–"
            for name, value in zip(COLUMNS, values, strict=True)
        ]
        shown_betas = ", ".join(f"{beta:.6g}" for beta in betas) or "–"
        if betas and not frozen and str(table.forgetting) != "1":
            shown_betas += f" (1 − β ∝ {table.forgetting})"
        note = "" if role == name_of_role else f" (scales as {role.value})"
        note = " (frozen: keeps its values)" if frozen else note
        yield f"{name_of_role}{note}", f"{len(names)}: {_listed(names)}", *shown, shown_betas


def _listed(names: Sequence[str]) -> str:
    """The names, where `*` stands for the numbers of blocks: for a first number that varies."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(re.sub(r"(?<![^.])\d+(?![^.])", "*", name, count=1), []).append(name)
    return ", ".join(n if len(those) > 1 else those[0] for n, those in alike.items())


def _tied(readouts: Sequence[str], table: Parameterisation, ratios: Ratios) -> Iterator[str]:
    """The multiplier of readouts that share the weights of an embedding, which has one row."""
    if readouts:
        power = table.rules[Role.OUTPUT].multiplier
        about = "multiplier of tied readouts, beside that of the embedding"
        yield ""
        yield f"{about}: {_scaled(power.at(ratios), power)}: {', '.join(readouts)}"


def _applied(power: Power, in_branch: bool) -> Power:
    """The power that applies to a parameter; powers of the depth apply in branches only."""
    return power if in_branch else replace(power, depth=0.0)


def _scaled(value: float, power: Power) -> str:
    return f"{value:.4g}" + (f" ∝ {power}" if str(power) != "1" else "")
