"""Generations of searches through the store, and their results at other targets."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from tests.support.searches import SEARCH

from hypertransfer.execution import errors, search_generations
from hypertransfer.planning import cost, keys
from hypertransfer.planning.search_jobs import search_jobs
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store
from hypertransfer.studies import searches
from hypertransfer.studies.searches import Search


@pytest.fixture
def search():
    return Search.parse("modules", SEARCH)


def parts_of(search, method, first, end=None):
    return {
        "search": search.name,
        "values": {k: v for k, v in search.plain().items() if k not in searches.LATER},
        "method": {"name": method, **search.settings.methods[method].plain()},
        "generations": [first, end or first + 1],
        "start": keys.run_key(search.base),
    }


def test_generations_build_upon_those_before_and_are_taken_from_the_store(search, tmp_path):
    store, files = Store(tmp_path / "store"), []
    for number in range(2):
        parts = parts_of(search, "types", number)
        points, table = search_generations.generations(parts, files, store, "cpu", 5)
        again = search_generations.generations(parts, files, store, "cpu", 5)
        assert again[0] == points
        assert again[1].equals(table)  # seconds too: it comes from the store
        files.append(str(tmp_path / f"{number}.parquet"))
        parquet.write(table, files[-1])
        assert [json.loads(t) for t in table.column("proposal").to_pylist()] == [
            {label: round(value, 12) for label, value in point.items()} for point in points[0]
        ]
    assert table.column("grid").to_pylist() == ["modules"] * 4
    assert table.column("generation").to_pylist() == [1] * 4
    best = search_generations.best_points(files)[0]["types"]
    rows = [row for path in files for row in parquet.read(path).to_pylist()]
    least = min(rows, key=lambda row: row["final_loss"])
    assert best == json.loads(least["proposal"])


@pytest.mark.parametrize("method", ["types", "factored"])
def test_a_job_of_several_generations_proposes_and_trains_what_one_for_each_does(
    search, method, tmp_path
):
    store, files, tables, proposals = Store(tmp_path / "store"), [], [], []
    for number in range(3):
        parts = parts_of(search, method, number)
        points, table = search_generations.generations(parts, files, store, "cpu", 5)
        files.append(str(tmp_path / f"{number}.parquet"))
        parquet.write(table, files[-1])
        tables.append(table)
        proposals += points
    whole = parts_of(search, method, 0, 3)
    found = search_generations.generations(whole, [], store, "cpu", 5)
    assert found[0] == proposals
    assert found[1].equals(pa.concat_tables(tables))
    parquet.write(found[1], whole_file := str(tmp_path / "whole.parquet"))
    assert search_generations.best_points([whole_file]) == search_generations.best_points(files)
    # what follows reads both alike
    rest = parts_of(search, method, 2)
    parquet.write(pa.concat_tables(tables[:2]), two := str(tmp_path / "two.parquet"))
    assert search_generations.generations(rest, [two], store, "cpu", 5)[0] == proposals[2:]


def test_results_are_carried_to_every_target_and_along_the_line(search, tmp_path):
    store, files = Store(tmp_path / "store"), []
    for method in search.settings.methods:
        _, table = search_generations.generations(parts_of(search, method, 0), [], store, "cpu", 5)
        files.append(str(tmp_path / f"{method}.parquet"))
        parquet.write(table, files[-1])
    job = list(search_jobs("micro", search, keys.Contexts(), cost.Rates(), 3))[-1]
    parts = json.loads(job.made_from)  # as the rule hands them over: keys are sorted
    assert list(search.settings.transfer.targets) != sorted(search.settings.transfer.targets)
    rows = search_generations.carry_over(parts, files, store, "cpu", 5).to_pylist()
    assert len(rows) == 16
    by_place = {(r["target"], r["seed"], r["method"], r["place"]): r for r in rows}
    # the line at 0 is the first method's own result: the same run
    assert by_place["wider", 7, "line", 0.0]["key"] == by_place["wider", 7, "global", 1.0]["key"]
    assert by_place["wider", 7, "line", 0.5]["key"] != by_place["wider", 7, "line", 0.0]["key"]


def test_each_independent_search_is_evaluated_with_its_own_seed(tmp_path):
    search = Search.parse("modules", {**SEARCH, "generations": 1, "repeats": 2})
    jobs = list(search_jobs("m", search, keys.Contexts(), cost.Rates(), 3))
    store, files = Store(tmp_path / "store"), []
    for number, job in enumerate(jobs[:-1]):
        _, table = search_generations.generations(json.loads(job.made_from), [], store, "cpu", 5)
        files.append(str(tmp_path / f"{number}.parquet"))
        parquet.write(table, files[-1])
    trials = [row for path in files for row in parquet.read(path).to_pylist()]
    first, second = (
        {row["proposal"] for row in trials if row["seed"] == seed and row["method"] == "types"}
        for seed in (0, 1)
    )
    assert len(first & second) == 1  # the start alone
    best = search_generations.best_points(files)
    carried = search_generations.carry_over(json.loads(jobs[-1].made_from), files, store, "cpu", 5)
    for row in carried.to_pylist():
        if row["method"] != "line":
            point = best[{7: 0, 8: 1}[row["seed"]]][row["method"]]
            assert json.loads(row["proposal"]) == pytest.approx(point)


def test_code_or_data_that_changed_after_planning_is_refused(search, tmp_path):
    parts = {**parts_of(search, "types", 0), "start": f"{'0' * 24}-{'0' * 16}"}
    with pytest.raises(errors.StalePlan, match="modules changed after planning"):
        search_generations.generations(parts, [], Store(tmp_path), "cpu", 5)
