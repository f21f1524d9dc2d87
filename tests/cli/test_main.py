"""`hypertransfer plan`: counts, reasons for what is missing, errors in words."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue.cards import networks, optimizers
from hypertransfer.cli import arguments, explain, main
from hypertransfer.networks import resolve
from hypertransfer.networks.layers import Linear
from hypertransfer.parameterisation.algebra import Parameterisation, Ratios, Role
from hypertransfer.parameterisation.tables import MUP_ADAM
from hypertransfer.planning import keys, load, planned_runs, status
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.main_config import main_config
from hypertransfer.training import build

ROOT = Path(__file__).resolve().parents[2]
SPEC = {
    "model": "residual_mlp",
    "data": "digits",
    "base": {"width": 4, "depth": 1},
    "shape": {"width": 8, "depth": 1},
    "parameterisation": "mup",
    "lr": 0.01,
    "batch_size": 16,
    "steps": 6,
    "log_every": 2,
    "seed": 0,
}


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def planned(tmp_path: Path, capsys, *overrides: str) -> str:
    given = ["scale=smoke", "studies=[super_consistency]", f"store={tmp_path}", *overrides]
    code = main.main(["plan", "--config", *given])
    assert code == 0
    return capsys.readouterr().out


def fill(tmp_path: Path, wanted) -> list[planned_runs.PlannedRun]:
    """Entries for the runs of the smoke sweep that `wanted` lets through."""
    config, _ = main_config(
        arguments.CONFIG, ["scale=smoke", "studies=[super_consistency]", f"store={tmp_path}"]
    )
    (study,) = load.load(config)
    store, filled = Store(tmp_path), []
    for run in study.runs["sweep"]:
        if wanted(run.run.point):
            store.put("runs", run.key, {"context": keys.context(run.run.spec)}, {})
            filled.append(run)
    return filled


def test_an_empty_store(tmp_path: Path, capsys):
    text = planned(tmp_path, capsys)
    assert "not run yet" in text
    assert "sweep" in text
    assert "on one core" in text


def test_new_values_are_named(tmp_path: Path, capsys):
    filled = fill(tmp_path, lambda point: point["lr"] != 1 and point["seed"] < 2)
    text = planned(tmp_path, capsys)
    assert f" {len(filled)} " in text
    assert "new value: lr = 1" in text
    assert "new value: seed = 2" in text


def test_a_changed_table_is_named(tmp_path: Path, capsys, monkeypatch):
    fill(tmp_path, lambda point: True)
    assert ", sweep: " not in planned(tmp_path, capsys)
    tables = dict(lookup.PARAMETERISATIONS)
    other = Parameterisation("mup", 1.0, "edited", tables["sp"][1.0].rules)
    tables["mup"] = {**tables["mup"], 1.0: other}
    monkeypatch.setattr(lookup, "PARAMETERISATIONS", tables)
    text = planned(tmp_path, capsys)
    assert ", sweep: changed parameterisation" in text


def test_changed_code_is_named_by_module(tmp_path: Path, capsys, monkeypatch):
    fill(tmp_path, lambda point: True)
    fingerprint = keys.fingerprint

    def edited(*entries: str, **known) -> dict[str, str]:
        found = fingerprint(*entries, **known)
        name = "hypertransfer.optimizers.sgd"
        return {**found, name: "edited"} if name in found else found

    monkeypatch.setattr(keys, "fingerprint", edited)
    text = planned(tmp_path, capsys)
    assert ", sweep: changed code: hypertransfer.optimizers.sgd" in text


def test_another_version_of_a_package_is_named(tmp_path: Path):
    spec = complete.run_spec({**SPEC, "optimizer": "lion"})
    wanted = keys.context(spec)
    found = {**wanted, "packages": {"pytorch_optimizer": "0.0.1"}}
    assert status._difference(wanted, found) == "other versions of packages"


def test_bad_config_is_refused_in_words(tmp_path: Path, capsys):
    assert main.main(["plan", "--config", "scale=huge"]) == 1
    assert "smoke, desk, overnight, paper" in capsys.readouterr().err
    assert main.main(["plan", "--config", "nonsense"]) == 1
    assert "KEY=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        (["-m", "hypertransfer", "plan"], ["torch", "numpy", "pandas", "scipy", "pyarrow"]),
        (["-m", "snakemake", "-n"], ["torch"]),
    ],
)
def test_planning_imports_no_heavy_package(command: list[str], heavy: list[str], tmp_path: Path):
    """`hypertransfer plan` imports no numeric package, a dry run of Snakemake no torch."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = {command[1:]!r} + ['--config', 'scale=smoke', 'store={tmp_path}']\n"
        f"sys.argv += ['--quiet'] if 'snakemake' in sys.argv[0] else []\n"
        "try:\n"
        f"    runpy.run_module({command[1]!r}, run_name='__main__', alter_sys=True)\n"
        "except SystemExit as done:\n"
        "    assert not done.code, done.code\n"
        f"imported = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not imported, imported\n"
        "print('planned')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("planned")


def test_a_terminal_that_knows_ascii_only(monkeypatch):
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(main, "command_function", lambda name: lambda parsed: print("µP … η") or 0)
    assert main.main(["plan"]) == 0
    assert screen.buffer.getvalue() == b"\\xb5P \\u2026 \\u03b7\n"


def test_every_registered_part_is_where_its_card_says():
    for kind, cards in (("model", networks.MODELS), ("optimizer", optimizers.OPTIMIZERS)):
        for name in cards:
            assert callable(lookup.load(kind, lookup.import_path(kind, name)))


# Explaining a run ------------------------------------------------------------------------------


def explained(capsys, run: str, *overrides: str) -> tuple[int, str, str]:
    code = main.main(["plan", "--explain", run, "--config", "scale=desk", *overrides])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


STUDY = "studies=[completed_p]"


def test_a_run_is_explained_role_by_role_with_the_ratios_that_made_it(capsys):
    wanted = "duration:parameterisation=completed_p,steps=400,lr=0.0220970869121"
    code, text, _ = explained(capsys, wanted, STUDY)
    assert code == 0
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert lines["m_D"].split() == ["m_D", "samples", "1600", "6400", "4"]
    assert lines["steps"].split() == ["steps", "100", "400", "4"]
    assert "0.01105 ∝ m_N^-1·m_B^0.5·m_D^-0.5" in lines["hidden"]
    assert (
        lines["readout" if "readout" in lines else "output"]
        .rstrip()
        .endswith("0.9, 0.95 (1 − β ∝ m_B·m_D^-1)")
    )
    roles = {"input", "hidden", "vector", "final_vector", "qk_gain", "output"}
    assert roles <= set(lines)


def test_a_number_names_a_run_however_it_is_written(capsys):
    run = "duration:parameterisation=completed_p,steps={},lr={}"
    found = [explained(capsys, run.format(*pair), STUDY) for pair in
             [("400", "0.0220970869121"), ("4e2", "2.20970869121e-2"),
              ("400.0", ".0220970869121")]]  # fmt: skip
    assert found[0][0] == 0
    assert found[0] == found[1] == found[2]


def test_a_run_is_found_by_the_beginning_of_its_key(capsys):
    _, text, _ = explained(capsys, "width:shape.width=128,parameterisation=sp", STUDY)
    key = text.partition(":")[0]
    assert explained(capsys, key[:12], STUDY)[1] == text


def test_an_explained_run_tells_the_norms_of_its_optimizer(capsys):
    code, out, _ = explained(capsys, "width-scion:shape.width=192", "studies=[any_scale]")
    assert code == 0
    assert "norms × radii: one_hot col × 1, vector rms × 1, hidden spectral × 3" in out
    assert "output sign × 10" in out
    assert "drawn on the boundary" in out


def test_a_parameter_that_the_network_froze_is_said_to_keep_its_values():
    network = nn.Sequential(Linear(3, 4, role=Role.INPUT), Linear(4, 2, role=Role.OUTPUT))
    network[0].requires_grad_(False)
    rows = resolve.resolve(network, MUP_ADAM, Ratios(width=2), resolve.Base(0.1))
    scheme = build.Stated(None, network, MUP_ADAM, ((3,), 2))
    vars(scheme)["rows"] = rows
    shown = list(explain._roles(network, scheme, MUP_ADAM))
    frozen = ("input (frozen: keeps its values)", "1: 0.weight", "–", "1", "–", "–", "–", "–")
    assert shown[0] == frozen
    assert shown[1][:4] == ("output", "1: 1.weight", "0.7071", "0.5 ∝ m_N^-1")


def test_a_run_that_is_not_there_is_told_with_the_grids_that_are(capsys):
    code, _, error = explained(capsys, "breadth", STUDY)
    assert code == 1
    assert "breadth: names no run" in error
    named = error.rpartition("grids: ")[2].split(", ")
    assert {"width", "width-eps", "duration"} <= {name.strip() for name in named}
