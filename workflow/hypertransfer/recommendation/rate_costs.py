"""What a learning rate beside the best one costs, by the sweep of a measured size."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypertransfer.analysis.lazy import interpolate, special
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.recommendation.observations import Observation
from hypertransfer.recommendation.trend import Forecast

NODES = 101  # equally probable places of a forecast over which costs are averaged


@dataclass(frozen=True)
class ExpectedCost:
    """What a learning rate is expected to cost, against the best one.

    Attributes:
        percent: mean excess of the loss over the least one, in per cent of the least one, where
            training does not diverge.
        diverges: the probability that training diverges.
        beyond: the probability that the best rate is so far away that the measured size was not
            trained at this distance; the excess at the last measured rate counts there.
    """

    percent: float
    diverges: float
    beyond: float


def expected_cost(measured: Observation, forecast: Forecast) -> ExpectedCost:
    """The expected cost of a forecast's rate at a target, for which a measured size stands.

    The best rate of the target is as the forecast says; its curve of losses over log2 lr is taken
    to be that of the measured size, moved.
    """
    away = forecast.deviation * special.ndtri((np.arange(NODES) + 0.5) / NODES)
    costs = _excesses(measured, away)
    finite = np.isfinite(costs)
    rates = np.log2(measured.sweep.lrs) - measured.optimum.log2_lr
    beyond = (away < rates[0]) | (away > rates[-1])
    return ExpectedCost(
        percent=float(costs[finite].mean()) if finite.any() else math.inf,
        diverges=float(np.mean(~finite)),
        beyond=float(np.mean(beyond)),
    )


def excess(measured: Observation, octaves: float) -> float:
    """The excess of the mean loss at a distance from the optimum, in per cent of the least loss.

    Between the learning rates of the sweep, and the optimum, a cubic of log2 lr that rises and
    falls as they do (Fritsch and Butland 1984); +inf from the middle between the last rate that did
    not diverge and the first that did; beyond the last rate, its excess.
    """
    return float(_excesses(measured, np.array([octaves]))[0])


def _excesses(measured: Observation, octaves: np.ndarray) -> np.ndarray:
    places, losses = _curve(measured)
    known = np.isfinite(losses)
    inside = np.clip(octaves, places[known][0], places[known][-1])
    if known.sum() > 1:
        values = interpolate.PchipInterpolator(places[known], losses[known])(inside)
    else:
        values = np.full(inside.shape, losses[known][0])
    least = float(losses[known].min())
    costs = np.maximum(100 * (values - least) / abs(least), 0.0)
    nearest = np.abs(octaves[:, None] - places[None, :]).argmin(axis=1)
    return np.where(known[nearest], costs, math.inf)


def _curve(measured: Observation) -> tuple[np.ndarray, np.ndarray]:
    """Octaves from the optimum, ascending, and mean losses; the optimum itself is among them."""
    sweep, optimum = measured.sweep, measured.optimum
    places, losses = np.log2(sweep.lrs) - optimum.log2_lr, sweep.means()
    known = ~np.isnan(losses)
    places, losses = places[known], losses[known]
    near = np.abs(places) < 1e-9
    if not near.any() and math.isfinite(optimum.loss):
        places, losses = np.append(places, 0.0), np.append(losses, optimum.loss)
    order = np.argsort(places)
    return places[order], losses[order]
