"""`hypertransfer space TABLE`: learns a search space from past sweeps, and tests the space."""

from __future__ import annotations

import argparse
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hypertransfer.spaces import exports
from hypertransfer.spaces.cross_validation import LeftOut, leave_one_out
from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.learning import (
    Recipe,
    Space,
    learn,
    wanted_winners,
)
from hypertransfer.spaces.regions import FLOOR, RegionError
from hypertransfer.spaces.tasks import read_table, table_file, tables
from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.spaces.tasks.task import Task
from hypertransfer.studies.document import ConfigError, LocatedProblem, read

COUNTS = (3, 10, 30)  # numbers of evaluations after which regrets are printed
TRUSTED = "no reason found to distrust this space"
WORTH = 0.9  # ratio of regrets, in the space over the whole range, below which there is a gain


def run(arguments: argparse.Namespace) -> int:
    """Learn a space, print a report on the space, and write the space to a file.

    Raises:
        ConfigError: every problem of the arguments or of the description of the columns.
        TableError: the table does not match its description, or no space can be learned.
    """
    table_file.check_suffix(arguments.table)
    about = described(arguments)
    _check(arguments, about)
    domain, all_tasks = read_table.read(arguments.table, about, print)
    # A task without a finite loss has no winner, and no regret with which a space can be tested.
    tasks = [task for task in all_tasks if len(task.winners())]
    failed = [task.name for task in all_tasks if not len(task.winners())]
    if not tasks:
        raise TableError(f"{arguments.table}: every trial diverged: no task has a finite loss")
    recipe, why = _recipe(arguments, domain, tasks)
    _check_sizes(arguments, tasks)
    try:
        space = learn(domain, tasks, recipe, arguments.target)
    except RegionError as error:
        raise TableError(f"{arguments.table}: {error}") from error
    left = list(leave_one_out(domain, tasks, recipe, COUNTS))
    related = len({task.group for task in tasks}) not in (1, len(tasks))
    by_group = list(leave_one_out(domain, tasks, recipe, COUNTS, by_group=True)) if related else []
    if failed:
        print(f"left out, since they have no finite loss: {', '.join(failed)}")
    reasons = doubts(space, tasks, left, by_group, recipe.top)
    print(*report(space, recipe, why, tasks, left, by_group, reasons), sep="\n")
    source = {
        "table": str(arguments.table),
        "sha256": hashlib.sha256(arguments.table.read_bytes()).hexdigest(),
        "recipe": {**asdict(recipe), "drifting": list(recipe.drifting)},
        "target": arguments.target,
        "volume": space.volume,
        "failed": failed,
        "trusted": not reasons,
        "doubts": reasons,
        "left_out": {"task": _plain(left), "group": _plain(by_group)},
    }
    try:
        exports.write(exports.document(space, source, arguments.points), arguments.out)
    except OSError as error:
        text = f"{arguments.out} cannot be written: {error.strerror or error}"
        raise ConfigError([LocatedProblem("command line", None, "--out", text)]) from error
    print(f"\nwritten to {arguments.out}")
    return 0


def described(arguments: argparse.Namespace) -> dict[str, Any]:
    """The description of the table's columns.

    Raises:
        ConfigError: every problem of the description.
    """
    file = _beside(arguments)
    if not arguments.table.exists():
        text = "is missing: name the table of past trials"
        raise ConfigError([LocatedProblem(str(arguments.table), None, "(file)", text)])
    if not file.exists() and not arguments.about:
        text = f"is missing: write {file}, which describes the columns, or name it by --about"
        raise ConfigError([LocatedProblem(str(file), None, "(file)", text)])
    document = read(file)
    problems = [document.locate(problem) for problem in tables.problems(document.values)]
    if problems:
        raise ConfigError(problems)
    return document.values


def _beside(arguments: argparse.Namespace) -> Path:
    """The file with the description of the columns."""
    return arguments.about or arguments.table.parent / f"{arguments.table.stem}.yaml"


def _out_faults(arguments: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for path in (arguments.table, _beside(arguments)):
        if arguments.out.resolve() == path.resolve():  # --force overwrites outputs only
            yield "--out", f"{arguments.out} is an input of this command: name another file"
            return
    if arguments.out.is_dir():
        yield "--out", f"{arguments.out} is a folder: name a file"
    elif arguments.out.exists() and not arguments.force:
        yield "--out", f"{arguments.out} exists already: name another file, or add --force"


def _check_sizes(arguments: argparse.Namespace, tasks: Sequence[Task]) -> None:
    for task in tasks if arguments.drift else ():
        size = task.attributes[arguments.drift]
        if not isinstance(size, int | float) or not 0 < size < math.inf:
            text = f"{arguments.drift} of task {task.name} is {size!r}, which is not a size above 0"
            raise ConfigError([LocatedProblem("command line", None, "--drift", text)])


def _check(arguments: argparse.Namespace, about: dict[str, Any]) -> None:
    faults = list(_out_faults(arguments))
    if not 0 <= arguments.slack < math.inf:
        faults.append(("--slack", f"{arguments.slack:g} is not 0 or more"))
    if arguments.floor is not None and not 0 < arguments.floor <= 0.5:
        faults.append(("--floor", f"{arguments.floor:g} is not above 0 and at most 0.5"))
    for name in ("top", "points"):
        if getattr(arguments, name) < 1:
            faults.append((f"--{name}", f"{getattr(arguments, name)} is not 1 or more"))
    if bool(arguments.drift) != (arguments.target is not None):
        faults.append(
            ("--drift", "needs --target, the size of the learned space, and --target needs --drift")
        )
    elif arguments.drift and arguments.drift not in about["task"]:
        known = ", ".join(about["task"])
        faults.append(
            ("--drift", f"{arguments.drift!r} is not a column of the tasks; these are: {known}")
        )
    elif arguments.target is not None and not 0 < arguments.target < math.inf:
        faults.append(("--target", f"{arguments.target:g} is not above 0"))
    numeric = [name for name, d in about["dimensions"].items() if "choices" not in d]
    for name in arguments.drifting:
        if not arguments.drift or name not in numeric:
            known = ", ".join(numeric)
            faults.append(("--drifting", f"{name!r}: needs --drift, and has to be one of {known}"))
    if faults:
        raise ConfigError(LocatedProblem("command line", None, key, text) for key, text in faults)


def _recipe(
    arguments: argparse.Namespace, domain: Domain, tasks: Sequence[Task]
) -> tuple[Recipe, str]:
    """The recipe for learning the space, and the reason for its shape."""

    won = sum(len(task.winners(arguments.top)) for task in tasks)
    wanted = wanted_winners(len(domain.numeric))
    shape = arguments.shape or ("ellipsoid" if won >= wanted else "box")
    axes = len(domain.numeric)
    count = f"{_counted(won, 'winner')}, and an ellipsoid of {axes} dimensions wants {wanted}"
    why = "chosen by --shape" if arguments.shape else count
    recipe = Recipe(
        shape,
        arguments.slack,
        arguments.floor or FLOOR,
        arguments.top,
        arguments.drift or "",
        tuple(arguments.drifting),
    )
    return recipe, why


def doubts(
    space: Space,
    tasks: Sequence[Task],
    left: Sequence[LeftOut],
    by_group: Sequence[LeftOut] = (),
    top: int = 1,
) -> list[str]:
    """The reasons not to trust a space; empty if there are none."""
    reasons = []
    if len(tasks) < 3:
        reasons.append(f"{_counted(len(tasks), 'task')}: too few to tell what they have in common")
    if alone := sum(len(task.losses) == 1 for task in tasks):
        reasons.append(f"{alone} of {len(tasks)} tasks have one evaluation, which wins")
    if whole := sum(top >= len(task.losses) > 1 for task in tasks):
        reasons.append(
            f"every evaluation of {whole} of {len(tasks)} tasks is a winner: choose --top below "
            "the number of evaluations"
        )
    if not space.trusted:
        wanted = wanted_winners(space.region.dimension)
        reasons.append(
            f"{_counted(space.points, 'winner')}, fewer than {wanted}: the space may fit these "
            "alone; see --top"
        )
    outside = sum(not _holds_best(space, task) for task in tasks)
    if 2 * outside > len(tasks):
        reasons.append(f"the best evaluation of {outside} of {len(tasks)} tasks is outside")
    if left and not _gain(left) < WORTH:
        reasons.append(_no_gain("tasks"))
    if left and 2 * _better(left) < len(left):
        reasons.append(f"it helps on only {_better(left)} of {len(left)} tasks")
    if by_group and not _gain(by_group) < WORTH:
        reasons.append(_no_gain("groups"))
    return reasons


def _holds_best(space: Space, task: Task) -> bool:
    """Whether the best evaluation of a task that the space was learned from lies in the space."""
    return task.name not in space.excluded or bool(space.contains(task.winners())[0])


def _no_gain(units: str) -> str:
    return (
        f"no gain on {units} that were left out in learning: the mean regret after {COUNTS[1]} "
        f"evaluations is not below {WORTH} of that in the whole range"
    )


def _gain(left: Sequence[LeftOut]) -> float:
    """The mean regret in the space over that in the whole range, after `COUNTS[1]` evaluations."""
    inside, whole = (sum(float(getattr(fold, n)[1]) for fold in left) for n in ("inside", "whole"))
    return inside / whole if whole else 1.0


def _plain(left: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """The results of cross-validation, as plain values for the file."""
    return [
        {
            "task": fold.task,
            "volume": float(fold.volume),
            "holds_best": fold.holds_best,
            "coverage": fold.coverage,
            "rows": fold.rows,
            "evaluations": list(fold.counts),
            "inside": fold.inside.tolist(),
            "whole": fold.whole.tolist(),
        }
        for fold in left
    ]


def _better(left: Sequence[LeftOut]) -> int:
    """The number of tasks whose regret after `COUNTS[1]` evaluations is smaller in the space."""
    return sum(bool(fold.inside[1] < fold.whole[1]) for fold in left)


def report(
    space: Space,
    recipe: Recipe,
    why: str,
    tasks: Sequence[Task],
    left: Sequence[LeftOut],
    by_group: Sequence[LeftOut],
    reasons: Sequence[str],
) -> Iterator[str]:
    """The lines of the report on a learned space, and on tasks that were left out of learning."""
    groups = len({task.group for task in tasks})
    rows = sum(len(task.losses) for task in tasks)
    yield (
        f"{_counted(len(tasks), 'task')} in {_counted(groups, 'group')}, "
        f"{_counted(rows, 'evaluation')}, {_counted(space.points, 'winner')}"
    )
    slack = f", slack {recipe.slack:g}" if recipe.slack else ""
    yield f"{recipe.shape}{slack} ({why}): {100 * space.volume:.3g} % of the whole space"
    yield from _ranges(space)
    outside = ", ".join(space.excluded) or "none"
    yield f"tasks with a winner outside: {outside}"
    for noun, folds in (("task", left), ("group", by_group)):
        if folds:
            yield ""
            yield from _left_out(noun, folds)
    yield ""
    yield "do not trust this space yet: " + "; ".join(reasons) if reasons else TRUSTED


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _ranges(space: Space) -> Iterator[str]:
    for name, limits in exports.ranges(space).items():
        if "choices" in limits:
            yield f"  {name}: {', '.join(map(str, limits['choices']))}"
        else:
            yield f"  {name}: {limits['low']:.3g} to {limits['high']:.3g}"


def _left_out(noun: str, left: Sequence[LeftOut]) -> Iterator[str]:
    inside = sum(fold.holds_best for fold in left)
    share = 100 * float(np.mean([fold.coverage for fold in left]))
    yield f"leaving each {noun} out: the best is inside on {inside} of {len(left)} tasks,"
    yield f"  and {share:.0f} % of the best tenth"
    yield f"after {COUNTS[1]} evaluations, random search in the space is ahead of that in the whole"
    yield f"  range on {_better(left)} of {len(left)}"
    rows = float(np.median([fold.rows for fold in left]))
    yield f"  evaluations of a task inside, median over tasks: {rows:g}"
    if rows <= COUNTS[0]:
        yield "  so few that the regrets in the space, of the best evaluation there, say little"
    yield f"  regret after    {'  '.join(f'{count:>7}' for count in COUNTS)}"
    for name, key in (("in the space", "inside"), ("whole range", "whole")):
        mean = np.mean([getattr(fold, key) for fold in left], axis=0)
        yield f"  {name:<14}  {'  '.join(f'{value:7.4f}' for value in mean)}"
