"""`hypertransfer space TABLE`: learns a space from past sweeps, and says whether to trust it."""

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

COUNTS = (3, 10, 30)  # evaluations after which regrets are shown
WORTH = 0.9  # of the regret: less gain than that is none to speak of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("table", type=Path, metavar="TABLE", help="past evaluations: CSV, Parquet")
    words = "what the columns mean (default: TABLE's name with .yaml)"
    parser.add_argument("--about", type=Path, metavar="FILE", help=words)
    parser.add_argument("--out", type=Path, default=Path("space.yaml"), help="default space.yaml")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    words = "default: an ellipsoid if there are winners enough for one"
    parser.add_argument("--shape", choices=("box", "ellipsoid"), help=words)
    parser.add_argument("--slack", type=float, default=0.0, metavar="LAMBDA",
                        help="let outlying tasks stay outside; 0.1 to 0.2 is usual")  # fmt: skip
    parser.add_argument("--floor", type=float, metavar="SHARE",
                        help="least half-width, of the range (default 0.05)")  # fmt: skip
    parser.add_argument("--top", type=int, default=1, metavar="N", help="winners of each task")
    parser.add_argument("--points", type=int, default=32, metavar="N", help="of the grid section")
    parser.add_argument("--drift", metavar="COLUMN", help="carry winners along a size, e.g. width")
    words = "hyperparameters that move with it (default: all)"
    parser.add_argument("--drifting", nargs="+", default=[], metavar="NAME", help=words)
    parser.add_argument("--target", type=float, metavar="SIZE", help="the size to carry them to")


def run(given: argparse.Namespace) -> int:
    """Learn, report and write; 0 if it did.

    Raises:
        ConfigError: what is wrong with arguments or description.
        TableError: a table that is not as it was described, or cannot be learned from.
    """
    from hypertransfer.spaces import exports
    from hypertransfer.spaces.cross_validation import leave_one_out
    from hypertransfer.spaces.learning import learn
    from hypertransfer.spaces.regions import RegionError
    from hypertransfer.spaces.tasks import read_table
    from hypertransfer.spaces.tasks.tables import TableError

    about = described(given)
    _check(given, about)
    domain, found = read_table.tasks_of(read_table.frame(given.table), about, str(given.table))
    # Nothing is learned from a task that never worked, nor can a space be tried on it.
    tasks = [task for task in found if len(task.winners())]
    failed = [task.name for task in found if not len(task.winners())]
    recipe, why = _recipe(given, domain, tasks)
    _check_sizes(given, tasks)
    try:
        space = learn(domain, tasks, recipe, given.target)
    except RegionError as error:
        raise TableError(f"{given.table}: {error}") from error
    left = list(leave_one_out(domain, tasks, recipe, COUNTS))
    related = len({task.group for task in tasks}) not in (1, len(tasks))
    by_group = list(leave_one_out(domain, tasks, recipe, COUNTS, by_group=True)) if related else []
    if failed:
        print(f"left out, without a finite loss: {', '.join(failed)}")
    reasons = doubts(space, tasks, left, by_group)
    print(*report(space, recipe, why, tasks, left, by_group, reasons), sep="\n")
    source = {
        "table": str(given.table),
        "sha256": hashlib.sha256(given.table.read_bytes()).hexdigest(),
        "recipe": {**asdict(recipe), "drifting": list(recipe.drifting)},
        "target": given.target,
        "volume": space.volume,
        "failed": failed,
        "trusted": not reasons,
        "doubts": reasons,
        "left_out": {"task": _plain(left), "group": _plain(by_group)},
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
        ConfigError: every problem of it.
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
    for path in (given.table, _beside(given)):
        if given.out.resolve() == path.resolve():  # --force is for what this command wrote
            yield "--out", f"{given.out} is what is read: name another"
            return
    if given.out.is_dir():
        yield "--out", f"{given.out} is a folder: name a file"
    elif given.out.exists() and not given.force:
        yield "--out", f"{given.out} is there already: name another, or give --force"


def _check_sizes(given: argparse.Namespace, tasks: Sequence[Task]) -> None:
    for task in tasks if given.drift else ():
        size = task.attributes[given.drift]
        if not isinstance(size, int | float) or not 0 < size < math.inf:
            text = f"{given.drift} is {size!r} of task {task.name}, and not a size above 0"
            raise ConfigError([Problem("command line", None, "--drift", text)])


def _check(given: argparse.Namespace, about: dict[str, Any]) -> None:
    faults = list(_out_faults(given))
    if not 0 <= given.slack < math.inf:
        faults.append(("--slack", f"{given.slack:g} is not 0 or more"))
    if given.floor is not None and not 0 < given.floor <= 0.5:
        faults.append(("--floor", f"{given.floor:g} is not above 0 and at most 0.5"))
    for name in ("top", "points"):
        if getattr(given, name) < 1:
            faults.append((f"--{name}", f"{getattr(given, name)} is not 1 or more"))
    if bool(given.drift) != (given.target is not None):
        faults.append(("--drift", "goes with --target: the size to carry winners to"))
    elif given.drift and given.drift not in about["task"]:
        known = ", ".join(about["task"])
        faults.append(("--drift", f"{given.drift!r} does not name tasks; what does: {known}"))
    elif given.target is not None and not 0 < given.target < math.inf:
        faults.append(("--target", f"{given.target:g} is not above 0"))
    numeric = [name for name, d in about["dimensions"].items() if "choices" not in d]
    for name in given.drifting:
        if not given.drift or name not in numeric:
            known = ", ".join(numeric)
            faults.append(("--drifting", f"{name!r}: goes with --drift, and is one of {known}"))
    if faults:
        raise ConfigError(Problem("command line", None, key, text) for key, text in faults)


def _recipe(given: argparse.Namespace, domain: Domain, tasks: Sequence[Task]) -> tuple[Recipe, str]:
    """How to learn, and why in that shape."""
    from hypertransfer.spaces.learning import Recipe, wanted_winners
    from hypertransfer.spaces.regions import FLOOR

    won = sum(len(task.winners(given.top)) for task in tasks)
    wanted = wanted_winners(len(domain.numeric))
    shape = given.shape or ("ellipsoid" if won >= wanted else "box")
    count = f"{won} winners, and an ellipsoid of {len(domain.numeric)} dimensions wants {wanted}"
    why = "as asked for" if given.shape else count
    recipe = Recipe(
        shape, given.slack, given.floor or FLOOR, given.top, given.drift or "",
        tuple(given.drifting),
    )  # fmt: skip
    return recipe, why


def doubts(
    space: Space, tasks: Sequence[Task], left: Sequence[LeftOut],
    by_group: Sequence[LeftOut] = (),
) -> list[str]:  # fmt: skip
    """Reasons not to trust a space; none if there are none."""
    from hypertransfer.spaces.learning import wanted_winners

    out = []
    if len(tasks) < 3:
        out.append(f"{len(tasks)} tasks: too few to tell what they share")
    if not space.trusted:
        wanted = wanted_winners(space.region.dimension)
        out.append(f"{space.points} winners, fewer than {wanted}: it may fit them alone; see --top")
    if left and not _gain(left) < WORTH:
        out.append("no gain on tasks that it was not learned from")
    if left and 2 * _better(left) < len(left):
        out.append(f"it helps on {_better(left)} of {len(left)} tasks only")
    if by_group and not _gain(by_group) < WORTH:
        out.append("no gain on groups that it was not learned from")
    return out


def _gain(left: Sequence[LeftOut]) -> float:
    """Regret inside over regret in the whole range, after the middle count, of the means."""
    inside, whole = (sum(float(getattr(one, n)[1]) for one in left) for n in ("inside", "whole"))
    return inside / whole if whole else 1.0


def _plain(left: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """What leaving out has shown, for the file."""
    return [
        {
            "task": one.task, "volume": float(one.volume), "holds_best": one.holds_best,
            "coverage": one.coverage, "rows": one.rows, "evaluations": list(one.counts),
            "inside": one.inside.tolist(), "whole": one.whole.tolist(),
        }
        for one in left
    ]  # fmt: skip


def _better(left: Sequence[LeftOut]) -> int:
    return sum(bool(one.inside[1] < one.whole[1]) for one in left)


def report(
    space: Space, recipe: Recipe, why: str, tasks: Sequence[Task], left: Sequence[LeftOut],
    by_group: Sequence[LeftOut], reasons: Sequence[str],
) -> Iterator[str]:  # fmt: skip
    """What was learned, and what it would have done for each task had it not been known."""
    groups = len({task.group for task in tasks})
    rows = sum(len(task.losses) for task in tasks)
    yield f"{len(tasks)} tasks in {groups} groups, {rows} evaluations, {space.points} winners"
    slack = f", slack {recipe.slack:g}" if recipe.slack else ""
    yield f"{recipe.shape}{slack} ({why}): {100 * space.volume:.3g} % of the whole space"
    yield from _ranges(space)
    outside = ", ".join(space.excluded) or "none"
    yield f"tasks with a winner outside: {outside}"
    for words, found in (("task", left), ("group", by_group)):
        if found:
            yield ""
            yield from _left_out(words, found)
    yield ""
    yield "do not trust it yet: " + "; ".join(reasons) if reasons else "it can be trusted so far"


def _ranges(space: Space) -> Iterator[str]:
    from hypertransfer.spaces.exports import ranges

    for name, given in ranges(space).items():
        if "choices" in given:
            yield f"  {name}: {', '.join(map(str, given['choices']))}"
        else:
            yield f"  {name}: {given['low']:.3g} to {given['high']:.3g}"


def _left_out(words: str, left: Sequence[LeftOut]) -> Iterator[str]:
    import numpy as np

    inside = sum(one.holds_best for one in left)
    share = 100 * float(np.mean([one.coverage for one in left]))
    yield f"leaving each {words} out: the best is inside on {inside} of {len(left)} tasks,"
    yield f"  and {share:.0f} % of the best tenth; random search is ahead on {_better(left)}"
    rows = float(np.median([one.rows for one in left]))
    yield f"  evaluations that a task has inside, the median: {rows:g}"
    yield f"  regret after    {'  '.join(f'{count:>7}' for count in COUNTS)}"
    for name, key in (("in the space", "inside"), ("whole range", "whole")):
        mean = np.mean([getattr(one, key) for one in left], axis=0)
        yield f"  {name:<14}  {'  '.join(f'{value:7.4f}' for value in mean)}"
