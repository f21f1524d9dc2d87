"""The cost model: rates fitted to what runs took, memory against what a process really needs."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.peak_memory import PEAK
from tests.workflow.project import STUDY

from hypertransfer.catalogue import complete
from hypertransfer.catalogue.cards import probes
from hypertransfer.catalogue.options import defaults
from hypertransfer.cli import main
from hypertransfer.maintenance import calibration
from hypertransfer.maintenance.calibration import Timing
from hypertransfer.planning import cost, load, status
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.document import ConfigError
from hypertransfer.studies.study import load_rates
from hypertransfer.training import imports, loop

SEEDED = settings(derandomize=True, deadline=None)
ROOT = Path(__file__).resolve().parents[2]

sizes = st.lists(
    st.tuples(st.floats(1e6, 1e13), st.floats(10, 1e5)), min_size=5, max_size=30, unique=True
)


@SEEDED
@given(sizes, st.floats(1e8, 1e14), st.floats(1e-5, 1e-1))
def test_rates_that_made_the_times_explain_them(work, speed, overhead):
    """Where times follow the model exactly, the fitted model gives them back."""
    truth = cost.Rates(speed, overhead)
    runs = [Timing("d", o, s, Timing("d", o, s, 1).estimate(truth)) for o, s in work]
    found = calibration.fit(runs, cost.Rates())
    assert calibration.estimate_error(runs, found).most == pytest.approx(1, rel=1e-3)


@SEEDED
@given(sizes, st.lists(st.floats(0.5, 2), min_size=30, max_size=30))
def test_fitting_never_makes_the_squared_relative_error_worse(work, noise):
    before = cost.Rates()

    def loss(rates):
        return sum((one.estimate(rates) / one.seconds - 1) ** 2 for one in runs)

    runs = [
        Timing("d", o, s, Timing("d", o, s, 1).estimate(before) * factor)
        for (o, s), factor in zip(work, noise, strict=False)
    ]
    assert loss(calibration.fit(runs, before)) <= loss(before) * (1 + 1e-9)


def test_the_error_is_a_factor_up_or_down():
    runs = [Timing("d", 0, 100, seconds) for seconds in (0.05, 0.1, 0.2)]
    found = calibration.estimate_error(runs, cost.Rates(seconds_per_step=1e-3))
    assert found.typical == pytest.approx(2)
    assert found.count == 3


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose runs took what a machine of known rates takes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/studies").mkdir(parents=True)
    config = {
        "scale": "desk",
        "studies": ["micro"],
        "device": "cpu",
        "store": "store",
        "job_minutes": 3,
    }
    (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "config/studies/micro.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    return config


def fill(config, rates):
    (made,) = load.load(config)
    for runs in made.runs.values():
        for one in runs:
            seconds = cost.train_seconds(one.run.spec, rates)
            record = {
                "seconds": seconds,
                "steps_done": one.run.spec.steps,
                "provenance": {"device": "cpu: a slow one"},
            }
            Store("store").put("runs", one.key, record, {})
    return made


def test_calibration_is_taken_from_the_store_and_changes_estimates_alone(project, capsys):
    slow = cost.Rates(1e9, 0.5)
    before = fill(project, slow)
    assert main.main(["plan"]) == 0
    assert "hypertransfer calibrate" in capsys.readouterr().out
    assert main.main(["calibrate"]) == 0
    assert "24 runs on cpu: a slow one" in capsys.readouterr().out
    found = cost.Rates(**load_rates(Path("config/cost.yaml")))
    assert found.seconds_per_step == pytest.approx(0.5, rel=0.01)
    (after,) = load.load(project)
    assert [r.key for r in after.runs["sweep"]] == [r.key for r in before.runs["sweep"]]
    assert after.runs["sweep"][0].seconds > 100 * before.runs["sweep"][0].seconds
    assert main.main(["plan"]) == 0
    text = capsys.readouterr().out
    assert "off by 1.00× typically" in text
    assert "hypertransfer calibrate" not in text


def test_calibration_wants_runs(project, capsys):
    assert main.main(["calibrate"]) == 1
    assert "train runs first" in capsys.readouterr().err


def test_a_sample_is_read_and_damaged_entries_are_left_out(project, monkeypatch):
    made = fill(project, cost.Rates())
    entry = next(Path("store/runs").rglob("entry.json"))
    entry.write_text("{}")
    found = status.survey(made, Store("store"))
    assert len(calibration.trainings([found])["cpu: a slow one"]) == 23
    monkeypatch.setattr(calibration, "SAMPLE", 6)
    assert len(calibration.trainings([found])["cpu: a slow one"]) <= 6


@pytest.mark.parametrize(
    ("key", "value"),
    [("operations_per_second", 0), ("seconds_per_step", "fast"), ("speed", 1)],
)
def test_wrong_rates_are_refused(project, key, value):
    rates = {"operations_per_second": 1e9, "seconds_per_step": 1e-3, "products_per_checkpoint": 9}
    Path("config/cost.yaml").write_text(yaml.safe_dump(rates | {key: value}))
    with pytest.raises(ConfigError, match=r"config/cost\.yaml.*" + key):
        load.load(project)


def test_every_probe_has_an_estimate_and_timed_probes_their_own():
    rates = cost.Rates()
    for name, card in probes.PROBES.items():
        settings = {"probe": name, **defaults(card.settings)}
        assert (name in cost.TIMED) == card.timed
        assert (cost.probe_products(settings, rates) > 0) == (not card.timed)
    with pytest.raises(KeyError):
        cost.probe_products({"probe": "unknown"}, rates)


def test_gradient_noise_costs_one_gradient_of_all_samples():
    """Measured: 0.5 s for three checkpoints, where 12 products were estimated to take 10.5 s."""
    own = cost.probe_products({"probe": "gradient_noise", "samples": 512}, cost.Rates())
    assert own == pytest.approx(12 * 0.5 / 10.5, rel=0.2)


def test_probes_cost_what_their_settings_say():
    rates = cost.Rates(products_per_checkpoint=10)

    def products(**settings):
        return cost.probe_products(settings, rates)

    assert products(probe="hessian", eigenvalues=1) == 10
    assert products(probe="hessian", eigenvalues=5) > 10
    assert products(probe="trace", vectors=30) == 30
    assert products(probe="density", vectors=4, steps=60) == 240
    assert products(probe="alignment", batches=0) < products(probe="alignment", batches=8)
    assert products(probe="gauss_newton") > products(probe="preconditioned") == 10


MEMORY = f"""
{PEAK}
import json, sys
from hypertransfer.execution import train_cell
from hypertransfer.planning import keys
from hypertransfer.catalogue import complete
from hypertransfer.storage.run_store import Store
run = complete.run_spec(json.loads(sys.argv[1]))
work = [train_cell.CellRun(keys.run_key(run), {{}}, run)]
train_cell.train_cell("g", work, Store(sys.argv[2]), "cpu", 5)
print(peak())
"""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "model": "residual_mlp",
            "shape": {"width": 2000, "depth": 4},
            "checkpoints": list(range(6)),
        },
    ],
    ids=["conv", "many weights, kept often"],
)
def test_a_run_needs_the_memory_that_is_estimated(tmp_path, changes):
    spec = {
        "model": "conv",
        "data": "fashion_mnist_subset",
        "base": {"width": 32, "depth": 1},
        "shape": {"width": 128, "depth": 1},
        "parameterisation": "mup",
        "optimizer": "adam",
        "lr": 1e-3,
        "batch_size": 128,
        "steps": 12,
        "log_every": 6,
        "seed": 0,
        **changes,
    }
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, json.dumps(spec), str(tmp_path)],
        cwd=ROOT / "workflow",
        capture_output=True,
        text=True,
        check=True,
    )
    run = complete.run_spec(spec)
    needed, estimate = int(done.stdout), cost.train_bytes(run, len(run.checkpoints))
    assert estimate / 3 < needed < 1.3 * estimate


KEPT = {
    "model": "residual_mlp",
    "data": {"name": "digits", "train": 64, "test": 32},
    "base": {"width": 4, "depth": 1},
    "shape": {"width": 64, "depth": 3},
    "parameterisation": "mup",
    "optimizer": "sgd",
    "lr": 0.01,
    "batch_size": 16,
    "steps": 2,
    "log_every": 1,
    "seed": 0,
    "checkpoints": [0, 2],
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "adam"},
        {"optimizer": "signum"},
        {"model": "conv", "data": {"name": "fashion_mnist_subset", "train": 64, "test": 32}},
        {"model": {"name": "vit", "heads": 1}, "shape": {"width": 64, "depth": 4}},
    ],
    ids=["mlp", "with preconditioner", "with other moments", "conv", "with attention"],
)
def test_weights_take_the_bytes_that_are_estimated(changes):
    spec = complete.run_spec({**KEPT, **changes})
    kept = loop.train(spec, imports.table(spec)).checkpoints
    size = sum(tensor.nbytes for tensors in kept.values() for tensor in tensors.values())
    assert cost.weights_bytes(spec, [0, 2]) == pytest.approx(size, rel=0.05)


@SEEDED
@given(
    st.lists(st.floats(0, 1e5), max_size=40),
    st.floats(1e-3, 1e5),
)
def test_shards_partition_their_items_in_order(seconds, limit):
    items = list(range(len(seconds)))
    pieces = cost.shards(items, seconds, limit)
    assert [item for piece in pieces for item in piece] == items
    assert all(pieces)


@SEEDED
@given(st.integers(1, 60), st.floats(0.1, 100), st.floats(0.1, 1000))
def test_equal_items_are_cut_into_equal_shards(count, each, limit):
    pieces = cost.shards(list(range(count)), [each] * count, limit)
    sizes = [len(piece) for piece in pieces]
    assert max(sizes) - min(sizes) <= 1
    assert len(pieces) >= min(count, count * each / limit) * (1 - 1e-9)


@SEEDED
@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=40), st.floats(1, 1000))
def test_shards_are_about_as_long_as_wanted(seconds, limit):
    pieces = cost.shards(seconds, seconds, limit)
    wanted = min(len(seconds), math.ceil(sum(seconds) / limit))
    assert len(pieces) <= wanted
    for piece in pieces:
        assert sum(piece) <= (sum(seconds) / wanted + max(piece)) * (1 + 1e-9)
