"""The live suites: every task can be evaluated, and losses are what they are said to be."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.model_selection import KFold, StratifiedKFold

from hypertransfer.spaces.tasks import suites
from hypertransfer.spaces.tasks.data_sets import OPENML
from hypertransfer.spaces.tasks.suites import SUITES, WORST, evaluations

CHEAP = {
    "sgd_ridge": {"alpha": 1e-3, "eta0": 0.01, "power_t": 0.25, "epochs": 3},
    "rbf_svm": {"C": 1.0, "gamma": 0.02},
    "boosting": {"learning_rate": 0.3, "iterations": 5, "leaves": 4, "min_leaf": 5, "l2": 1e-3},
}
TASKS = [(suite, task) for suite, known in SUITES.items() for task in known.tasks]


def evaluate(suite, task, configuration):
    """The loss of one configuration on a task."""
    return evaluations(suite, task, [configuration])[0]


@pytest.mark.parametrize(("suite", "task"), TASKS)
def test_every_task_can_be_evaluated(suite, task):
    found = evaluations(suite, task, [CHEAP[suite]])[0]
    assert 0 <= found < 1.5
    assert set(CHEAP[suite]) == set(SUITES[suite].dimensions)


def test_a_loss_is_a_function_of_its_arguments():
    for suite, given in CHEAP.items():
        task = next(iter(SUITES[suite].tasks))
        assert evaluate(suite, task, given) == evaluate(suite, task, given)


def test_predicting_the_mean_has_the_loss_one():
    nothing = {"alpha": 1e-7, "eta0": 1e-5, "power_t": 1, "epochs": 1}
    assert evaluate("sgd_ridge", "diabetes-bmi", nothing) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("task", ["diabetes-bmi", "wine-alcohol", "cancer-texture"])
def test_a_good_setting_comes_close_to_least_squares(task):
    x, y = suites.data_of("sgd_ridge", task)
    errors = []
    for train, test in KFold(3, shuffle=True, random_state=0).split(x):
        mean, spread = x[train].mean(axis=0), x[train].std(axis=0)
        a = np.column_stack([np.ones(len(train)), (x[train] - mean) / spread])
        b = np.column_stack([np.ones(len(test)), (x[test] - mean) / spread])
        weights = np.linalg.lstsq(a.T @ a + 1e-6 * np.eye(a.shape[1]), a.T @ y[train])[0]
        errors.append(np.mean((b @ weights - y[test]) ** 2) / np.var(y[test]))
    good = {"alpha": 1e-4, "eta0": 0.01, "power_t": 0.25, "epochs": 50}
    assert evaluate("sgd_ridge", task, good) == pytest.approx(np.mean(errors), rel=0.15)


def test_an_svm_that_cannot_bend_votes_for_the_majority():
    x, y = suites.data_of("rbf_svm", "cancer")
    wrong = [
        np.mean(y[test] != np.bincount(y[train]).argmax())
        for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(x, y)
    ]
    stiff = {"C": 1e-3, "gamma": 1e-6}
    assert evaluate("rbf_svm", "cancer", stiff) == pytest.approx(np.mean(wrong))


def test_what_overflows_is_the_worst_and_warns_of_nothing():
    wild = {"alpha": 10, "eta0": 1, "power_t": 0, "epochs": 50}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluate("sgd_ridge", "digits-pixel-36", wild) == WORST


def test_groups_are_the_data_sets():
    own = {"diabetes", "wine", "iris", "cancer", "digits"}
    assert all(set(known.tasks.values()) == own | {*OPENML, "fashion"} for known in SUITES.values())


def test_errors_name_what_is_known():
    with pytest.raises(ValueError, match="no suite 'svm'; known: sgd_ridge, rbf_svm"):
        evaluate("svm", "iris", {})
    with pytest.raises(ValueError, match="no task 'mnist' of rbf_svm; known: iris"):
        evaluate("rbf_svm", "mnist", CHEAP["rbf_svm"])
    with pytest.raises(ValueError, match="rbf_svm has the hyperparameters C, gamma, not C"):
        evaluate("rbf_svm", "iris", {"C": 1.0})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"epochs": 20.0}, "epochs 20.0 is not an integer from 1 to 50"),
        ({"alpha": -1.0}, "alpha -1.0 is not a number from 1e-07 to 10"),
        ({"eta0": float("nan")}, "eta0 nan is not a number from 1e-05 to 1"),
        ({"power_t": "fast"}, "power_t 'fast' is not a number from 0 to 1"),
    ],
)
def test_a_wrong_value_is_no_overflow(wrong, words):
    with pytest.raises(ValueError, match=words):
        evaluate("sgd_ridge", "iris-petal-width", {**CHEAP["sgd_ridge"], **wrong})


@pytest.mark.parametrize("suite", SUITES)
def test_the_ends_of_every_range_can_be_evaluated(suite):
    task = next(iter(SUITES[suite].tasks))
    for end in ("low", "high"):
        given = {name: known[end] for name, known in SUITES[suite].dimensions.items()}
        assert 0 <= evaluate(suite, task, given) <= WORST
