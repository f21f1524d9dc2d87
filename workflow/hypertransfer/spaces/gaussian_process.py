"""Gaussian-process regression and expected improvement."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sklearn.gaussian_process.kernels import Kernel


def gaussian_process(kernel: Kernel, points: np.ndarray, values: np.ndarray) -> Any:
    """A GaussianProcessRegressor whose kernel is fitted to values (n,) at points (n, d)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor

    process = GaussianProcessRegressor(kernel, random_state=0, n_restarts_optimizer=0)
    with warnings.catch_warnings():  # a kernel at its bounds, as with losses that are all alike
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(points, values)


def standardised(losses: np.ndarray) -> np.ndarray:
    """Losses (n,) with mean 0 and deviation 1, those of diverged runs made finite first."""
    values = finite(losses)
    return (values - values.mean()) / max(float(values.std()), 1e-12)


def finite(losses: np.ndarray) -> np.ndarray:
    """Losses with those of diverged runs replaced by one spread above the worst finite one."""
    good = losses[np.isfinite(losses)]
    return np.where(np.isfinite(losses), losses, good.max() + max(float(np.ptp(good)), 1e-3))


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float) -> np.ndarray:
    """E[max(best − f, 0)] of normal f (Jones et al. 1998)."""
    from scipy.stats import norm

    deviation = np.maximum(deviation, 1e-12)
    z = (best - mean) / deviation
    return (best - mean) * norm.cdf(z) + deviation * norm.pdf(z)
