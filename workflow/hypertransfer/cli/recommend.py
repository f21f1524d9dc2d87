"""`hypertransfer recommend STUDY --to width=…`: hyperparameters for a size that was not swept."""

from __future__ import annotations

import argparse
import math
import shlex
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa
import yaml

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.catalogue import checks, lookup
from hypertransfer.cli.at_target import Scaled, scaled
from hypertransfer.cli.errors import CommandError
from hypertransfer.cli.text import aligned, json_text
from hypertransfer.networks.resolve import ParameterRow
from hypertransfer.planning.jobs import RESULTS
from hypertransfer.recommendation import exports
from hypertransfer.recommendation.advice import (
    DO_NOT,
    NARROW,
    TRUST,
    Recommendation,
    recommend,
)
from hypertransfer.recommendation.next_runs import RATES, SEEDS
from hypertransfer.recommendation.observations import (
    DIMENSIONS,
    SIZE,
    Observation,
    bracketed,
    observations,
)
from hypertransfer.recommendation.rate_costs import excess_text
from hypertransfer.recommendation.selection import Arm, arms, chosen, joined
from hypertransfer.recommendation.stored import base_of, spec_reader
from hypertransfer.recommendation.theory import following, theory
from hypertransfer.recommendation.trend import LEVEL, NO_PRIOR, trend
from hypertransfer.report.duration import duration
from hypertransfer.runs.problem import one_of
from hypertransfer.runs.spec import RunSpec
from hypertransfer.storage import parquet
from hypertransfer.storage.atomic import replace_atomically
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.main_config import main_config, studies_folder

WIDTH = 100
UNITS = {"width": "width", "depth": "depth", "batch": "batch size", "duration": "samples"}


def run(arguments: argparse.Namespace) -> int:
    """Print a recommendation, and write the files that are asked for; 1 if the verdict is `do not`.

    Raises:
        CommandError: there are no results of the study, no or several sweeps fit, or the target
            cannot be built.
        StoreError: a run of the sweep is not in the store.
    """
    arm, target, advice, at_target = recommended(arguments)
    print(*lines(arm, target, advice, at_target), sep="\n")
    _write(arguments, arm, target, advice, at_target)
    return int(advice.verdict == DO_NOT)


def recommended(arguments: argparse.Namespace) -> tuple[Arm, RunSpec, Recommendation, Scaled]:
    """The sweep that the options choose, the target, the recommendation, and its parameters.

    Raises:
        CommandError, StoreError: see `run`.
    """
    config, _ = main_config(arguments.configfile, arguments.config)
    store = Store(config["store"])
    spec_of = spec_reader(store)
    arm = _arm(arguments, spec_of)
    try:
        found = observations(arm.runs, lambda key: base_of(spec_of(key)))
    except AnalysisError as error:
        raise CommandError(arm.label, str(error)) from error
    largest = max(found, key=lambda one: (one.flops, one.logs))
    measured = spec_of(_key_of(arm, largest))
    target = _target(measured, _once("--to", arguments.to), found)
    if problems := list(checks.objections(target)):
        raise CommandError("--to", "; ".join(map(str, problems)))
    advice = recommend(found, _sizes(target), theory(lookup.table(target), target.optimizer, found))
    at_target = Scaled((), {})
    if advice.forecast is not None:
        at_target = scaled(replace(target, lr=advice.lr))
    return arm, target, advice, at_target


def _arm(arguments: argparse.Namespace, spec_of: Callable[[str], RunSpec]) -> Arm:
    """The arm that the options choose, or several that differ in their sizes alone, as one.

    Raises:
        CommandError: there are no results, or no arm or several arms fit.
    """
    name, where = arguments.study, _once("--where", arguments.where)
    file = RESULTS / name / "tables" / "runs.parquet"
    if not file.exists():
        folder = studies_folder(arguments.configfile)
        if not (folder / f"{name}.yaml").exists():
            known = sorted(one.stem for one in folder.glob("*.yaml"))
            raise CommandError("STUDY", f"{name!r} is no study: use {one_of(name, known)}")
        text = (
            f"{file} is not there: run snakemake --config 'studies=[{name}]' first, or the call of "
            "check-up that wrote the study"
        )
        raise CommandError("STUDY", text)
    try:
        found = list(arms(parquet.frame(file)))
    except (OSError, pa.ArrowException) as error:
        raise CommandError(str(file), f"cannot be read: {error}") from error
    grids = {grid: None for arm in found for grid in arm.grids}
    for grid in arguments.grid:
        if grid not in grids:
            text = f"{name} has no learning-rate sweep in a grid {grid!r}"
            raise CommandError("--grid", f"{text}: use {one_of(grid, grids)}")
    fitting = chosen(found, arguments.grid, where)
    several = ""
    if fitting:
        try:
            return joined(fitting, spec_of)
        except AnalysisError as error:
            several = f"several sweeps fit, and {error}"
    known = "\n".join(f"  {_options(arm)}" for arm in fitting or found)
    words = [f"--grid {' '.join(arguments.grid)}"] if arguments.grid else []
    words += [f"--where {column}={value}" for column, value in where.items()]
    none = f"no learning-rate sweep has {' '.join(words)}" if words else "no sweep fits"
    ways = f"choose one of:\n{known or '  (the study has none)'}"
    raise CommandError(name, f"{several or none}; {ways}")


def _once(option: str, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs of an option as a mapping.

    Raises:
        CommandError: a name is given twice.
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise CommandError(option, f"{twice} is given twice")
    return values


def _options(arm: Arm) -> str:
    """The options that choose an arm."""
    where = " ".join(shlex.quote(f"{column}={value}") for column, value in arm.values.items())
    return f"--grid {' '.join(arm.grids)}" + (f" --where {where}" if where else "")


def _key_of(arm: Arm, one: Observation) -> str:
    rows = arm.runs
    for column, value in zip(SIZE, one.size, strict=True):
        rows = rows[rows[column] == value]
    return str(rows["key"].iloc[0])


def _target(measured: RunSpec, wanted: Mapping[str, int], found: Sequence[Observation]) -> RunSpec:
    """The spec of the target: that of the largest measured size, with the values of `--to`.

    A base batch size, or base number of steps, that is that of each measured run is that of the
    target, too.
    """
    bases = {f"base_{name}": wanted[name] for name in following(found) & set(wanted)}
    return replace(resized(measured, wanted), **bases, checkpoints=())


def resized(spec: RunSpec, wanted: Mapping[str, int]) -> RunSpec:
    """The spec with another width, depth, batch size or number of steps, as `--to` names them."""
    shape = {name: wanted[name] for name in ("width", "depth") if name in wanted}
    rest = {name: wanted[name] for name in ("batch_size", "steps") if name in wanted}
    return replace(spec, shape=replace(spec.shape, **shape), **rest)


def lines(arm: Arm, target: RunSpec, advice: Recommendation, at_target: Scaled) -> Iterator[str]:
    """The lines of a recommendation: verdict, rate, evidence, groups, next runs, what is fixed."""
    about = f"{target.model.name} on {target.data.name}, {target.optimizer.name}"
    named = "grid" if len(arm.grids) == 1 else "grids"
    yield f"{named} {', '.join(arm.grids)}: {about}, {target.parameterisation}"
    yield f"target: {_size_text(_sizes(target))}"
    yield ""
    yield from _verdict(target, advice)
    yield ""
    yield from _evidence(advice)
    if advice.forecast is None:
        return
    yield ""
    yield from _groups(target, at_target.rows)
    for one in at_target.factors.values():
        yield f"multiply {one.text} by {one.value:.4g}: {', '.join(one.places)}"
    if advice.next_sweeps:
        yield ""
        yield from _next(advice)
    yield ""
    yield from _not_varied(target, advice)


def _verdict(target: RunSpec, advice: Recommendation) -> Iterator[str]:
    if advice.forecast is None or advice.cost is None:
        yield from textwrap.wrap(f"{advice.verdict}: {'; '.join(advice.reasons)}", WIDTH)
        return
    low, high = advice.interval
    turned = f"which {target.parameterisation} turns into the rates of the groups below"
    ways = {
        TRUST: f"train with the base lr {advice.lr:.3g}, {turned}",
        NARROW: f"sweep the base lr from {low:.3g} to {high:.3g}, beginning with {advice.lr:.3g}",
        DO_NOT: f"use a rate from these sweeps yet; a guess of the base lr is {advice.lr:.3g}",
    }
    yield f"{advice.verdict}: {ways[advice.verdict]}"
    yield from textwrap.wrap(f"because {'; '.join(advice.reasons)}", WIDTH)
    yield (
        f"{100 * LEVEL:.0f} % interval of the best base lr: {low:.3g} to {high:.3g} "
        "(an octave is a factor of 2)"
    )
    base = target.base
    yield f"the base lr is the rate at width {base.width} and depth {base.depth}"
    octaves = {name: number for name, number in advice.extrapolation.items() if number}
    away = ", ".join(f"{2**number:.3g} times in {UNITS[name]}" for name, number in octaves.items())
    beyond = f"extrapolated {away}, from the nearest measured size"
    yield beyond if away else "the target is within what was measured"
    cost = advice.cost
    text = f"expected excess loss: {excess_text(cost.percent)}"
    if cost.diverges:
        text += f"; training diverges with a probability of {100 * cost.diverges:.0f} %"
    yield text


def _evidence(advice: Recommendation) -> Iterator[str]:
    head = ("measured", "best base lr", "± octaves", "least loss", "seeds", "rates")
    body = [
        (
            _size_text(one.size),
            "open" if one.is_open else f"{2**one.optimum.log2_lr:.3g}",
            "–" if one.is_open else f"{one.error:.2f}",
            f"{one.sweep.least_loss():.4g}",
            one.seeds,
            len(one.sweep.lrs),
        )
        for one in advice.found
    ]
    yield from aligned([head, *body], 1)
    if advice.fitted is not None:
        measured = trend(advice.found, advice.slopes, NO_PRIOR)
        assert measured is not None
        for name in _varied(advice):
            own, slope = measured.slope(name), advice.fitted.slope(name)
            yield (
                f"per doubling of the {UNITS[name]} the best base lr moves "
                f"{own.log2_lr:+.2f} ± {own.deviation:.2f} octaves; with the prior "
                f"{slope.log2_lr:+.2f} ± {slope.deviation:.2f}"
            )
    left = advice.left_out
    if left is not None:
        inside = "inside" if left.inside else "outside"
        one = left.smaller == 1
        sizes = "a smaller size predicts" if one else f"{left.smaller} smaller sizes predict"
        excess = (
            "diverges" if math.isinf(left.regret) else f"has {excess_text(left.regret)} excess loss"
        )
        text = (
            f"largest left out: {sizes} {2**left.forecast.log2_lr:.3g}, found is "
            f"{2**left.found:.3g} ({left.octaves:+.2f} octaves, {inside} the interval); the "
            f"predicted lr {excess}"
        )
        yield from textwrap.wrap(text, WIDTH)
        if one:
            yield "one smaller size measures no slope: the prediction has the slope of the prior"


def _varied(advice: Recommendation) -> Iterator[str]:
    """The dimensions in which the sizes differ whose sweeps bracket their best rates."""
    for place, name in enumerate(DIMENSIONS):
        if len({one.logs[place] for one in bracketed(advice.found)}) > 1:
            yield name


def _groups(target: RunSpec, rows: Sequence[ParameterRow]) -> Iterator[str]:
    """A row for each group of parameters of one role and equal hyperparameters."""
    by_values: dict[tuple, list[str]] = {}
    for row in rows:
        values = row.scaled_as, row.init_std, row.multiplier, row.lr, row.weight_decay, row.eps
        by_values.setdefault(values, []).append(row.name)
    betas = next((row.betas for row in rows if row.betas), ())
    also = f", betas {', '.join(f'{beta:.4g}' for beta in betas)}" if betas else ""
    yield f"per group under {target.parameterisation} with {target.optimizer.name}{also}"
    head = ("role", "first", "tensors", "init_std", "multiplier", "lr", "weight_decay", "eps")
    body = [
        (
            role,
            names[0],
            len(names),
            *(("–" if value in (None, 0.0) else f"{value:.4g}") for value in values),
        )
        for (role, *values), names in by_values.items()
    ]
    yield from aligned([head, *body], 2)
    yield "multiplier: on the weight in the forward pass; –: as the network draws it, or not used"


def _next(advice: Recommendation) -> Iterator[str]:
    assert advice.forecast is not None
    sweeps = f"sweeps of {RATES} rates and {SEEDS} seeds"
    yield f"{sweeps} that would narrow the interval, most for their time first"
    head = ("size", "time", "± octaves now", "after")
    now = f"{advice.forecast.deviation:.2f}"
    body = []
    for one in advice.next_sweeps:
        size = exports.size_at(one.logs)
        text = _size_text(size) + (" (the target)" if size == tuple(advice.size) else "")
        body.append((text, duration(60 * one.minutes), now, f"{one.deviation:.2f}"))
    yield from aligned([head, *body], 1)


def _sizes(target: RunSpec) -> tuple[int, ...]:
    return target.shape.width, target.shape.depth, target.batch_size, target.steps


def _size_text(size: Sequence[int]) -> str:
    width, depth, batch, steps = size
    return f"width {width}, depth {depth}, batch {batch}, {steps} steps"


def _not_varied(target: RunSpec, advice: Recommendation) -> Iterator[str]:
    """What all measured runs have in common, so that nothing is known of its effect."""
    fixed = [
        f"{name} ({values[0]:g}, target {wanted:g})" if values[0] != wanted else name
        for name, values, wanted in zip(
            ("width", "depth", "batch size", "steps"),
            zip(*(one.size for one in advice.found), strict=True),
            advice.size,
            strict=True,
        )
        if len(set(values)) == 1
    ]
    schedule = target.schedule
    held = [
        *fixed,
        "data",
        f"schedule ({schedule.name}, warm-up {schedule.warmup:g})",
        f"weight decay ({target.weight_decay:g})",
        "betas",
        "length of a sample",
    ]
    text = f"not varied, so that only theory or nothing tells its effect: {', '.join(held)}"
    yield from textwrap.wrap(text, WIDTH)


def _write(
    arguments: argparse.Namespace,
    arm: Arm,
    target: RunSpec,
    advice: Recommendation,
    at_target: Scaled,
) -> None:
    """Write the files that the options name.

    Raises:
        CommandError: a file cannot be written, or nothing is known that it could hold.
    """
    texts: dict[str, Any] = {
        "json": lambda: json_text({"study": arguments.study, **plain(arm, advice, at_target)}),
        "groups": lambda: at_target.python(
            f"the study {arguments.study}, {arm.text}, at {_size_text(_sizes(target))}"
        ),
        "optuna": lambda: json_text(exports.optuna(advice)),
        "axis": lambda: yaml.safe_dump(exports.axis(advice), sort_keys=False),
    }
    for name, text in texts.items():
        if (file := getattr(arguments, name)) is None:
            continue
        if advice.forecast is None and name != "json":
            raise CommandError(f"--{name}", "there is no learning rate to write")
        if advice.verdict == DO_NOT and name == "groups":
            raise CommandError(f"--{name}", "the verdict is `do not`: sweep at more sizes first")
        try:
            replace_atomically(file, text().encode())
        except OSError as error:
            text = f"{file} cannot be written: {error.strerror or error}"
            raise CommandError(f"--{name}", text) from error
        print(f"written to {file}")


def plain(arm: Arm, advice: Recommendation, at_target: Scaled) -> dict[str, Any]:
    """A recommendation as values that JSON can hold."""
    return {
        "sweep": arm.label,
        **exports.plain(advice),
        "parameters": [row.plain() for row in at_target.rows],
        "factors": [asdict(one) for one in at_target.factors.values()],
    }
