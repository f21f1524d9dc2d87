"""Tables of past evaluations as tasks: what is averaged, what diverged, and every error."""

from __future__ import annotations

import math

import pandas as pd
import pyarrow as pa
import pytest

from hypertransfer.spaces.tasks import read_table
from hypertransfer.spaces.tasks.read_table import tasks_of
from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.storage import parquet

ABOUT = {
    "task": ["data", "width"],
    "loss": "loss",
    "dimensions": {"lr": {"low": 0.01, "high": 1, "log": True}},
}


def frame():
    return pd.DataFrame(
        {
            "data": ["a", "a", "a", "b"],
            "width": [8, 8, 8, 16],
            "lr": [0.1, 0.1, 1.0, 0.01],
            "seed": [0, 1, 0, 0],
            "loss": [1.0, 3.0, 0.5, 4.0],
            "half": [2.0, 4.0, 1.0, 5.0],
            "status": ["finished"] * 4,
            "kind": ["x", "x", "y", "y"],
        }
    )


def test_rows_become_tasks_and_seeds_are_averaged():
    domain, (a, b) = tasks_of(frame(), ABOUT, "t.csv")
    assert domain.names == ["lr"]
    assert (a.name, b.name) == ("a, 8", "b, 16")
    assert a.attributes == {"data": "a", "width": 8}
    assert a.points[:, 0].tolist() == pytest.approx([0.5, 1.0])
    assert a.losses.tolist() == [2.0, 0.5]
    assert a.group == "a, 8", "without groups each task is its own"


def test_groups_filters_and_scores():
    about = {**ABOUT, "group": "data", "where": {"kind": "y"}}
    _, (a, b) = tasks_of(frame(), about, "t.csv")
    assert (a.group, b.group) == ("a", "b")
    assert a.losses.tolist() == [0.5]
    score = {k: v for k, v in ABOUT.items() if k != "loss"} | {"score": "loss"}
    _, (a, _) = tasks_of(frame(), score, "t.csv")
    assert a.losses.tolist() == [-2.0, -0.5], "more is better"


@pytest.mark.parametrize("bad", [math.nan, math.inf, None, "n/a"])
def test_what_is_no_number_is_the_worst(bad):
    table = frame().astype({"loss": object})
    table.loc[0, "loss"] = bad
    _, (a, _) = tasks_of(table, ABOUT, "t.csv")
    assert a.losses.tolist() == [math.inf, 0.5], "one seed that failed is no mean of the other"


def test_diverged_runs_are_the_worst_whatever_their_loss():
    table = frame()
    table.loc[2, "status"] = "diverged"
    _, (a, _) = tasks_of(table, ABOUT, "t.csv")
    assert a.losses.tolist() == [2.0, math.inf]


def test_curves_end_with_the_loss():
    about = {**ABOUT, "curves": {"columns": ["half", "loss"], "work": [0.5, 1]}}
    _, (a, _) = tasks_of(frame(), about, "t.csv")
    assert a.curves.tolist() == [[3.0, 2.0], [1.0, 0.5]]
    assert a.work == (0.5, 1)


def test_a_score_among_its_own_curves_is_turned_round_once():
    about = {
        "task": ["data", "width"],
        "score": "loss",
        "dimensions": ABOUT["dimensions"],
        "curves": {"columns": ["half", "loss"], "work": [0.5, 1]},
    }
    _, (a, _) = tasks_of(frame(), about, "t.csv")
    assert a.losses.tolist() == [-2.0, -0.5], "more is better, with curves as without"
    assert a.curves.tolist() == [[-3.0, -2.0], [-1.0, -0.5]]


def test_tasks_that_differ_a_little_have_names_of_their_own():
    table = frame().assign(width=[1234567.0, 1234567.0, 1234567.5, 1234568.0])
    names = [task.name for task in tasks_of(table, ABOUT, "t.csv")[1]]
    assert names == ["a, 1234567.0", "a, 1234567.5", "b, 1234568.0"]


def test_tasks_of_one_name_are_refused():
    table = frame().assign(data=["a, b", "a, b", "a", "a"], width=["c", "c", "b, c", "b, c"])
    with pytest.raises(TableError, match="t: two tasks have the name 'a, b, c'"):
        tasks_of(table, ABOUT, "t")


def test_tasks_may_lack_a_part_of_their_name():
    _, (a, b) = tasks_of(frame().assign(width=[8.0, 8.0, 8.0, math.nan]), ABOUT, "t")
    assert (a.name, b.name) == ("a, 8", "b, nan")


def test_rows_of_a_task_are_of_one_group():
    with pytest.raises(TableError, match="t: task a, 8: group 'kind' is both 'x' and 'y'"):
        tasks_of(frame(), {**ABOUT, "group": "kind"}, "t")


def test_bounds_on_text_are_refused():
    with pytest.raises(TableError, match=r"t: where: .* cannot be compared"):
        tasks_of(frame(), {**ABOUT, "where": {"data": {"min": 1}}}, "t")


def test_csv_and_parquet_are_read_alike(tmp_path):
    frame().to_csv(tmp_path / "t.csv", index=False)
    parquet.write(pa.Table.from_pandas(frame(), preserve_index=False), tmp_path / "t.parquet")
    one, other = (
        tasks_of(read_table.frame(tmp_path / name), ABOUT, name)[1]
        for name in ("t.csv", "t.parquet")
    )
    for a, b in zip(one, other, strict=True):
        assert a.name == b.name
        assert a.losses.tolist() == b.losses.tolist()


def test_files_that_are_none(tmp_path):
    with pytest.raises(TableError, match=r"t\.xlsx: give a file that ends with \.csv, \.parquet"):
        read_table.frame(tmp_path / "t.xlsx")
    with pytest.raises(TableError, match=r"absent\.csv: cannot be read"):
        read_table.frame(tmp_path / "absent.csv")
    (tmp_path / "t.parquet").write_text("no")
    with pytest.raises(TableError, match=r"t\.parquet: cannot be read"):
        read_table.frame(tmp_path / "t.parquet")


def test_what_is_not_there_is_named():
    with pytest.raises(
        TableError, match=r"t: no column 'accuracy'; the columns are data, width, lr"
    ):
        tasks_of(frame(), {**ABOUT, "loss": "accuracy"}, "t")
    with pytest.raises(TableError, match="t: no row is selected by where"):
        tasks_of(frame(), {**ABOUT, "where": {"kind": "z"}}, "t")
    narrow = {"lr": {"low": 0.01, "high": 0.5, "log": True}}
    with pytest.raises(TableError, match=r"t: task a, 8: lr: 1\.0 is not .* 0\.5, in row 3"):
        tasks_of(frame(), {**ABOUT, "dimensions": narrow}, "t")
