"""What a learning rate beside the best one costs, by the sweep of a measured size."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypertransfer.analysis.additive import column_means
from hypertransfer.analysis.lazy import interpolate, special
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.loss_curve import parabola_at
from hypertransfer.analysis.optimum import best_index
from hypertransfer.recommendation.observations import Observation
from hypertransfer.recommendation.trend import Forecast

NODES = 101  # equally probable places of a forecast over which costs are averaged


@dataclass(frozen=True)
class ExpectedCost:
    """What the forecast's learning rate is expected to cost, against the best one.

    Attributes:
        percent: mean excess of the loss over the least one, in per cent of the least one, where
            training does not diverge; nan if losses are not all positive.
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
    diverged = np.isposinf(costs)
    rates = np.log2(measured.sweep.lrs) - measured.optimum.log2_lr
    beyond = (away < rates[0]) | (away > rates[-1])
    return ExpectedCost(
        percent=math.nan if diverged.all() else float(costs[~diverged].mean()),
        diverges=float(np.mean(diverged)),
        beyond=float(np.mean(beyond)),
    )


def excess(measured: Observation, octaves: float) -> float:
    """The excess of the mean loss at a distance from the optimum, in per cent of the least loss.

    The logarithm of the loss is, between the learning rates of the sweep, and the optimum, a cubic
    of log2 lr that rises and falls as they do (Fritsch and Butland 1984). The excess is +inf from
    the middle between the last rate that did not diverge and the first that did, and that of the
    last rate beyond it. It is nan if losses are not all positive.
    """
    return float(_excesses(measured, np.array([octaves]))[0])


def excess_text(percent: float, above: float = math.nan) -> str:
    """An excess loss in words, with as many digits as show that it is `above` a bound."""
    if math.isnan(percent):
        return "not defined"
    if percent >= 99.5:
        return "> 99 %"
    texts = (f"{percent:.{digits}g}" for digits in range(2, 18))  # 17 tell all floats apart
    return f"{next(text for text in texts if not float(text) <= above < percent)} %"


def _excesses(measured: Observation, octaves: np.ndarray) -> np.ndarray:
    places, logs = _curve(measured)
    known = ~np.isposinf(logs)
    nearest = np.abs(octaves[:, None] - places[None, :]).argmin(axis=1)
    if np.isnan(logs[known]).any():
        return np.where(known[nearest], math.nan, math.inf)
    inside = np.clip(octaves, places[known][0], places[known][-1])
    if known.sum() > 1:
        values = interpolate.PchipInterpolator(places[known], logs[known])(inside)
    else:
        values = np.full(inside.shape, logs[known][0])
    costs = 100 * np.expm1(np.maximum(values - logs[known].min(), 0.0))
    return np.where(known[nearest], costs, math.inf)


def _curve(measured: Observation) -> tuple[np.ndarray, np.ndarray]:
    """Octaves from the optimum, ascending, and mean logarithms of losses, the optimum among them.

    The logarithm at the optimum is that of the parabola through the best rate and its neighbours.
    Logarithms are +inf where runs diverged, and nan if losses are not all positive.
    """
    sweep, optimum = measured.sweep, measured.optimum
    places, losses = np.log2(sweep.lrs) - optimum.log2_lr, sweep.losses
    if not (losses[np.isfinite(losses)] > 0).all():
        return places, np.where(np.isposinf(sweep.means()), math.inf, math.nan)
    logs = column_means(np.log(losses))
    places, logs = places[~np.isnan(logs)], logs[~np.isnan(logs)]
    best = best_index(logs)
    near = slice(best - 1, best + 2)
    inner = 0 < best < len(logs) - 1 and np.isfinite(logs[near]).all()
    if inner and (np.abs(places) > 1e-9).all():
        at_optimum = min(parabola_at(places[near], logs[near], 0.0), float(logs[best]))
        places, logs = np.append(places, 0.0), np.append(logs, at_optimum)
    order = np.argsort(places)
    return places[order], logs[order]
