"""The study of a check-up: a file that planning accepts, for several networks, tables and data."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hypertransfer.catalogue import complete
from hypertransfer.checkup.study import study
from hypertransfer.planning import load
from hypertransfer.studies.main_config import MAIN, main_config, studies_folder

ROOT = Path(__file__).resolve().parents[2]
TEXT = {"name": "state_of_the_union", "context": 16}


@pytest.fixture(autouse=True)
def networks(monkeypatch, tmp_path):
    """A project with networks of the user, whose source planning reads and does not execute."""
    monkeypatch.chdir(tmp_path)
    source = "".join(f"def {name}(width, depth): ...\n" for name in ("gpt", "mlp"))
    (tmp_path / "networks_to_check.py").write_text(source, encoding="utf-8")
    (tmp_path / "config" / "studies").mkdir(parents=True)
    (tmp_path / MAIN).write_bytes((ROOT / MAIN).read_bytes())


def plan(build, over_depth=True, routers=False, **values):
    """The plan of the study of a network."""
    spec = complete.run_spec(
        {
            "model": {"name": f"networks_to_check:{build}", "adopt": {}}, "data": TEXT,
            "base": {"width": 16, "depth": 2}, "shape": {"width": 16, "depth": 2},
            "parameterisation": "completep", "optimizer": "adamw", "lr": 0.01,
            "weight_decay": 0.1, "batch_size": 8, "steps": 100, "log_every": 1, "seed": 0,
            **values,
        }
    )  # fmt: skip
    shown = study("mine", spec, 6, samples=500, over_depth=over_depth, routers=routers)
    text = yaml.safe_dump(shown, sort_keys=False)
    (studies_folder(MAIN) / "mine.yaml").write_text(text, encoding="utf-8")
    config, origins = main_config(MAIN, ["studies=[mine]"])
    (found,) = load.load(config, studies_folder(MAIN), origins)
    return found


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"optimizer": "sgd", "weight_decay": 0.0, "parameterisation": "mup", "over_depth": False},
        {"optimizer": "muon", "parameterisation": "mup_muon", "over_depth": False},
        {"build": "mlp", "data": "digits", "loss": "mse", "over_depth": False},
        {"model": {"name": "gpt", "head_size": 8}, "build": "gpt"},
        {"routers": True},
    ],
)
def test_planning_accepts_it(values):
    found = plan(**{"build": "gpt", **values})
    grids = found.study.grids
    assert ("depth" in grids) == values.get("over_depth", True)
    widths = {run.run.spec.shape.width for run in found.runs["along"]}
    assert widths == {16, 32, 64}
    steps = {run.run.spec.steps for runs in found.runs.values() for run in runs}
    assert steps == {100}


def test_claims_and_figures_read_all_grids():
    found = plan("gpt").study
    claimed = {str(claim.where) for claim in found.claims}
    for grid in ("width", "depth", "along"):
        assert any(grid in where for where in claimed)
    assert {"rate-stays", "rate-costs-little", "wider-is-better", "sharpness-agrees"} <= {
        claim.id for claim in found.claims
    }


def test_a_loss_of_another_scale_has_no_bar_in_nats():
    found = plan("mlp", over_depth=False, data="digits", loss="mse").study
    assert "rate-costs-little" not in {claim.id for claim in found.claims}


def test_routers_are_measured_and_drawn_where_there_are_any():
    with_routers, without = plan("gpt", routers=True).study, plan("gpt").study
    probes = [
        {probe.probe for probe in one.grids["along"].probes.values()}
        for one in (with_routers, without)
    ]
    assert probes[0] - probes[1] == {"router_load"}
    (along,) = (figure for figure in with_routers.figures if figure.id == "along")
    assert {"routing_entropy", "dead_experts"} <= set(along.options["quantities"])
