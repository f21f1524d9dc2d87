"""What a run's parameterisation does to each hyperparameter, and the ratios that made it so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import yaml

from hypertransfer.catalogue import dataset_options, lookup
from hypertransfer.cli.text import aligned
from hypertransfer.networks.layers import Branch
from hypertransfer.networks.resolve import ParameterRow, named_roles
from hypertransfer.parameterisation.algebra import Parameterisation, Power, Ratios
from hypertransfer.parameterisation.module_multipliers import kind
from hypertransfer.planning.study_plan import PlannedRun, StudyPlan
from hypertransfer.runs import ratios as runs_ratios
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies.document import ConfigError, LocatedProblem
from hypertransfer.training import build

COLUMNS = ("init_std", "multiplier", "lr", "weight_decay", "eps")


def find(plans: Sequence[StudyPlan], wanted: str) -> PlannedRun:
    """The run that `wanted` names: the beginning of a key, or `grid` or `grid:axis=value,…`.

    Of several runs of a grid it is the first.

    Raises:
        ConfigError: there is none.
    """
    runs = [(grid, run) for plan in plans for grid, found in plan.runs.items() for run in found]
    grid, _, text = wanted.partition(":")
    condition = _condition(text)
    for name, run in runs:
        if name == grid and condition.keys() <= run.run.point.keys():
            if matches(condition, run.run.point):
                return run
        elif len(wanted) > 3 and run.key.startswith(wanted):
            return run
    grids = ", ".join(dict.fromkeys(name for name, _ in runs))
    text = f"names no run: give the beginning of a key, or grid:axis=value,…; grids: {grids}"
    raise ConfigError([LocatedProblem("--explain", None, wanted, text)])


def _condition(text: str) -> dict[str, object]:
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {axis: yaml.safe_load(value) for axis, _, value in pairs}


def lines(run: PlannedRun) -> Iterator[str]:
    """The run's ratios, and one row for each role in and outside residual branches."""
    spec = run.run.spec
    table, ratios = lookup.table(spec), runs_ratios.ratios(spec)
    table = table.unit() if spec.weights == "unit" else table
    network = build.model(spec, *_shape(spec))
    rows = {row.name: row for row in build.rows(spec, network, table)}
    point = ", ".join(f"{axis} = {value}" for axis, value in run.run.point.items())
    yield f"{run.key}: {point}"
    yield f"{spec.parameterisation} ({table.source}), {spec.optimizer.name}"
    yield ""
    yield from aligned([("", "base", "target", "ratio"), *_ratios(spec, ratios)], 1)
    yield ""
    branches = sum(isinstance(module, Branch) for module in network.modules())
    if branches:
        power = table.residual_multiplier
        yield f"residual multiplier of {branches} branches: {_scaled(power.at(ratios), power)}"
        yield ""
    yield from aligned(
        [("role", "parameters", *COLUMNS, "betas"), *_roles(network, rows, table)], 2
    )
    optimizer = build.optimizer(spec, network, [*rows.values()])
    norms = {g["kind"]: f"{g['norm']} × {g['radius']:g}" for g in optimizer.param_groups
             if "norm" in g}  # fmt: skip
    if norms:
        yield ""
        yield "norms × radii: " + ", ".join(f"{kind} {text}" for kind, text in norms.items())
    if spec.weights == "boundary":
        yield "weights are drawn on the boundary of these balls, and not with the init_std above"
    if spec.multipliers:
        yield ""
        names = ", ".join(spec.multipliers)
        yield f"the values include multipliers of single modules, for {names}"


def _shape(spec: RunSpec) -> tuple[tuple[int, ...], int]:
    if ":" in spec.data.name:
        data = build.data(spec)
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


def _roles(network, rows: dict[str, ParameterRow], table: Parameterisation) -> Iterator[tuple]:
    seen: dict[tuple, list[str]] = {}
    for tagged in named_roles(network):
        row = rows[tagged.name]
        values = tuple(getattr(row, name) for name in COLUMNS)
        seen.setdefault((tagged.role, tagged.in_branch, values, row.betas), []).append(tagged.name)
    for (role, inside, values, betas), names in seen.items():
        shown = [
            _scaled(value, _seen(getattr(table.rules[role], name), inside)) if value else "–"
            for name, value in zip(COLUMNS, values, strict=True)
        ]
        types = list(dict.fromkeys(kind(name) for name in names))
        example = types[0] if len(types) == 1 else f"{types[0]} and {len(types) - 1} more types"
        words = ", ".join(f"{beta:.6g}" for beta in betas) or "–"
        yield role.value, f"{len(names)}: {example}", *shown, words


def _seen(power: Power, inside: bool) -> Power:
    """Depth reaches parameters inside branches only."""
    return power if inside else replace(power, depth=0.0)


def _scaled(value: float, power: Power) -> str:
    return f"{value:.4g}" + (f" ∝ {power}" if str(power) != "1" else "")
