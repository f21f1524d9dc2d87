"""Bayesian optimisation with a Gaussian process: kernel, fit, expected improvement.

Searches of a study (`execution.proposals`) and replays on tables (`spaces.searchers`) share it.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sklearn.gaussian_process.kernels import Kernel


def matern_kernel(
    length_scale: float | np.ndarray, length_bounds: tuple[float, float], noise: float
) -> Kernel:
    """σ² · Matérn 5/2 + noise, with the values from which the fit starts.

    One length scale serves all dimensions; an array (d,) has a length scale for each. The fit keeps
    σ² within 0.01 and 100 and the noise's variance within 1e-6 and 1, for standardised losses.
    """
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    signal = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(length_scale, length_bounds, nu=2.5)
    return signal + WhiteKernel(noise, (1e-6, 1.0))


def gaussian_process(kernel: Kernel, points: np.ndarray, values: np.ndarray) -> Any:
    """A GaussianProcessRegressor whose kernel is fitted to values (n,) at points (n, d)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor

    process = GaussianProcessRegressor(kernel, random_state=0, n_restarts_optimizer=0)
    with warnings.catch_warnings():  # parameters end at their bounds, e.g. if all losses are equal
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(points, values)


def most_promising(process: Any, candidates: np.ndarray, best: float) -> tuple[int, float]:
    """The candidate (of (n, d)) of largest expected improvement below `best`.

    Returns:
        The candidate's index and the mean that the process predicts there.
    """
    mean, deviation = process.predict(candidates, return_std=True)
    index = int(expected_improvement(mean, deviation, best).argmax())
    return index, float(mean[index])


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float) -> np.ndarray:
    """E[max(best − f, 0)] (n,) for normal f of given means and deviations (Jones et al. 1998)."""
    from scipy.stats import norm

    deviation = np.maximum(deviation, 1e-12)
    z = (best - mean) / deviation
    return (best - mean) * norm.cdf(z) + deviation * norm.pdf(z)


def standardised(losses: np.ndarray) -> np.ndarray:
    """Losses (n,) with mean 0 and deviation 1, after `finite`."""
    values = finite(losses)
    return (values - values.mean()) / max(float(values.std()), 1e-12)


def finite(losses: np.ndarray) -> np.ndarray:
    """Losses (n,), those of diverged runs replaced by the worst finite loss plus the range.

    The range is that of the finite losses, at least 1e-3.
    """
    good = losses[np.isfinite(losses)]
    return np.where(np.isfinite(losses), losses, good.max() + max(float(np.ptp(good)), 1e-3))
