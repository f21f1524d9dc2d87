"""The tasks of suites that are known when a study is planned, with their groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypertransfer.runs.table_values import name_of
from hypertransfer.spaces.tasks import sources
from hypertransfer.spaces.tasks.suites import SUITES
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.planned import Row, selects
from hypertransfer.studies.replays import Replay, Suite
from hypertransfer.studies.suite_checks import evaluations


def planned_tasks(
    suites: Mapping[str, Suite], replays: Mapping[str, Replay], runs: Mapping[str, Sequence[Run]]
) -> dict[tuple[str, str], list[Row]]:
    """The tasks of each suite and the targets of each replay, by `("suite", name)` and so on.

    A task has the columns `task` and `group`, and those that tell tasks apart, as far as they are
    known before tables are read. Suites and replays have no problems.
    """
    tasks = {("suite", name): tasks_of(suite, runs) for name, suite in suites.items()}
    targets = {
        ("replay", name): [
            task
            for task in tasks["suite", replay.suite]
            if selects({k: v for k, v in replay.targets.items() if k in task}, task)
        ]
        for name, replay in replays.items()
    }
    return {**tasks, **targets}


def tasks_of(suite: Suite, runs: Mapping[str, Sequence[Run]]) -> list[Row]:
    """The tasks of a sound suite; none if its tasks are in a table, or are runs of another study.

    Tasks into which the tables of a package are split by their dimensions are not told apart.
    """
    if suite.source in sources.TABLES:
        names = sources.TABLES[suite.source].tasks
        return [{"task": name, "group": name, "data": name} for name in names]
    if suite.source in SUITES:
        groups = SUITES[suite.source].tasks
        return [{"task": name, "group": data, "data": data} for name, data in groups.items()]
    about = suite.about or {}
    tasks: dict[str, Row] = {}
    for row in evaluations(suite, runs):
        columns = {name: row[name] for name in about["task"]}
        name = ", ".join(name_of(value) for value in columns.values())
        group = name_of(row[about["group"]]) if "group" in about else name
        tasks.setdefault(name, {**columns, "task": name, "group": group})
    return list(tasks.values())
