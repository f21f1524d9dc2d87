"""`hypertransfer recommend`: the printed recommendation, its files, and errors with a way out."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from tests.support.recommendation import runs_of
from tests.support.specs import VALID
from tests.support.store import key

from hypertransfer.catalogue.complete import run_spec
from hypertransfer.cli.main import main
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

ROOT = Path(__file__).resolve().parents[2]
BEST = {4: 0.0, 8: 0.0, 16: 0.0}  # log2 of the best learning rate, by width


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project with the results of a study, whose runs are in the store."""
    monkeypatch.chdir(tmp_path)
    Path("config/studies").mkdir(parents=True)
    Path("config/studies/other.yaml").touch()
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    Path("config/config.yaml").write_text(yaml.safe_dump(config))
    store = Store(tmp_path / "results" / "store")
    store.open()
    tables = []
    for place, table in enumerate(("mup", "sp")):
        for number, width in enumerate(BEST):
            shape = {"width": width, "depth": 1}
            values = {"model": "residual_mlp", "shape": shape, "parameterisation": table}
            spec = run_spec({**VALID, **values})
            name = key(10 * place + number + 1)
            store.put("runs", name, {"spec": spec.plain()}, {})
            runs = runs_of({width: BEST[width]}, rates=tuple(range(-5, 6)))
            size = {"shape.depth": 1, "batch_size": spec.batch_size, "steps": spec.steps}
            tables.append(runs.assign(key=name, parameterisation=table, **size))
    frame = pd.concat(tables)
    parquet.write(
        pa.Table.from_pandas(frame, preserve_index=False), "results/mine/tables/runs.parquet"
    )
    yield
    sys.modules.pop("my_models", None)


MUP = ["recommend", "mine", "--where", "parameterisation=mup"]


def test_the_verdict_comes_first_then_evidence_groups_and_what_was_not_varied(capsys):
    assert main([*MUP, "--to", "width=32"]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0] == "grid sweep: residual_mlp on digits, sgd, mup"
    assert lines[1] == "target: width 32, depth 1, batch 32, 10 steps"
    assert lines[3].startswith("trust: train with the base lr 1, which mup turns")
    assert "the base lr is the rate at width 4 and depth 1" in text
    assert "largest left out: 2 smaller sizes predict 1, found is 1" in text
    assert "extrapolated 2 times in width" in text
    assert "tells its effect: depth, batch size, steps, data" in text
    rows = [line.split() for line in lines if line.startswith(("input", "hidden", "output"))]
    assert {row[0] for row in rows} >= {"input", "output"}
    (output,) = (row for row in rows if row[0] == "output")
    assert float(output[4]) == pytest.approx(4 / 32)  # the multiplier of µP, base over target


def test_files_hold_what_is_printed(tmp_path):
    files = {name: str(tmp_path / name) for name in ("json", "groups", "optuna", "axis")}
    options = [word for name, file in files.items() for word in (f"--{name}", file)]
    assert main([*MUP, "--to", "width=32", *options]) == 0
    values = json.loads(Path(files["json"]).read_text())
    assert values["verdict"] == "trust"
    assert values["target"]["shape.width"] == 32
    assert {row["role"] for row in values["parameters"]} >= {"input", "output"}
    module = Path(files["groups"]).read_text()
    assert "def groups(network)" in module
    assert "def initialise(network, generator=None)" in module  # this network states its roles
    assert " ".join(ast.get_docstring(ast.parse(module)).split()).startswith(
        "Hyperparameters of the study mine, grid sweep with parameterisation mup, at width 32, "
        "depth 1, batch 32, 10 steps."
    )
    assert json.loads(Path(files["optuna"]).read_text())["name"] == "FloatDistribution"
    assert len(yaml.safe_load(Path(files["axis"]).read_text())["axes"]["lr"]) == 5


def test_too_far_away_the_command_says_do_not_and_exits_with_1(capsys):
    assert main([*MUP, "--to", "width=32", "depth=2", "steps=10000"]) == 1
    text = capsys.readouterr().out
    assert "do not: use a rate from these sweeps yet; a guess of the base lr is" in text
    assert "steps (10, target 10000)" in " ".join(text.split())


def test_several_sweeps_are_listed_with_the_options_that_choose_one(capsys):
    assert main(["recommend", "mine", "--to", "width=32"]) == 1
    text = capsys.readouterr().err
    assert "several sweeps fit, and they differ in parameterisation; choose one of:" in text
    assert "  --grid sweep --where parameterisation=sp" in text


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["other", "--to", "width=32"], "run snakemake --config 'studies=[other]' first"),
        (["othr", "--to", "width=32"], "STUDY: 'othr' is no study: use one of other; did you mean"),
        (
            ["mine", "--grid", "sweep", "swap", "--to", "width=32"],
            "--grid: mine has no learning-rate sweep in a grid 'swap': use one of sweep; did you",
        ),
        (
            ["mine", "--where", "lr=1", "--to", "width=32"],
            "sweep has --where lr=1",
        ),
        (["mine", "--where", "parameterisation=mup", "--to", "batch_size=5000"], "at most 1440"),
    ],
)
def test_errors_say_what_to_do(words, wanted, capsys):
    assert main(["recommend", *words]) == 1
    assert wanted in capsys.readouterr().err


def test_a_name_that_is_given_twice_is_an_error(capsys):
    assert main([*MUP, "--to", "width=32", "--to", "width=64"]) == 1
    assert "--to: width is given twice" in capsys.readouterr().err


def test_the_base_of_steps_that_follows_the_runs_follows_the_target(capsys):
    """VALID gives no base of batch size and steps: they are those of each run."""
    assert main([*MUP, "--to", "width=8", "steps=20"]) in (0, 1)
    text = " ".join(capsys.readouterr().out.split())
    assert "the target has another number of samples, which was not varied" in text


@pytest.mark.parametrize("size", ["width", "width=x", "width=0", "colour=3"])
def test_a_target_is_checked(size, capsys):
    with pytest.raises(SystemExit):
        main([*MUP, "--to", size])
    assert "--to" in capsys.readouterr().err


def test_a_run_that_is_not_in_the_store_is_named(capsys):
    (entry,) = Path("results/store/runs").glob(f"00/{key(3).partition('-')[0]}/*/entry.json")
    entry.unlink()
    entry.parent.rmdir()
    assert main([*MUP, "--to", "width=32"]) == 1
    assert key(3) in capsys.readouterr().err
