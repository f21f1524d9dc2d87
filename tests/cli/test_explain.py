"""`hypertransfer plan --explain` of runs with parts of the user's own."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.cli import explain, main
from hypertransfer.networks import resolve
from hypertransfer.networks.layers import Branch, Embedding, Linear, TiedLinear
from hypertransfer.parameterisation.algebra import Parameterisation, Power, Ratios, Role
from hypertransfer.parameterisation.tables import MUP_ADAM
from hypertransfer.training import build, data_sets

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder with the study and the modules of the documentation."""
    (tmp_path / "config" / "studies").mkdir(parents=True)
    for file in (ROOT / "config").glob("*.yaml"):
        shutil.copy(file, tmp_path / "config")
    examples = ROOT / "docs" / "examples"
    shutil.copy(examples / "my_study.yaml", tmp_path / "config" / "studies")
    for file in examples.glob("my_*.py"):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    data_sets._data.cache_clear()
    yield tmp_path
    data_sets._data.cache_clear()
    for name in ("my_models", "my_data", "my_tables", "my_optimizers"):
        sys.modules.pop(name, None)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def explained(capsys, run: str, *overrides: str) -> tuple[int, str, str]:
    code = main.main(["plan", "--explain", run, "--config", "studies=[my_study]", *overrides])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_all_parameters_of_a_group_are_named(project, capsys):
    code, out, _ = explained(capsys, "sweep:shape.width=64")
    assert code == 0
    hidden = [line for line in out.splitlines() if line.startswith("hidden")]
    assert [row.split("  ")[4].strip() for row in hidden] == [
        "2: blocks.*.layers.1.weight",
        "2: blocks.*.layers.3.weight",
    ]
    assert " 1: readout.weight  " in out


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("my_models.py", "self.norm = LayerNorm(width, role=Role.FINAL_VECTOR)",
         "self.norm = nn.LayerNorm(width)", ["RoleError", "norm.weight"]),
        ("my_models.py", "super().__init__()\n", "super().__init__()\n        1 / 0\n",
         ["ZeroDivisionError", "my_models.py, line 29"]),
    ],
)  # fmt: skip
def test_a_fault_of_own_code_is_told_with_study_grid_and_module(
    project, capsys, file, old, new, words
):
    edit(project / file, old, new)
    code, _, error = explained(capsys, "sweep:shape.width=64")
    assert code == 1
    for word in ["config/studies/my_study.yaml: grids.sweep: run ", "my_models:Net", *words]:
        assert word in error
    assert "Traceback" not in error


def test_a_fault_of_own_data_is_told(project, capsys):
    edit(project / "my_data.py", "classes=", "classes=-")
    code, _, error = explained(capsys, "own-parts")
    assert code == 1
    assert DatasetError.__name__ in error
    assert "my_data:load" in error


def test_betas_are_shown_with_what_their_forgetting_scales_with():
    """At twice the batch size 1 − β doubles: 0.9 becomes 0.8, and 0.95 becomes 0.9."""
    table = replace(MUP_ADAM, forgetting=Power(batch=1, duration=-1))
    network = nn.Sequential(Linear(3, 4, role=Role.INPUT), Linear(4, 2, role=Role.OUTPUT))
    network[0].requires_grad_(False)

    def betas(of: Parameterisation) -> list[str]:
        base = resolve.Base(0.1, betas=(0.9, 0.95))
        scheme = build.Stated(None, network, of, ((3,), 2))
        vars(scheme)["rows"] = resolve.resolve(network, of, Ratios(batch=2), base)
        return [row[-1] for row in explain._roles(network, scheme, of)]

    assert betas(table) == ["–", "0.8, 0.9 (1 − β ∝ m_B·m_D^-1)"]
    assert betas(MUP_ADAM) == ["–", "0.9, 0.95"]


GRID = "names no run: the grid sweep of my_study has no "


@pytest.mark.parametrize(
    ("run", "text"),
    [
        ("sweep:shape.width=63", GRID + "shape.width 63; known: 16, 32, 64; did you mean 64?"),
        ("sweep:shape.width=2^7", GRID + "shape.width 128; known: 16, 32, 64"),
        ("sweep:shape.widht=64", GRID + "axis 'shape.widht'; known: parameterisation, shape.width"),
        ("sweep:parameterisation=mupp", GRID + "parameterisation 'mupp'; known: mup, sp; did you"),
        ("swep", "names no run: give the beginning of a key, or grid:axis=value,…; grids: sweep, "),
    ],
)
def test_what_names_no_run_is_told_with_what_is_known(project, capsys, run, text):
    code, _, error = explained(capsys, run)
    assert code == 1
    assert f"{run}: {text}" in error


def test_values_that_never_stand_together_are_told(project, capsys):
    study = project / "config/studies/my_study.yaml"
    edit(study, "    probes:\n", "    exclude: [{shape.width: 64, seed: 2}]\n    probes:\n")
    code, _, error = explained(capsys, "sweep:shape.width=64,seed=2")
    assert code == 1
    assert "no point of the grid sweep of my_study has all of these values together" in error


def test_the_study_is_named_where_several_have_the_grid(project, capsys):
    folder = project / "config/studies"
    shutil.copy(folder / "my_study.yaml", folder / "other.yaml")
    edit(folder / "other.yaml", "study: my_study", "study: other")
    both = ("--config", "studies=[other, my_study]")
    code, out, _ = explained(capsys, "sweep:shape.width=64", *both)
    assert code == 0
    first, line = out.splitlines()[:2]
    assert first == "the grid sweep of other; there is also one of this name in my_study"
    assert explained(capsys, line[:12], *both)[1].startswith(line)  # a key names one run
    _, _, error = explained(capsys, "sweep:foo=1", *both)
    assert "the grid sweep of other and my_study has no axis 'foo'" in error


def test_a_tied_readout_has_its_multiplier_beside_that_of_the_embedding():
    """Under µP, at 4 times the base width, a readout is multiplied by 1/4."""

    class Assigned(nn.Module):
        def __init__(self):
            super().__init__()
            self.inp, self.out = Embedding(7, 16), Linear(16, 7, role=Role.OUTPUT)
            self.out.weight = self.inp.weight

    tied = nn.Module()
    tied.inp = Embedding(7, 16)
    tied.out = TiedLinear(tied.inp)
    for network in (Assigned(), tied):
        scheme = build.Stated(None, network, MUP_ADAM, ((), 7))
        (_, line) = explain._tied(scheme.tied, MUP_ADAM, Ratios(width=4))
        assert line.endswith("0.25 ∝ m_N^-1: out")
    untied = build.Stated(None, nn.Sequential(Branch(nn.ReLU())), MUP_ADAM, ((), 7))
    assert not list(explain._tied(untied.tied, MUP_ADAM, Ratios()))
    assert torch.is_tensor(tied.inp.weight)
