"""Live suites: tuning tasks on scikit-learn's bundled data, evaluated offline in jobs.

Perrone et al. (2019, 1909.12552) have three families of tasks: ridge regression by SGD, an SVM, and
XGBoost, in place of which there is gradient boosting here. The tasks are ours, because no package
holds the tasks of the paper. Tasks from one data set are related and form a group.

A loss is a function of task and hyperparameters alone: folds and estimators have fixed seeds.
Planning imports this module for its declarations, so functions that need scikit-learn import it
themselves.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from hypertransfer.spaces.tasks.data_sets import classification, regression

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

FOLDS = 3
SEED = 0
WORST = 2.0  # upper bound of normalised squared errors; a prediction of the mean has error 1


@dataclass(frozen=True)
class LiveSuite:
    """A family of tasks with one search space."""

    dimensions: Mapping[str, Mapping[str, Any]]
    tasks: Mapping[str, str]  # the data set of each task
    metric: str  # description of the loss


REGRESSION = {
    "diabetes-progression": "diabetes", "diabetes-bmi": "diabetes", "diabetes-bp": "diabetes",
    "diabetes-s5": "diabetes", "wine-alcohol": "wine", "wine-colour": "wine",
    "wine-proline": "wine", "iris-petal-width": "iris", "iris-sepal-width": "iris",
    "cancer-texture": "cancer", "cancer-smoothness": "cancer",
    "cancer-fractal-dimension-error": "cancer", "digits-label": "digits",
    "digits-pixel-36": "digits", "fashion-pixel-24": "fashion", "chess-won": "chess",
    "computers-performance": "computers", "glass-refraction": "glass", "glass-aluminium": "glass",
    "penguins-mass": "penguins", "penguins-culmen": "penguins", "titanic-age": "titanic",
    "titanic-fare": "titanic",
}  # fmt: skip
CLASSIFICATION = {
    "iris": "iris", "iris-virginica": "iris", "iris-versicolor": "iris", "wine": "wine",
    "wine-no-proline": "wine", "cancer": "cancer", "cancer-means": "cancer",
    "cancer-errors": "cancer", "digits-parity": "digits", "digits-from-five": "digits",
    "digits-eight": "digits", "digits-3-or-8": "digits", "digits-1-or-7": "digits",
    "diabetes-median": "diabetes", "fashion-shirt": "fashion", "chess": "chess",
    "computers-median": "computers", "glass": "glass", "penguins-sex": "penguins",
    "titanic": "titanic",
}  # fmt: skip
SUITES: Mapping[str, LiveSuite] = {
    "sgd_ridge": LiveSuite(
        {
            "alpha": {"low": 1e-7, "high": 10, "log": True},
            "eta0": {"low": 1e-5, "high": 1, "log": True},
            "power_t": {"low": 0, "high": 1},
            "epochs": {"low": 1, "high": 50, "log": True, "integer": True},
        },
        REGRESSION,
        "mean squared error over the variance, of three folds",
    ),
    "rbf_svm": LiveSuite(
        {
            "C": {"low": 1e-3, "high": 1e4, "log": True},
            "gamma": {"low": 1e-6, "high": 10, "log": True},
        },
        CLASSIFICATION,
        "error rate, of three folds",
    ),
    "boosting": LiveSuite(
        {  # ranges are ours
            "learning_rate": {"low": 1e-3, "high": 1, "log": True},
            "iterations": {"low": 5, "high": 100, "log": True, "integer": True},
            "leaves": {"low": 2, "high": 64, "log": True, "integer": True},
            "min_leaf": {"low": 1, "high": 64, "log": True, "integer": True},
            "l2": {"low": 1e-6, "high": 100, "log": True},
        },
        CLASSIFICATION,
        "error rate, of three folds",
    ),
}


def evaluations(
    suite: str, task: str, configurations: Sequence[Mapping[str, float]]
) -> list[float]:
    """The losses of configurations on a task; the `metric` of the suite describes the loss.

    Raises:
        ValueError: the suite, the task or a hyperparameter is unknown, or a value is out of range.
    """
    _check(suite, task, configurations)
    x, y = data_of(suite, task)
    loss = _squared_error if suite == "sgd_ridge" else _error_rate
    losses = []
    for done, configuration in enumerate(configurations):
        if done and done % max(1, len(configurations) // 10) == 0:
            log.info("%s: %d of %d configurations", task, done, len(configurations))
        losses.append(loss(partial(ESTIMATORS[suite], **configuration), x, y))
    return losses


def _check(suite: str, task: str, configurations: Sequence[Mapping[str, float]]) -> None:
    """Check the arguments of `evaluations`.

    Raises:
        ValueError: see `evaluations`.
    """
    if suite not in SUITES:
        raise ValueError(f"no suite {suite!r}; known: {', '.join(SUITES)}")
    if task not in SUITES[suite].tasks:
        raise ValueError(f"no task {task!r} of {suite}; known: {', '.join(SUITES[suite].tasks)}")
    for configuration in configurations:
        if set(configuration) != set(SUITES[suite].dimensions):
            known = ", ".join(SUITES[suite].dimensions)
            raise ValueError(
                f"{suite} has the hyperparameters {known}, not {', '.join(configuration)}"
            )
        for name, declared in SUITES[suite].dimensions.items():
            _check_value(name, configuration[name], declared)


def _check_value(name: str, value: float, declared: Mapping[str, Any]) -> None:
    """Check a value against its declaration.

    scikit-learn would raise a ValueError as well, but `_squared_error` treats that as an overflow.

    Raises:
        ValueError: the value has the wrong type or is out of range.
    """
    kind = Integral if declared.get("integer") else Real
    low, high = declared["low"], declared["high"]
    slack = 1e-9 * abs(high)  # for rounding by logarithms
    if not isinstance(value, kind) or not low * (1 - 1e-9) <= value <= high + slack:
        noun = "an integer" if kind is Integral else "a number"
        raise ValueError(f"{name} {value!r} is not {noun} from {low} to {high}")


def data_of(suite: str, task: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, p) and targets (n,) of a task of a live suite."""
    select = regression if suite == "sgd_ridge" else classification
    return select(SUITES[suite].tasks[task], task)


def _ridge(alpha: float, eta0: float, power_t: float, epochs: int) -> Any:
    from sklearn.linear_model import SGDRegressor

    return SGDRegressor(
        alpha=alpha,
        eta0=eta0,
        power_t=power_t,
        max_iter=epochs,
        tol=None,
        learning_rate="invscaling",
        random_state=SEED,
    )


def _svm(C: float, gamma: float) -> Any:
    from sklearn.svm import SVC

    return SVC(C=C, gamma=gamma, random_state=SEED)


def _boosting(learning_rate: float, iterations: int, leaves: int, min_leaf: int, l2: float) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        learning_rate=learning_rate,
        max_iter=iterations,
        max_leaf_nodes=leaves,
        min_samples_leaf=min_leaf,
        l2_regularization=l2,
        early_stopping=False,
        random_state=SEED,
    )


ESTIMATORS: Mapping[str, Callable[..., Any]] = {
    "sgd_ridge": _ridge,
    "rbf_svm": _svm,
    "boosting": _boosting,
}


def _squared_error(estimator: Callable[[], Any], x: np.ndarray, y: np.ndarray) -> float:
    """The mean over folds of MSE / variance of the test targets, at most WORST.

    A fit that overflows has the error WORST. Features and targets are standardised on the training
    part of the fold. Standardising targets is ours; it makes learning rates independent of units.
    """
    import numpy as np
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import StandardScaler

    errors = []
    for train, test in KFold(FOLDS, shuffle=True, random_state=SEED).split(x):
        features, target = StandardScaler().fit(x[train]), StandardScaler().fit(y[train, None])
        expected = target.transform(y[test, None]).ravel()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                model = estimator().fit(
                    features.transform(x[train]), target.transform(y[train, None]).ravel()
                )
                residuals = model.predict(features.transform(x[test])) - expected
                error = float(np.mean(residuals**2) / np.var(expected))
            except ValueError:  # raised by scikit-learn for weights that are inf or NaN
                error = math.inf
        errors.append(min(error, WORST) if math.isfinite(error) else WORST)
    return float(np.mean(errors))


def _error_rate(estimator: Callable[[], Any], x: np.ndarray, y: np.ndarray) -> float:
    """The mean over stratified folds of the share of misclassified test points."""
    import numpy as np
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(x, y)
    errors = []
    for train, test in folds:
        features = StandardScaler().fit(x[train])
        model = estimator().fit(features.transform(x[train]), y[train])
        errors.append(np.mean(model.predict(features.transform(x[test])) != y[test]))
    return float(np.mean(errors))
