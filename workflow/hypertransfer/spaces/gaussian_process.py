"""Bayesian optimisation with a Gaussian process: kernel, fit, expected improvement.

Searches of a study (`execution.proposals`) and replays (`spaces.searchers`) use this module.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sklearn.gaussian_process.kernels import Kernel


def matern_kernel(
    length_scale: float | np.ndarray, length_bounds: tuple[float, float], noise: float
) -> Kernel:
    """The kernel σ² · Matérn 5/2 + noise, with the values from which the fit starts.

    Losses have to be standardised: the fit keeps σ² between 0.01 and 100, and the variance of the
    noise between 1e-6 and 1.

    Args:
        length_scale: one length scale for all dimensions, or an array (d,) with one for each.
        length_bounds: the least and the largest length scale.
        noise: variance of the noise.
    """
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    signal = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(length_scale, length_bounds, nu=2.5)
    return signal + WhiteKernel(noise, (1e-6, 1.0))


def gaussian_process(
    kernel: Kernel, points: np.ndarray, values: np.ndarray, iterations: int | None = None
) -> Any:
    """A scikit-learn GaussianProcessRegressor, fitted to values (n,) at points (n, d).

    `iterations` is the largest number of iterations of L-BFGS-B; None lets it converge.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor

    optimizer = "fmin_l_bfgs_b" if iterations is None else partial(_minimum, iterations)
    process = GaussianProcessRegressor(kernel, optimizer=optimizer, random_state=0)
    with warnings.catch_warnings():  # parameters end at their bounds, e.g. if all losses are equal
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(points, values)


def _minimum(
    iterations: int, loss: Callable[[np.ndarray], Any], start: np.ndarray, bounds: np.ndarray
) -> tuple[np.ndarray, float]:
    """Where L-BFGS-B is after so many iterations, and the loss there, as scikit-learn wants it."""
    from scipy.optimize import minimize

    options = {"maxiter": iterations}
    found = minimize(loss, start, method="L-BFGS-B", jac=True, bounds=bounds, options=options)
    return found.x, found.fun


def most_promising(process: Any, candidates: np.ndarray, best: float) -> tuple[int, float]:
    """The candidate of largest expected improvement below the loss `best`.

    Args:
        process: a fitted Gaussian process.
        candidates: points (n, d).
        best: the least loss so far.

    Returns:
        The index of the candidate, and the mean that the process predicts there.
    """
    mean, deviation = process.predict(candidates, return_std=True)
    index = int(expected_improvement(mean, deviation, best).argmax())
    return index, float(mean[index])


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float) -> np.ndarray:
    """E[max(best − f, 0)], shape (n,), for normally distributed f (Jones et al. 1998).

    `mean` and `deviation`, each of shape (n,), are the mean and the standard deviation of f.
    """
    from scipy.stats import norm

    deviation = np.maximum(deviation, 1e-12)
    z = (best - mean) / deviation
    return (best - mean) * norm.cdf(z) + deviation * norm.pdf(z)


def standardised(losses: np.ndarray) -> np.ndarray:
    """Losses (n,), made finite by `finite`, and scaled to mean 0 and standard deviation 1."""
    values = finite(losses)
    return (values - values.mean()) / max(float(values.std()), 1e-12)


def finite(losses: np.ndarray) -> np.ndarray:
    """Losses (n,) in which a loss that is not finite is replaced by a large finite one.

    The replacement is the largest finite loss plus the range of the finite losses, at least 1e-3.
    """
    good = losses[np.isfinite(losses)]
    return np.where(np.isfinite(losses), losses, good.max() + max(float(np.ptp(good)), 1e-3))
