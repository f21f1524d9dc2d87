"""Checks of a run's components: what is sound is accepted, and no value of an option stops them."""

from __future__ import annotations

from typing import Any

import pytest

from hypertransfer.catalogue import checks, complete
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS

RUN = {
    "model": "residual_mlp",
    "shape": {"width": 8, "depth": 2},
    "base": {"width": 8, "depth": 2},
    "parameterisation": "mup",
    "optimizer": "sgd",
    "lr": 0.1,
    "data": "digits",
    "batch_size": 16,
    "steps": 4,
    "seed": 0,
    "log_every": 1,
}
NO_OPTION_VALUES = (0, -1, "x", None, [], {}, 0.5)


def problems(**parts: Any) -> list[str]:
    """The problems of the small run with other parts."""
    return list(map(str, checks.objections(complete.run_spec({**RUN, **parts}))))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_is_accepted_with_its_defaults(optimizer):
    assert problems(optimizer=optimizer) == []


def test_radii_of_one_joint_norm_are_refused():
    refused = problems(optimizer={"name": "normalized_sgd", "radii": {"hidden": 2.0}})
    assert refused == [
        "optimizer.radii: {'hidden': 2.0} is not left out: "
        "normalized_sgd has one norm of all weights together"
    ]


def test_checkpoints_beyond_the_last_step_are_refused():
    assert problems(checkpoints=[0, 4]) == []
    assert problems(checkpoints=[0, 9, 5]) == [
        "checkpoints: [5, 9] is not within the run's 4 steps"
    ]


def test_a_batch_is_not_larger_than_the_training_samples():
    data = {"name": "digits", "train": 15}
    assert problems(data=data, batch_size=15) == []
    assert problems(data=data, batch_size=16) == [
        "batch_size: 16 is not at most 15, the number of training samples of digits"
    ]
    assert problems(batch_size=1440) == []
    assert len(problems(batch_size=1441)) == 1


def test_a_warm_up_ends_within_the_run():
    """With as many updates as the run, the last update has the peak learning rate."""
    assert problems(schedule={"warmup": 4}) == problems(schedule={"warmup": 0.9}) == []
    assert problems(schedule={"name": "cosine", "warmup": 10}) == [
        "schedule.warmup: 10 is not at most the run's 4 steps: the peak learning rate is never "
        "reached"
    ]


@pytest.mark.parametrize(
    ("model", "option"),
    [(name, option) for name, card in MODELS.items() for option in card.options],
)
def test_options_of_networks_of_any_type_and_size_are_problems_at_most(model, option):
    for value in NO_OPTION_VALUES:
        for data in ("digits", {"name": "state_of_the_union", "context": value}):
            problems(model={"name": model, option: value}, data=data)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "source",
    [
        "class Net: ...",
        "def Net(): ...",
        "Net = print",
        "try:\n    import Net\nexcept ImportError:\n    pass",
        "from somewhere import Other as Net",
        "from somewhere import *",
        "def __getattr__(name): ...",
        "globals().update(Net=1)",
    ],
)
def test_a_name_that_a_module_may_have_is_left_to_the_import(project, source):
    (project / "own_net.py").write_text(source, encoding="utf-8")
    assert problems(model="own_net:Net") == []


def test_a_name_that_a_module_never_binds_is_a_problem(project):
    (project / "own_net.py").write_text("class Net: ...", encoding="utf-8")
    expected = "model: 'own_net:Nett' is not found: own_net.py defines no 'Nett'"
    assert problems(model="own_net:Nett") == [expected]


def test_a_module_that_was_mended_is_read_again(project):
    source = project / "own_net.py"
    source.write_text("class Other: ...", encoding="utf-8")
    assert problems(model="own_net:Net")
    source.write_text("class Net: ...", encoding="utf-8")
    assert problems(model="own_net:Net") == []


def test_a_source_that_is_no_python_is_named_with_its_line(project):
    (project / "own_net.py").write_text("class Net:\n    def f(:", encoding="utf-8")
    (problem,) = problems(model="own_net:Net")
    assert problem.startswith("model: 'own_net:Net' is not readable: own_net.py, line 2: ")
