"""What benchmarks take from the config is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.benchmarks import bench_decoding, bench_workflow
from tests.benchmarks.rows import row

from hypertransfer.studies.grid import runs
from hypertransfer.studies.study import load_study

CONFIG = Path(__file__).resolve().parents[2] / "config"


def test_the_seed_that_a_benchmark_adds_is_one_more_of_all_trials(tmp_path):
    shutil.copytree(CONFIG, tmp_path / "config")
    studies = tmp_path / "config" / "studies"
    before = runs(load_study("optimizer_budget", "desk", studies).grids["gpt-proxy"])
    bench_workflow.add_seed(tmp_path)
    after = runs(load_study("optimizer_budget", "desk", studies).grids["gpt-proxy"])
    known = [run.spec for run in before]
    added = [run for run in after if run.spec not in known]
    assert len(after) == len(before) + len(added)
    assert {run.point["seed"] for run in added} == {2}
    assert len(added) == 3 * 16  # trials of each optimizer


def test_decoding_is_measured_in_the_setting_of_the_study():
    specs, probe = bench_decoding.setting()
    assert {"batch", "prompt", "tokens", "repeats"} <= set(probe)
    attentions = {kind: spec.model.options["attention"] for kind, spec in specs.items()}
    assert attentions.pop("MLA (r = d/2)") == "latent"
    assert set(attentions.values()) == {"multi_head"}
    heads = {kind: spec.model.options["kv_heads"] for kind, spec in specs.items()}
    assert (heads["GQA (2 heads)"], heads["MQA"]) == (2, 1)
    assert {(spec.shape.width, spec.shape.depth) for spec in specs.values()} == {(512, 4)}


def test_a_row_of_a_benchmark_has_a_rule_of_the_speed_page():
    assert row("a step", 1, 2, None, "s", rule="rate")["ratio"] == 0.5
    assert row("a step", 1, None, None, "s", rule="cost")["ratio"] is None
    with pytest.raises(ValueError, match="rule 'speed' of 'a step': use one of saving"):
        row("a step", 1, 2, None, "s", rule="speed")
