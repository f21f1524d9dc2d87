"""Learned spaces: fits against Khachiyan, draws against rejection, evaluations saved."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from tests.benchmarks.rows import row
from tests.support.spaces import replay

from hypertransfer.spaces.regions import Ellipsoid, fit
from hypertransfer.spaces.replay import run as run_replay
from hypertransfer.spaces.tasks import sources
from hypertransfer.studies.replays import Suite

POINTS = ((9, 4), (29, 4), (8, 5), (29, 10))
ROUNDS = 7
DRAWN = 10_000
REPEATS, BUDGET = 10, 30
REGIONS = {
    "box": {"shape": "box", "floor": 0.06},
    "ellipsoid": {"shape": "ellipsoid", "floor": 0.06},
}
METHODS = {
    "random": {"searcher": "random"},
    "box, random": {"searcher": "random", "region": "box"},
    "ellipsoid, random": {"searcher": "random", "region": "ellipsoid"},
    "GP-BO": {"searcher": "bayesian"},
    "GP-BO begun with winners": {"searcher": "bayesian", "warm": True},
    "box, GP-BO": {"searcher": "bayesian", "region": "box"},
    "ellipsoid, GP-BO": {"searcher": "bayesian", "region": "ellipsoid"},
}  # fmt: skip


def run() -> list[dict]:
    """Milliseconds, in turns with the rival; evaluations until random search's regret at 30."""
    return [*_fits(), _draws(), *_evaluations()]


def _fits() -> list[dict]:
    rows = []
    for n, d in POINTS:
        points = np.random.default_rng(n * d).random((n, d))
        found = fit("ellipsoid", points, floor=1e-3)
        volume = khachiyan(points)
        assert abs(found.whole_volume / volume - 1) < 0.01, "both are the least ellipsoid"
        ours, rival = _in_turns(
            lambda points=points: fit("ellipsoid", points, floor=1e-3),
            lambda points=points: khachiyan(points),
        )
        text = f"ellipsoid of {n} points in {d} dimensions, against Khachiyan"
        rows.append(row(text, ours, rival, 1.0, "ms", "spaces"))
    return rows


def khachiyan(points: np.ndarray, tolerance: float = 1e-3) -> float:
    """The volume of the least ellipsoid by the textbook's algorithm, without away steps."""
    n, d = points.shape
    lifted = np.column_stack([points, np.ones(n)]).T
    weights = np.full(n, 1 / n)
    while True:
        inverse = np.linalg.inv(lifted * weights @ lifted.T)
        away = np.einsum("in,ij,jn->n", lifted, inverse, lifted)
        worst = int(away.argmax())
        if away[worst] <= (1 + tolerance) * (d + 1):
            break
        step = (away[worst] - d - 1) / ((d + 1) * (away[worst] - 1))
        weights *= 1 - step
        weights[worst] += step
    centre = weights @ points
    spread = d * ((points - centre).T * weights @ (points - centre))
    from scipy.special import gamma

    return float(np.pi ** (d / 2) / gamma(d / 2 + 1) * np.sqrt(np.linalg.det(spread)))


def _draws() -> dict:
    points = 0.3 + 0.4 * np.random.default_rng(0).random((29, 4))
    found = fit("ellipsoid", points)
    generator = np.random.default_rng(0)
    ours, rival = _in_turns(
        lambda: found.draw(DRAWN, generator), lambda: rejected(found, generator)
    )
    text = f"{DRAWN} points of an ellipsoid in 4 dimensions, against rejection"
    return row(text, ours, rival, 1.0, "ms", "spaces")


def rejected(found: Ellipsoid, generator: np.random.Generator) -> np.ndarray:
    """Points of the enclosing box, those outside thrown away."""
    reach = np.sqrt(np.diag(np.linalg.inv(found.a @ found.a)))
    kept, count = [], 0
    while count < DRAWN:
        points = generator.uniform(found.centre - reach, found.centre + reach, (DRAWN, len(reach)))
        kept.append(points[found.gauge(points) <= 1])
        count += len(kept[-1])
    return np.concatenate(kept)[:DRAWN]


def _evaluations() -> list[dict]:
    domain, tasks = sources.load(Suite("hpobench").complete(), [])
    bench = replay(
        "bench", domain, tasks, repeats=REPEATS, budget=BUDGET, prior=50, regions=REGIONS,
        methods=METHODS,
    )  # fmt: skip
    table = run_replay(bench, 0, 1)[0].to_pandas()
    means = {name: np.stack(part["regrets"]).mean(axis=0) for name, part in table.groupby("method")}
    goal = means["random"][-1]
    rows = []
    for name in list(METHODS)[1:]:
        there = means[name] <= goal
        first = float(there.argmax() + 1) if there.any() else float("inf")
        text = (
            f"HPOBench, {name}, {REPEATS} repeats: evaluations to reach the regret of random "
            f"search after {BUDGET}"
        )
        rows.append(row(text, first, BUDGET, 0.5, "evaluations", "spaces"))
    return rows


def _in_turns(ours: Callable, rival: Callable) -> tuple[float, float]:
    times: dict[str, list[float]] = {"ours": [], "rival": []}
    for _ in range(ROUNDS):
        for name, work in (("ours", ours), ("rival", rival)):
            started = time.perf_counter()
            work()
            times[name].append(1e3 * (time.perf_counter() - started))
    return median(times["ours"]), median(times["rival"])
