"""`hypertransfer space TABLE`: learn a search space from past sweeps, and report its gain."""

from __future__ import annotations

import argparse
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypertransfer.studies.document import ConfigError, Problem, read

if TYPE_CHECKING:
    from hypertransfer.spaces.cross_validation import LeftOut
    from hypertransfer.spaces.dimensions import Domain
    from hypertransfer.spaces.learning import Recipe, Space
    from hypertransfer.spaces.tasks.task import Task

COUNTS = (3, 10, 30)  # numbers of evaluations after which regrets are reported
MIDDLE = 1  # index of the count by which gains are judged
WORTH = 0.9  # a ratio of regrets above this is no gain
FEWEST = 3  # tasks from which a space is trusted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    add = parser.add_argument
    add("table", type=Path, metavar="TABLE", help="past evaluations: CSV or Parquet")
    text = "description of the table's columns (default: TABLE's name with .yaml)"
    add("--about", type=Path, metavar="FILE", help=text)
    add("--out", type=Path, default=Path("space.yaml"), help="default: space.yaml")
    add("--force", action="store_true", help="overwrite an existing file")
    text = "default: ellipsoid if there are enough winners, else box"
    add("--shape", choices=("box", "ellipsoid"), help=text)
    text = "let outlying tasks stay outside; usually 0.1 to 0.2"
    add("--slack", type=float, default=0.0, metavar="LAMBDA", help=text)
    text = "least half-width, as a share of the range (default: 0.05)"
    add("--floor", type=float, metavar="SHARE", help=text)
    add("--top", type=int, default=1, metavar="N", help="winners of each task")
    add("--points", type=int, default=32, metavar="N", help="points of the grid section")
    text = "extrapolate winners along a size, e.g. width"
    add("--drift", metavar="COLUMN", help=text)
    text = "hyperparameters that are extrapolated (default: all)"
    add("--drifting", nargs="+", default=[], metavar="NAME", help=text)
    add("--target", type=float, metavar="SIZE", help="size to which winners are extrapolated")


def run(given: argparse.Namespace) -> int:
    """Learn a space from a table, print the report and write the file; returns the exit code 0.

    Raises:
        ConfigError: all problems of the arguments or of the description.
        TableError: the table does not match its description, or no space can be learned from it.
    """
    from hypertransfer.spaces import exports
    from hypertransfer.spaces.cross_validation import leave_one_out
    from hypertransfer.spaces.learning import learn
    from hypertransfer.spaces.regions import RegionError
    from hypertransfer.spaces.tasks import read_table
    from hypertransfer.spaces.tasks.tables import TableError

    about = described(given)
    _check(given, about)
    domain, every = read_table.tasks_of(read_table.frame(given.table), about, str(given.table))
    # A task without a finite loss has no winner, and no space can be tested on it.
    tasks = [task for task in every if len(task.winners())]
    failed = [task.name for task in every if not len(task.winners())]
    recipe, reason = _recipe(given, domain, tasks)
    _check_sizes(given, tasks)
    try:
        space = learn(domain, tasks, recipe, given.target)
    except RegionError as error:
        raise TableError(f"{given.table}: {error}") from error
    by_task = list(leave_one_out(domain, tasks, recipe, COUNTS))
    related = len({task.group for task in tasks}) not in (1, len(tasks))
    by_group = list(leave_one_out(domain, tasks, recipe, COUNTS, by_group=True)) if related else []
    if failed:
        print(f"left out, without a finite loss: {', '.join(failed)}")
    reasons = doubts(space, tasks, by_task, by_group)
    print(*report(space, recipe, reason, tasks, by_task, by_group, reasons), sep="\n")
    source = {
        "table": str(given.table),
        "sha256": hashlib.sha256(given.table.read_bytes()).hexdigest(),
        "recipe": {**asdict(recipe), "drifting": list(recipe.drifting)},
        "target": given.target,
        "volume": space.volume,
        "failed": failed,
        "trusted": not reasons,
        "doubts": reasons,
        "left_out": {"task": _plain(by_task), "group": _plain(by_group)},
    }
    try:
        exports.write(exports.document(space, source, given.points), given.out)
    except OSError as error:
        text = f"{given.out} cannot be written: {error.strerror or error}"
        raise ConfigError([Problem("command line", None, "--out", text)]) from error
    print(f"\nwritten to {given.out}")
    return 0


def described(given: argparse.Namespace) -> dict[str, Any]:
    """The description of the table's columns.

    Raises:
        ConfigError: all problems of the description.
    """
    from hypertransfer.spaces.tasks import tables

    document = read(_beside(given))
    found = [document.problem(path, text, key=".".join(path) or "(top)")
             for path, text in tables.problems(document.values)]  # fmt: skip
    if found:
        raise ConfigError(found)
    return document.values


def _beside(given: argparse.Namespace) -> Path:
    """The file of the description."""
    return given.about or given.table.parent / f"{given.table.stem}.yaml"


def _out_faults(given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Problems of the file to write, each with its option."""
    for path in (given.table, _beside(given)):
        if given.out.resolve() == path.resolve():  # also with --force
            yield "--out", f"{given.out} is an input of this command: name another file"
            return
    if given.out.is_dir():
        yield "--out", f"{given.out} is a folder: name a file"
    elif given.out.exists() and not given.force:
        yield "--out", f"{given.out} exists already: name another file, or add --force"


def _check_sizes(given: argparse.Namespace, tasks: Sequence[Task]) -> None:
    """Check that every task has a size along which winners can be extrapolated.

    Raises:
        ConfigError: a size is not a number above 0.
    """
    for task in tasks if given.drift else ():
        size = task.attributes[given.drift]
        if not isinstance(size, int | float) or not 0 < size < math.inf:
            text = f"task {task.name}: {given.drift} is {size!r}, not a size above 0"
            raise ConfigError([Problem("command line", None, "--drift", text)])


def _check(given: argparse.Namespace, about: dict[str, Any]) -> None:
    """Check the options against each other and against the description.

    Raises:
        ConfigError: all problems of the options.
    """
    faults = list(_out_faults(given))
    if not 0 <= given.slack < math.inf:
        faults.append(("--slack", f"{given.slack:g} is not 0 or more"))
    if given.floor is not None and not 0 < given.floor <= 0.5:
        faults.append(("--floor", f"{given.floor:g} is not above 0 and at most 0.5"))
    for name in ("top", "points"):
        if getattr(given, name) < 1:
            faults.append((f"--{name}", f"{getattr(given, name)} is not 1 or more"))
    if bool(given.drift) != (given.target is not None):
        faults.append(("--drift", "requires --target, the size to extrapolate to, and vice versa"))
    elif given.drift and given.drift not in about["task"]:
        known = ", ".join(about["task"])
        faults.append(
            ("--drift", f"{given.drift!r} is no column that names tasks; these do: {known}")
        )
    elif given.target is not None and not 0 < given.target < math.inf:
        faults.append(("--target", f"{given.target:g} is not above 0"))
    numeric = [name for name, d in about["dimensions"].items() if "choices" not in d]
    for name in given.drifting:
        if not given.drift or name not in numeric:
            known = ", ".join(numeric)
            faults.append(("--drifting", f"{name!r}: requires --drift, and one of {known}"))
    if faults:
        raise ConfigError(Problem("command line", None, key, text) for key, text in faults)


def _recipe(given: argparse.Namespace, domain: Domain, tasks: Sequence[Task]) -> tuple[Recipe, str]:
    """How to learn the space, and the reason for its shape."""
    from hypertransfer.spaces.learning import Recipe, wanted_winners
    from hypertransfer.spaces.regions import FLOOR

    count = sum(len(task.winners(given.top)) for task in tasks)
    axes = len(domain.numeric)
    wanted = wanted_winners(axes)
    shape = given.shape or ("ellipsoid" if count >= wanted else "box")
    counts = f"{count} winners, and an ellipsoid of {axes} dimensions wants {wanted}"
    recipe = Recipe(
        shape=shape,
        slack=given.slack,
        floor=given.floor or FLOOR,
        top=given.top,
        drift=given.drift or "",
        drifting=tuple(given.drifting),
    )
    return recipe, "as asked for" if given.shape else counts


def doubts(
    space: Space, tasks: Sequence[Task], by_task: Sequence[LeftOut],
    by_group: Sequence[LeftOut] = (),
) -> list[str]:  # fmt: skip
    """Reasons not to trust a space, from leaving each task and each group out."""
    from hypertransfer.spaces.learning import wanted_winners

    reasons = []
    if len(tasks) < FEWEST:
        reasons.append(f"{len(tasks)} tasks: too few to tell what they share")
    if not space.trusted:
        wanted = wanted_winners(space.region.dimension)
        text = f"{space.points} winners, fewer than {wanted}: it may fit them alone; see --top"
        reasons.append(text)
    if by_task and not _gain(by_task) < WORTH:
        reasons.append("no gain on tasks that it was not learned from")
    if by_task and 2 * _better(by_task) < len(by_task):
        reasons.append(f"it helps on {_better(by_task)} of {len(by_task)} tasks only")
    if by_group and not _gain(by_group) < WORTH:
        reasons.append("no gain on groups that it was not learned from")
    return reasons


def _gain(left: Sequence[LeftOut]) -> float:
    """The mean regret in the space over that in the whole range, after the middle count."""
    inside = sum(float(item.inside[MIDDLE]) for item in left)
    whole = sum(float(item.whole[MIDDLE]) for item in left)
    return inside / whole if whole else 1.0


def _better(left: Sequence[LeftOut]) -> int:
    """The number of tasks with less regret in the space, after the middle count."""
    return sum(bool(item.inside[MIDDLE] < item.whole[MIDDLE]) for item in left)


def _plain(left: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """The results of leaving tasks out as plain values, for the file."""
    return [
        {
            "task": item.task, "volume": float(item.volume), "holds_best": item.holds_best,
            "coverage": item.coverage, "rows": item.rows, "evaluations": list(item.counts),
            "inside": item.inside.tolist(), "whole": item.whole.tolist(),
        }
        for item in left
    ]  # fmt: skip


def report(
    space: Space, recipe: Recipe, reason: str, tasks: Sequence[Task], by_task: Sequence[LeftOut],
    by_group: Sequence[LeftOut], doubted: Sequence[str],
) -> Iterator[str]:  # fmt: skip
    """Lines on the learned space, and on its gain for each task and group left out."""
    groups = len({task.group for task in tasks})
    rows = sum(len(task.losses) for task in tasks)
    yield f"{len(tasks)} tasks in {groups} groups, {rows} evaluations, {space.points} winners"
    slack = f", slack {recipe.slack:g}" if recipe.slack else ""
    yield f"{recipe.shape}{slack} ({reason}): {100 * space.volume:.3g} % of the whole space"
    yield from _ranges(space)
    outside = ", ".join(space.excluded) or "none"
    yield f"tasks with a winner outside: {outside}"
    for noun, left in (("task", by_task), ("group", by_group)):
        if left:
            yield ""
            yield from _left_out(noun, left)
    yield ""
    yield "do not trust it yet: " + "; ".join(doubted) if doubted else "it can be trusted so far"


def _ranges(space: Space) -> Iterator[str]:
    from hypertransfer.spaces.exports import ranges

    for name, declaration in ranges(space).items():
        if "choices" in declaration:
            yield f"  {name}: {', '.join(map(str, declaration['choices']))}"
        else:
            yield f"  {name}: {declaration['low']:.3g} to {declaration['high']:.3g}"


def _left_out(noun: str, left: Sequence[LeftOut]) -> Iterator[str]:
    import numpy as np

    inside = sum(item.holds_best for item in left)
    share = 100 * float(np.mean([item.coverage for item in left]))
    yield f"leaving each {noun} out: the best is inside on {inside} of {len(left)} tasks,"
    yield f"  and {share:.0f} % of the best tenth; random search is ahead on {_better(left)}"
    rows = float(np.median([item.rows for item in left]))
    yield f"  evaluations that a task has inside, the median: {rows:g}"
    yield f"  regret after    {'  '.join(f'{count:>7}' for count in COUNTS)}"
    for label, key in (("in the space", "inside"), ("whole range", "whole")):
        mean = np.mean([getattr(item, key) for item in left], axis=0)
        yield f"  {label:<14}  {'  '.join(f'{value:7.4f}' for value in mean)}"
