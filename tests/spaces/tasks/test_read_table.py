"""Tables of past evaluations as tasks: what is averaged, what diverged, and every error."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest

from hypertransfer.spaces.tasks import read_table, table_file
from hypertransfer.spaces.tasks.read_table import tasks_of
from hypertransfer.spaces.tasks.tables import TableError

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


@pytest.mark.parametrize("bad", [math.nan, math.inf, "nan", "NaN", "inf", "Infinity"])
def test_losses_written_as_endless_are_the_worst(bad):
    table = frame().astype({"loss": object})
    table.loc[0, "loss"] = bad
    _, (a, _) = tasks_of(table, ABOUT, "t.csv")
    assert a.losses.tolist() == [math.inf, 0.5], "one seed that failed is no mean of the other"


@pytest.mark.parametrize(
    "bad", ["1,234", "12.3%", "n/a", "-inf", -math.inf, "1 2", "0x1", True, "1_000", "1e400"]
)
def test_what_cannot_be_read_as_a_loss_is_refused(bad):
    table = frame().astype({"loss": object})
    table.loc[1, "loss"] = bad
    with pytest.raises(TableError, match=f"t.csv: loss: {re.escape(repr(bad))} in row 2 is not a"):
        tasks_of(table, ABOUT, "t.csv")
    table.loc[1, "status"] = "diverged"
    _, (a, _) = tasks_of(table, ABOUT, "t.csv")
    assert a.losses.tolist() == [math.inf, 0.5], "a loss after divergence is not needed"


def test_an_infinite_score_is_the_worst_or_refused():
    about = {k: v for k, v in ABOUT.items() if k != "loss"} | {"score": "loss"}
    table = frame().assign(loss=[-math.inf, 1, 1, 1])
    assert tasks_of(table, about, "t")[1][0].losses[0] == math.inf
    words = r"inf in row 2 is not a loss: write a number such as 1234\.5, or -inf or nan where"
    with pytest.raises(TableError, match=words):
        tasks_of(frame().assign(loss=[1, math.inf, 1, 1]), about, "t")


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


def test_curves_that_end_with_another_column_are_refused():
    about = {**ABOUT, "curves": {"columns": ["loss", "half"], "work": [0.5, 1]}}
    words = r"t: curves: columns: .* half is 2\.0 and loss is 1\.0 in row 1: write loss as the last"
    with pytest.raises(TableError, match=words):
        tasks_of(frame(), about, "t")
    table = frame().assign(late=[1, 3, 0.5, 7], status=["finished"] * 3 + ["diverged"])
    about["curves"] = {"columns": ["half", "late"], "work": [0.5, 1]}
    _, (a, b) = tasks_of(table, about, "t")
    assert a.curves.tolist() == [[3.0, 2.0], [1.0, 0.5]], "the same losses under another name"
    assert b.curves.tolist() == [[5.0, math.inf]], "a diverged evaluation has no loss of its own"


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


@pytest.mark.parametrize("empty", ["", " ", None])
@pytest.mark.parametrize(("column", "about"), [("data", {}), ("kind", {"group": "kind"})])
def test_a_name_that_is_missing_is_an_error(column, about, empty):
    table = frame().assign(kind="x").astype(object)
    table.loc[3, column] = empty
    words = f"t: {column}: is empty in row 4: write a name, or leave the row out by `where`"
    with pytest.raises(TableError, match=re.escape(words)):
        tasks_of(table, {**ABOUT, **about}, "t")
    where = {"width": 8}
    assert len(tasks_of(table, {**ABOUT, **about, "where": where}, "t")[1]) == 1


def test_blanks_around_names_are_no_part_of_them():
    table = frame().assign(data=["a", "a ", " a", "b"], kind=["x", "x ", "x", "y"])
    _, (a, b) = tasks_of(table, {**ABOUT, "group": "kind"}, "t")
    assert (a.name, a.group, b.name) == ("a, 8", "x", "b, 16")
    assert a.losses.tolist() == [2.0, 0.5]
    assert len(tasks_of(table, {**ABOUT, "where": {"data": "a"}}, "t")[1][0].losses) == 2


def test_tasks_with_one_evaluation_are_named():
    said = []
    table = frame().assign(seed=0, kind=["x", "y", "x", "x"], hours=[1.5, 2.5, 3.5, 4.5])
    tasks_of(table, ABOUT, "t", said.append)
    assert said == [
        "4 rows became 3 evaluations; rows of one evaluation differ in kind; they also "
        "differ in half, hours, which may be measurements or keys: name a setting among these in "
        "`dimensions` or `task`",
        "1 of 2 tasks have one evaluation each: 'b, 16'",
    ]


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


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_decides_nothing(seed):
    table = pd.DataFrame({
        "data": list("aaaaabbbb"), "width": 8, "lr": [0.1, 0.1, 0.01, 1, 1, 0.5, 0.02, 0.5, 0.1],
        "loss": [0.1, 0.3, 0.2, 0.2, 0.2, 0.3, 0.3, 0.3, 0.7],
    })  # fmt: skip
    shuffled = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    for one, other in zip(tasks_of(table, ABOUT, "t")[1], tasks_of(shuffled, ABOUT, "t")[1],
                          strict=True):  # fmt: skip
        assert one.name == other.name
        assert one.points.tolist() == other.points.tolist()
        assert one.losses.tolist() == other.losses.tolist()
        assert one.winners(2).tolist() == other.winners(2).tolist()


def test_the_order_of_rows_may_be_kept():
    table = frame().assign(lr=[1.0, 0.1, 0.01, 0.1])
    _, (a, _) = tasks_of(table, ABOUT, "t", keep_order=True)
    assert a.points[:, 0].tolist() == pytest.approx([1, 0.5, 0])
    _, (a, _) = tasks_of(table, ABOUT, "t")
    assert a.points[:, 0].tolist() == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize(("written", "place"), [(0.01, 0), (1.0, 1)])
def test_the_ends_of_a_range_may_be_in_single_precision(written, place):
    table = frame().assign(lr=np.float32(written).item())
    _, (a, _) = tasks_of(table, ABOUT, "t")
    assert a.points[:, 0].tolist() == [place]
    low = {"lr": {"low": 1e-5, "high": 0.1, "log": True}}
    table = frame().assign(lr=np.float32(1e-5).item())
    assert tasks_of(table, {**ABOUT, "dimensions": low}, "t")[1][0].points.tolist() == [[0]]
    with pytest.raises(TableError, match="is not between"):
        tasks_of(frame().assign(lr=1e-5 * (1 - 1e-6)), {**ABOUT, "dimensions": low}, "t")


CHOICES = ["None", "NA", "true", "1e3", "", "nan"]


def test_choices_are_read_as_they_are_written(tmp_path):
    lines = [f'x,0.1,"{choice}",{index}' for index, choice in enumerate(CHOICES)]
    (tmp_path / "t.csv").write_text("\n".join(["task,lr,kind,loss", *lines]))
    about = {"task": ["task"], "loss": "loss",
             "dimensions": {**ABOUT["dimensions"], "kind": {"choices": CHOICES}}}  # fmt: skip
    _, (task,) = tasks_of(table_file.frame(tmp_path / "t.csv"), about, "t")
    kinds = {CHOICES[int(place)]: loss for (_, place), loss in zip(task.points, task.losses,
                                                                   strict=True)}  # fmt: skip
    assert kinds == {choice: index for index, choice in enumerate(CHOICES)}


@pytest.mark.parametrize(
    ("choices", "written", "place"),
    [
        ([True, False], "True", 0), ([True, False], "false", 1), ([True, False], True, 0),
        ([16777216, 16777217], "16777217", 1),
        ([8, 16], "16", 1), ([8, 16], 16.0, 1), ([0.1, 0.5], np.float32(0.1).item(), 0),
        ([1, "1"], "1", 1), ([1000, "1e3"], "1e3", 1), ([1000], "1e3", 0), (["a", True], "true", 1),
    ],
)  # fmt: skip
def test_choices_that_are_no_texts(choices, written, place):
    dimensions = {**ABOUT["dimensions"], "kind": {"choices": choices}}
    table = frame().assign(kind=pd.Series([written] * 4, dtype=object))
    _, (task, _) = tasks_of(table, {**ABOUT, "dimensions": dimensions}, "t")
    assert set(task.points[:, 1]) == {place}


@pytest.mark.parametrize("empty", [None, "", " ", pd.NA])
def test_an_empty_cell_is_named(empty):
    """pandas writes NaN to Parquet as an empty cell, so that `nan` cannot be written there."""
    table = frame().astype({"lr": object, "loss": object})
    table.loc[1, "loss"] = empty
    text = "loss: is empty in row 2: write a number such as 1234.5, or "
    with pytest.raises(TableError, match=f"t.csv: {text}inf or nan where training diverged"):
        tasks_of(table, ABOUT, "t.csv")
    words = "inf, or a column `status` with `diverged`, where training diverged"
    with pytest.raises(TableError, match=f"t.parquet: {text}{words}"):
        tasks_of(table, ABOUT, "t.parquet")
    table = frame().astype({"lr": object})
    table.loc[2, "lr"] = empty
    words = "t: task a, 8: lr: is empty, in row 3: write a value, or leave the row out"
    with pytest.raises(TableError, match=re.escape(words)):
        tasks_of(table, ABOUT, "t")


@pytest.mark.parametrize(
    ("wanted", "count"), [(0.1, 2), ({"max": 0.1}, 2), ({"min": 0.1}, 3), ([0.1, 0.3], 3)]
)
def test_conditions_hold_for_columns_of_single_precision(tmp_path, wanted, count):
    table = frame().assign(k=np.array([0.1, 0.3, 0.1, 0.3], np.float32))
    table.to_parquet(tmp_path / "t.parquet")
    _, tasks = read_table.read(tmp_path / "t.parquet", {**ABOUT, "where": {"k": wanted}})
    assert sum(len(task.losses) for task in tasks) == count


def test_nan_of_pandas_is_empty_in_parquet(tmp_path):
    frame().assign(loss=[1.0, math.nan, 2.0, 3.0]).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(TableError, match="loss: is empty in row 2"):
        read_table.read(tmp_path / "t.parquet", ABOUT)


@pytest.mark.parametrize("written", ["none", 1, True])
def test_what_is_no_choice_is_refused(written):
    dimensions = {**ABOUT["dimensions"], "kind": {"choices": ["None", "True"]}}
    table = frame().assign(kind=pd.Series([written] * 4, dtype=object))
    words = f"t: task a, 8: kind: {written!r} is not one of 'None', 'True', in row 1"
    with pytest.raises(TableError, match=re.escape(words)):
        tasks_of(table, {**ABOUT, "dimensions": dimensions}, "t")


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("fast", "write a number"), ("0,1", "write 0.1"), ("1,5e-3", "write 1.5e-3"),
        ("1,000", "write a number without a comma"),  # 1 or 1000
        ("1,000,000", "write a number"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_in_no_range(written, advice):
    table = frame().astype({"lr": object})
    table.loc[2, "lr"] = written
    words = f"t: task a, 8: lr: {written!r} is not a number, in row 3: {advice}, or leave"
    with pytest.raises(TableError, match=re.escape(words)):
        tasks_of(table, ABOUT, "t")


@pytest.mark.parametrize(
    ("values", "wanted", "count"),
    [
        (["True", "False", "True", "False"], True, 1), (["1", "x", "1", "x"], "1", 1),
        ([1, 2, 1, 2], {"min": 2}, 2), ([None, 2, None, 2], {"min": 2}, 2),
        ([None, "", "x", "x"], None, 1), (["64", "auto", "128", "auto"], 64, 1),
        (["64", "auto", "1e2", "auto"], [64, 100], 1), (["64", "", "128", ""], {"min": 100}, 1),
        ([[1], [2], [1], [2]], [[1]], 1), ([[1], [2], [3], [4]], [[1], [4]], 2),
    ],
)  # fmt: skip
def test_conditions_on_columns_of_all_types(values, wanted, count):
    table = frame().assign(kind=pd.Series(values, dtype=object))
    assert len(tasks_of(table, {**ABOUT, "where": {"kind": wanted}}, "t")[1]) == count


@pytest.mark.parametrize(
    ("values", "wanted", "words"),
    [
        (["None", "x"], None, "w: null (an empty cell); its values are 'None', 'x'"),
        ([64, 128], "64", "w: '64'; its values are 64, 128"),
        (["007", "1"], 7, "w: 7; its values are '007', '1'"),
        ([[1], [2]], [1], "w: 1; its values are [1], [2]"),
    ],
)
def test_values_are_named_so_that_they_can_be_told_apart(values, wanted, words):
    table = frame()[:2].assign(w=pd.Series(values, dtype=object))
    with pytest.raises(TableError, match=re.escape(f"no row is selected by where: {words}")):
        tasks_of(table, {**ABOUT, "where": {"w": wanted}}, "t")


def test_a_value_that_no_row_has_is_refused():
    words = "t: no row is selected by where: kind: 'z'; its values are 'x', 'y'"
    with pytest.raises(TableError, match=words):
        tasks_of(frame(), {**ABOUT, "where": {"kind": ["x", "z"]}}, "t")


def test_what_is_not_there_is_named():
    with pytest.raises(
        TableError, match=r"t: no column 'accuracy'; the columns are 'data', 'width', 'lr'"
    ):
        tasks_of(frame(), {**ABOUT, "loss": "accuracy"}, "t")
    with pytest.raises(TableError, match="t: no row is selected by where"):
        tasks_of(frame(), {**ABOUT, "where": {"kind": "z"}}, "t")
    narrow = {"lr": {"low": 0.01, "high": 0.5, "log": True}}
    with pytest.raises(TableError, match=r"t: task a, 8: lr: 1\.0 is not .* 0\.5, in row 3"):
        tasks_of(frame(), {**ABOUT, "dimensions": narrow}, "t")


def read(tmp_path, text, **changes):
    """The domain, and the tasks of a CSV file by name."""
    (tmp_path / "t.csv").write_text(text)
    about = {"task": ["task"], "loss": "loss", "dimensions": ABOUT["dimensions"], **changes}
    domain, tasks = read_table.read(tmp_path / "t.csv", about)
    return domain, {task.name: task for task in tasks}


@pytest.mark.parametrize(
    "names",
    [["2020.1", "2020.10"], ["1e2", "100"], ["12345678901234567891.0", "12345678901234567892.0"],
     ["+1", "1"], ["1234e567", "9876e999"]],
)  # fmt: skip
def test_names_that_look_like_numbers_stay_apart(tmp_path, names):
    rows = [f"{name},0.1,{loss}" for loss, name in enumerate(names)]
    _, tasks = read(tmp_path, "\n".join(["task,lr,loss", *rows]))
    assert {name: task.losses.tolist() for name, task in tasks.items()} == {
        name: [loss] for loss, name in enumerate(names)
    }
    rows = [f"a{loss},{name},0.1,{loss}" for loss, name in enumerate(names)]
    _, tasks = read(tmp_path, "\n".join(["task,set,lr,loss", *rows]), group="set")
    assert [task.group for task in tasks.values()] == names


def test_trials_whose_names_look_like_numbers_stay_apart(tmp_path):
    """Ray Tune's ids are hexadecimal digits, and 1234e567 is one of them."""
    text = "task,lr,loss,trial_id,training_iteration\na,0.1,9,1234e567,2\na,0.2,5,9876e999,2\n"
    assert read(tmp_path, text)[1]["a"].losses.tolist() == [9, 5]


def test_tasks_are_sizes_if_their_names_are_numbers(tmp_path):
    text = "task,lr,loss\n128,0.1,1\n8,0.1,2\n64,0.1,3\n"
    _, tasks = read(tmp_path, text)
    assert list(tasks) == ["8", "64", "128"], "in the order of their sizes"
    assert [task.attributes["task"] for task in tasks.values()] == [8, 64, 128]
    assert list(read(tmp_path, text, where={"task": [8, 128]})[1]) == ["8", "128"]
    (task,) = read(tmp_path, "task,lr,loss\n007,0.1,1\n")[1].values()
    assert task.attributes == {"task": "007"}


@pytest.mark.parametrize(
    ("choices", "written"),
    [(["1", "2", "auto"], ["1", "2"]), (["0.1", "0.10"], ["0.1", "0.10"]), (["", 2], ["", "2"]),
     ([16, 32], ["32.0", "16"])],
)  # fmt: skip
def test_choices_are_the_texts_of_the_file(tmp_path, choices, written):
    rows = [f"a,0.1,{value},{loss}" for loss, value in enumerate(written)]
    dimensions = {**ABOUT["dimensions"], "k": {"choices": choices}}
    domain, tasks = read(tmp_path, "\n".join(["task,lr,k,loss", *rows]), dimensions=dimensions)
    found = {str(p["k"]): loss for p, loss in zip(domain.decode(tasks["a"].points),
                                                  tasks["a"].losses, strict=True)}  # fmt: skip
    assert found == {value.removesuffix(".0"): loss for loss, value in enumerate(written)}


@pytest.mark.parametrize("written", [2.5, "2.5", 2.9999999])
def test_whole_numbers_are_whole(written):
    dimensions = {**ABOUT["dimensions"], "epochs": {"low": 1, "high": 8, "integer": True}}
    table = frame().assign(epochs=pd.Series([3, 3.0, 3, written], dtype=object))
    words = re.escape(f"t: task b, 16: epochs: {written!r} is not a whole number, in row 4")
    with pytest.raises(TableError, match=words):
        tasks_of(table, {**ABOUT, "dimensions": dimensions}, "t")
    table["epochs"] = [3, 3.0, 3 - 1e-12, 3]
    domain, (a, _) = tasks_of(table, {**ABOUT, "dimensions": dimensions}, "t")
    assert [point["epochs"] for point in domain.decode(a.points)] == [3, 3]


def test_a_dimension_may_have_any_name():
    table = frame().rename(columns={"lr": "self"})
    about = {**ABOUT, "dimensions": {"self": ABOUT["dimensions"]["lr"]}}
    assert tasks_of(table, about, "t")[0].names == ["self"]


@pytest.mark.parametrize(("value", "kind"), [([1], "list"), ({"a": 1}, "mapping")])
def test_tasks_are_not_named_by_lists(value, kind):
    table = frame().assign(data=pd.Series([value] * 4, dtype=object))
    words = re.escape(f"t: data: {value!r} in row 1 is a {kind}, and a name has to be a text")
    with pytest.raises(TableError, match=words):
        tasks_of(table, ABOUT, "t")


def test_a_table_without_rows_is_refused():
    with pytest.raises(TableError, match="t: has no rows, only the names of columns"):
        tasks_of(frame()[:0], ABOUT, "t")
