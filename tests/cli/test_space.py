"""`hypertransfer space` end to end, and the forms that other tools read."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.support.spaces import BEST, DIMENSIONS

from hypertransfer.cli.main import main
from hypertransfer.spaces import exports

ABOUT = {"task": ["data"], "loss": "loss", "dimensions": DIMENSIONS}


def sweep(rows=60):
    random = np.random.default_rng(0)
    out = []
    for data, (lr, batch) in BEST.items():
        for _ in range(rows):
            x, y = 10 ** random.uniform(-4, 0), round(2 ** random.uniform(3, 9))
            schedule = str(random.choice(["cosine", "linear"]))
            loss = (
                np.log10(x / lr) ** 2 + 0.3 * np.log2(y / batch) ** 2 + 5 * (schedule == "linear")
            )
            out.append({"data": data, "lr": x, "batch": y, "schedule": schedule, "loss": loss})
    return pd.DataFrame(out)


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep().to_csv("sweep.csv", index=False)
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(ABOUT))
    return tmp_path / "sweep.csv"


def test_a_space_is_learned_reported_and_written(table, capsys):
    assert main(["space", "sweep.csv"]) == 0
    said = capsys.readouterr().out
    assert "6 tasks in 6 groups, 360 evaluations, 6 winners" in said
    assert "ellipsoid (6 winners, and an ellipsoid of 2 dimensions wants 6)" in said
    assert "schedule: cosine" in said
    assert "no reason found to distrust this space" in said
    values = yaml.safe_load((table.parent / "space.yaml").read_text())
    assert values["hypertransfer"]["sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    space = exports.load_space("space.yaml")
    winners = sweep().loc[lambda f: f.groupby("data")["loss"].idxmin()]
    points = space.domain.encode({n: winners[n].tolist() for n in space.domain.names})
    assert space.contains(points).all(), "every winner of a tight region lies in it"


def test_a_file_that_is_there_stays_unless_forced(table, capsys):
    out = table.parent / "mine.yaml"
    out.write_text("mine")
    assert main(["space", "sweep.csv", "--out", "mine.yaml"]) == 1
    assert "mine.yaml exists already: name another file, or add --force" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["space", "sweep.csv", "--out", "mine.yaml", "--force"]) == 0


@pytest.mark.parametrize("name", ["sweep.csv", "sweep.yaml", "../{}/sweep.csv"])
def test_what_is_read_is_never_written_over(table, capsys, name):
    before = [(table.parent / one).read_bytes() for one in ("sweep.csv", "sweep.yaml")]
    out = name.format(table.parent.name)
    assert main(["space", "sweep.csv", "--out", out, "--force"]) == 1
    assert f"--out: {out} is an input of this command: name another file" in capsys.readouterr().err
    assert before == [(table.parent / one).read_bytes() for one in ("sweep.csv", "sweep.yaml")]


def test_the_home_folder_is_meant_by_its_sign(table, monkeypatch):
    """A shell leaves `~` as it is in `--out=~/space.yaml`."""
    home = table.parent / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (home / "mine.yaml").write_bytes((table.parent / "sweep.yaml").read_bytes())
    table.rename(home / "SWEEP.CSV")
    arguments = ["~/SWEEP.CSV", "--about=~/mine.yaml", "--out=~/space.yaml"]
    assert main(["space", *arguments]) == 0
    assert (home / "space.yaml").is_file()
    assert not (table.parent / "~").exists()


@pytest.mark.parametrize(
    "words", [["plan", "--configfile=$HOME/c.yaml"], ["prune", "--project=$HOME"],
              ["space", "$HOME/t.csv"], ["space", "t.csv", "--about=$HOME/t.yaml"],
              ["space", "t.csv", "--out=$HOME/o.yaml"]],
)  # fmt: skip
def test_variables_in_paths_are_refused(table, capsys, words):
    with pytest.raises(SystemExit):
        main(words)
    assert "$HOME in '$HOME" in capsys.readouterr().err


def test_a_packed_table_is_refused_before_its_description_is_looked_for(table, capsys):
    table.rename(table.parent / "sweep.csv.gz")
    assert main(["space", "sweep.csv.gz"]) == 1
    assert "sweep.csv.gz: unpack the file, and give a file that ends" in capsys.readouterr().err


@pytest.mark.parametrize("kept", ["ab", "abcdef"])
def test_tasks_that_never_worked_are_named_and_left_out(table, capsys, kept):
    failing = sweep()[lambda f: f["data"].isin(list(kept))]
    losses = failing["loss"].where(failing["data"] != "b", float("inf"))
    failing.assign(loss=losses).to_csv(table, index=False)
    assert main(["space", "sweep.csv"]) == 0
    said = capsys.readouterr().out
    assert "left out, since they have no finite loss: b" in said
    assert ("\n1 task in 1 group, " if kept == "ab" else "\n5 tasks in 5 groups, ") in said
    head = yaml.safe_load((table.parent / "space.yaml").read_text())["hypertransfer"]
    assert head["failed"] == ["b"]
    assert [one["task"] for one in head["left_out"]["task"]] == (
        [one for one in kept if one != "b"] if len(kept) > 2 else []
    )


def test_a_space_of_trials_that_all_diverged_is_no_space(table, capsys):
    sweep().assign(loss=float("inf")).to_csv(table, index=False)
    assert main(["space", "sweep.csv"]) == 1
    text = "sweep.csv: every trial diverged: no task has a finite loss"
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(("top", "doubted"), [(3, False), (60, True), (1000, True)])
def test_a_space_of_all_evaluations_is_doubted(table, capsys, top, doubted):
    """Each task has 60: all of them are the whole range, and no winners."""
    assert main(["space", "sweep.csv", "--top", str(top)]) == 0
    text = "every evaluation of 6 of 6 tasks is a winner: choose --top below"
    assert (text in capsys.readouterr().out) is doubted


def test_a_description_that_is_missing_is_asked_for(table, capsys):
    (table.parent / "sweep.yaml").unlink()
    assert main(["space", "sweep.csv"]) == 1
    text = "write sweep.yaml, which describes the columns, or name it by --about"
    assert text in capsys.readouterr().err


def test_a_table_that_is_missing_is_named_and_not_its_description(table, capsys):
    assert main(["space", "other.csv", "--out", "o.yaml"]) == 1
    said = capsys.readouterr().err
    assert "other.csv: (file): is missing: name the table of past trials" in said
    assert "other.yaml" not in said


def test_runs_that_differ_in_more_than_seeds_are_averaged_with_a_word(table, capsys):
    one = sweep().assign(optimizer="sgd", seed=0, seconds=range(360))
    other = one.assign(optimizer="adam", seconds=range(360, 720))
    pd.concat([one, other]).to_csv(table, index=False)
    assert main(["space", "sweep.csv"]) == 0
    text = (
        "720 rows became 360 evaluations; rows of one evaluation differ in optimizer; they also "
        "differ in seconds, which may be measurements or keys: name a setting among these in "
        "`dimensions` or `task`\n"
    )
    assert text in capsys.readouterr().out


def test_a_space_that_helps_on_no_new_group_is_doubted(table, capsys):
    """Two tasks of each of three data sets: to the other of the two it is known, to new ones not.

    Every data set has its best elsewhere.
    """
    rows = []
    for group, best in (("x", -3.5), ("y", -2), ("z", -0.5)):
        rows += [
            {"data": f"{group}{i}", "set": group, "lr": 10**x, "loss": abs(x - best)}
            for i in (1, 2)
            for x in np.linspace(-4, 0, 41)
        ]
    pd.DataFrame(rows).to_csv(table, index=False)
    about = {**ABOUT, "group": "set", "dimensions": {"lr": ABOUT["dimensions"]["lr"]}}
    (table.parent / "sweep.yaml").write_text(yaml.safe_dump(about))
    assert main(["space", "sweep.csv", "--shape", "box"]) == 0
    assert "no gain on groups that were left out in learning" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--slack", "-1"], "--slack: -1 is not 0 or more"),
        (["--floor", "0.7"], "--floor: 0.7 is not above 0 and at most 0.5"),
        (["--top", "0"], "--top: 0 is not 1 or more"),
        (["--drift", "data"], "needs --target"),
        (
            ["--drift", "width", "--target", "8"],
            "'width' is not a column of the tasks; these are: data",
        ),
        (["--drifting", "lr"], "'lr': needs --drift, and has to be one of batch, lr"),
        (["--about", "absent.yaml"], "absent.yaml"),
        (["--slack", "nan"], "--slack: nan is not 0 or more"),
        (["--slack", "inf"], "--slack: inf is not 0 or more"),
        (["--drift", "data", "--target", "inf"], "--target: inf is not above 0"),
        (
            ["--drift", "data", "--target", "8"],
            "data of task a is 'a', which is not a size above 0",
        ),
        (["--out", ".", "--force"], "--out: . is a folder"),
        (["--out", "sweep.csv/x.yaml"], "--out: sweep.csv/x.yaml cannot be written"),
    ],
)
def test_arguments_that_cannot_be_meant(table, capsys, arguments, words):
    assert main(["space", "sweep.csv", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert not (table.parent / "space.yaml").exists()


def test_a_wrong_description_names_file_line_and_key(table, capsys):
    text = yaml.safe_dump({**ABOUT, "colour": 1, "task": "data"}, sort_keys=False)
    (table.parent / "sweep.yaml").write_text(text)
    assert main(["space", "sweep.csv"]) == 1
    said = capsys.readouterr().err
    assert "sweep.yaml:1: task: 'data' is not a list" in said
    assert "colour: unknown key" in said


def test_pruned_trials_are_left_out_and_counted(table, capsys):
    whole = sweep()
    states = ["COMPLETE", "PRUNED", "COMPLETE"] * len(whole)
    whole = whole.assign(state=states[: len(whole)])
    pruned = whole["state"] == "PRUNED"
    whole.assign(loss=whole["loss"].where(~pruned, 0)).to_csv(table, index=False)
    assert main(["space", "sweep.csv"]) == 0
    line = f"left out: {pruned.sum()} of {len(whole)} rows: {pruned.sum()} with state PRUNED"
    assert line in capsys.readouterr().out


def test_losses_that_cannot_be_read_are_named(table, capsys):
    whole = sweep()
    written = ["1,234", *whole["loss"].astype(str)[1:]]
    whole.assign(loss=written).to_csv(table, index=False)
    assert main(["space", "sweep.csv"]) == 1
    assert "sweep.csv: loss: '1,234' in row 1 is not a loss" in capsys.readouterr().err


def test_a_table_that_is_not_as_described(table, capsys):
    sweep().drop(columns="batch").to_csv("sweep.csv", index=False)
    assert main(["space", "sweep.csv"]) == 1
    assert "sweep.csv: no column 'batch'; the columns are 'data', 'lr', 'schedule', 'loss'" in (
        capsys.readouterr().err
    )


def test_a_space_of_tasks_that_share_nothing_is_doubted(table, capsys):
    apart = sweep()
    where = {name: 10 ** (-0.8 * i) for i, name in enumerate(BEST)}
    apart["loss"] = np.abs(np.log10(apart["lr"] / apart["data"].map(where)))
    apart[apart["data"].isin(["a", "f"])].to_csv("sweep.csv", index=False)
    assert main(["space", "sweep.csv", "--shape", "box"]) == 0
    said = capsys.readouterr().out
    assert "do not trust this space yet: 2 tasks: too few" in said
    assert "no gain on tasks that were left out in learning" in said


def test_a_space_that_leaves_most_winners_outside_is_doubted(table, capsys):
    """Best rates are spread over the range, and with a slack of 2 the box holds the middle ones."""
    apart = sweep()
    where = {name: 10 ** (-0.5 - 0.5 * i) for i, name in enumerate(BEST)}
    apart["loss"] = np.abs(np.log10(apart["lr"] / apart["data"].map(where)))
    apart.to_csv("sweep.csv", index=False)
    assert main(["space", "sweep.csv", "--shape", "box", "--slack", "2"]) == 0
    said = capsys.readouterr().out
    outside = said.partition("tasks with a winner outside: ")[2].partition("\n")[0].split(", ")
    assert len(outside) > 3
    assert f"the best evaluation of {len(outside)} of 6 tasks is outside" in said
    assert "no reason found" not in said


def test_further_winners_outside_are_no_doubt(table, capsys):
    """Slack leaves some of 20 winners of each task outside, and hardly a best one."""
    sweep(200).to_csv("sweep.csv", index=False)
    assert main(["space", "sweep.csv", "--top", "20", "--slack", "0.2"]) == 0
    said = capsys.readouterr().out
    assert "tasks with a winner outside: none" not in said
    assert "tasks is outside" not in said


@pytest.mark.parametrize(("rows", "few"), [(4, True), (400, False)])
def test_regrets_in_a_space_of_one_or_two_evaluations_of_a_task_are_marked(
    table, capsys, rows, few
):
    sweep(rows).to_csv("sweep.csv", index=False)
    assert main(["space", "sweep.csv", "--shape", "box"]) == 0
    assert ("so few that the regrets in the space, of the best" in capsys.readouterr().out) is few


def test_the_command_does_not_import_torch(table):
    code = (
        "import sys; from hypertransfer.cli.main import main; "
        "assert main(['space', 'sweep.csv']) == 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=table.parent, capture_output=True)


def test_winners_are_carried_to_a_size_that_was_never_run(table):
    """The best learning rate halves with each doubling of the width: 0.01 at 256."""
    rows = []
    for width, best in ((16, 0.16), (32, 0.08), (64, 0.04)):
        rows += [
            {"width": width, "lr": x, "loss": abs(np.log2(x / best))}
            for x in np.geomspace(0.001, 1, 41)
        ]
    pd.DataFrame(rows).to_csv("sweep.csv", index=False)
    about = {
        "task": ["width"],
        "loss": "loss",
        "dimensions": {"lr": {"low": 0.001, "high": 1, "log": True}},
    }
    (table.parent / "sweep.yaml").write_text(yaml.safe_dump(about))
    arguments = ["--shape", "box", "--drift", "width", "--drifting", "lr", "--target", "256"]
    assert main(["space", "sweep.csv", *arguments]) == 0
    found = exports.ranges(exports.load_space("space.yaml"))["lr"]
    assert found["low"] < 0.01 < found["high"]
    assert found["high"] < 0.02
