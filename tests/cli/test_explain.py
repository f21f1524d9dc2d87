"""`hypertransfer plan --explain` of runs with parts of the user's own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.cli import explain, main
from hypertransfer.networks.layers import Branch, Embedding, Linear, TiedLinear
from hypertransfer.parameterisation.algebra import Ratios, Role
from hypertransfer.parameterisation.tables import MUP_ADAM
from hypertransfer.training import build

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
    build._data.cache_clear()
    yield tmp_path
    build._data.cache_clear()
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
        (_, line) = explain._tied(network, MUP_ADAM, Ratios(width=4))
        assert line.endswith("0.25 ∝ m_N^-1: out")
    assert not list(explain._tied(nn.Sequential(Branch(nn.ReLU())), MUP_ADAM, Ratios()))
    assert torch.is_tensor(tied.inp.weight)
