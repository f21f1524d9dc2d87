"""Versions of packages: those that are installed, else those of the jobs' environment."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from hypertransfer.catalogue import complete, versions
from hypertransfer.planning import keys

SPEC = {
    "model": "residual_mlp",
    "data": "digits",
    "base": {"width": 4, "depth": 1},
    "shape": {"width": 8, "depth": 1},
    "parameterisation": "mup",
    "optimizer": "lion",
    "lr": 0.01,
    "batch_size": 16,
    "steps": 6,
    "log_every": 2,
    "seed": 0,
}


@pytest.fixture
def bare(monkeypatch):
    """No package is installed."""
    monkeypatch.setattr(versions, "installed_version", lambda package: versions.ABSENT)


def test_an_installed_package_has_its_own_version():
    assert versions.planned_versions(["numpy"]) == {"numpy": version("numpy")}
    assert versions.installed_version("nobody-has-it") == versions.ABSENT


def test_a_missing_package_has_the_version_of_the_jobs_environment(bare):
    wanted = ["pytorch_optimizer", "PyTorch-Optimizer", "nobody-has-it"]
    found = versions.planned_versions(wanted)
    pins = versions.PINS.read_text().splitlines()
    (pin,) = [line for line in pins if line.startswith("pytorch_optimizer==")]
    assert [found[name] for name in wanted[:2]] == [pin.partition("==")[2]] * 2
    assert found["nobody-has-it"] == versions.ABSENT


def test_a_plan_without_the_package_has_the_keys_of_the_jobs(monkeypatch, bare):
    planned = keys.run_key(complete.run_spec(SPEC))
    pin = versions._pinned()["pytorch-optimizer"]
    monkeypatch.setattr(versions, "installed_version", lambda package: pin)
    assert keys.run_key(complete.run_spec(SPEC)) == planned
