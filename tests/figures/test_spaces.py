"""Figures of learned spaces, drawn from real replays of small tasks."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib import image
from matplotlib.patches import Polygon, Rectangle
from tests.support.figures import described
from tests.support.spaces import replay

from hypertransfer.figures import draw as figures_draw
from hypertransfer.figures import spaces
from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.regions import fit
from hypertransfer.spaces.replay import run
from hypertransfer.spaces.tasks.task import Task

DOMAIN = Domain.parse({
    "lr": {"low": 1e-4, "high": 1, "log": True}, "decay": {"low": 0.001, "high": 1, "log": True},
    "warmup": {"low": 0, "high": 0.5},
})  # fmt: skip
POINTS = np.random.default_rng(0).random((60, 3))
BEST = {"a": (0.5, 0.4, 0.3), "b": (0.6, 0.5, 0.5), "c": (0.45, 0.6, 0.6), "d": (0.55, 0.3, 0.4)}
VALUES = {
    "repeats": 3,
    "budget": 8,
    "regions": {"box": {"shape": "box"}, "ellipsoid": {"shape": "ellipsoid"}},
    "methods": {"random": {"searcher": "random"}, "box": {"searcher": "random", "region": "box"}},
}
FIGURES = {
    "regrets": {"replays": ["one", "two"], "titles": {"random": "whole space"}},
    "regions": {"replays": ["one", "two"], "x": "lr", "y": "warmup",
                "regions": ["box", "ellipsoid"]},
    "inflation": {"replays": ["one", "two"], "region": "box"},
    "winners": {"suites": ["s", "t"], "dimension": "lr", "size": "shape.width"},
}  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    tasks = [
        Task(name, name, POINTS, ((POINTS - best) ** 2).sum(axis=1)) for name, best in BEST.items()
    ]
    made = [run(replay(name, DOMAIN, tasks, **VALUES), 0, 1) for name in ("one", "two")]
    regrets, regions = (pd.concat([one[i].to_pandas() for one in made]) for i in (0, 1))
    winners = pd.DataFrame(
        {"suite": suite, "task": f"{group}{width}", "group": group, "dimension": "lr",
         "shape.width": width, "winner": -np.log2(width) * (suite == "s") - 3 + shift}
        for suite in ("s", "t") for group, shift in (("g", 0.0), ("h", 0.5))
        for width in (8, 16, 64)
    )  # fmt: skip
    runs = pd.DataFrame({"grid": ["x"], "key": ["k"]})
    return {"runs": runs, "replays": regrets, "regions": regions, "winners": winners}


def draw(kind, tables, **options):
    return figures_draw.draw(described(kind, {**FIGURES[kind], **options}), tables)


@pytest.mark.parametrize("kind", FIGURES)
def test_every_kind_fills_its_page(kind, tables, tmp_path):
    path = tmp_path / "figure.png"
    figures_draw.save(draw(kind, tables), str(path))
    pixels = image.imread(io.BytesIO(path.read_bytes()), format="png")[..., :3]
    ink = (pixels < 0.99).any(axis=2)
    assert ink.any(axis=0).mean() > 0.7
    assert ink.any(axis=1).mean() > 0.7


def test_regrets_are_the_means_of_the_tables(tables):
    drawn = draw("regrets", tables)
    axis = drawn.axes[0]
    part = tables["replays"].query("replay == 'one' and method == 'random'")
    line = next(one for one in axis.lines if one.get_label() == "whole space")
    assert line.get_ydata() == pytest.approx(np.stack(part["regrets"]).mean(axis=0))


def test_outlines_are_those_of_the_regions(tables):
    axis = draw("regions", tables).axes[0]
    box = next(one for one in axis.patches if isinstance(one, Rectangle))
    ellipse = next(one for one in axis.patches if isinstance(one, Polygon))
    row = tables["regions"].query("replay == 'one' and task == 'a' and region == 'box'").iloc[0]
    won = np.concatenate([
        POINTS[np.argmin(((POINTS - BEST[name]) ** 2).sum(axis=1))][None] for name in "bcd"
    ])  # fmt: skip
    found = fit("box", won)
    dimension = DOMAIN.numeric[0]
    assert box.get_x() == pytest.approx(dimension.from_unit(found.low[0]))
    assert box.get_x() + box.get_width() == pytest.approx(dimension.from_unit(found.high[0]))
    assert found.volume == pytest.approx(row["volume"])
    assert len(ellipse.get_xy()) >= len(spaces.CIRCLE)


def test_a_shadow_holds_the_ellipsoid_and_touches_it():
    ellipsoid = fit("ellipsoid", POINTS[:10])
    outline = spaces.shadow(ellipsoid, [0, 2])
    surface = np.random.default_rng(0).standard_normal((200_000, 3))
    surface /= np.linalg.norm(surface, axis=1)[:, None]
    points = np.linalg.solve(ellipsoid.a, (surface - ellipsoid.b).T).T[:, [0, 2]]
    for direction in ((1, 0), (0, 1), (0.6, 0.8), (-0.6, 0.8)):
        assert (points @ direction).max() == pytest.approx((outline @ direction).max(), abs=5e-3)


def test_slopes_stand_in_the_titles(tables):
    titles = [axis.get_title() for axis in draw("winners", tables).axes]
    assert titles == ["s: −1.00 octaves a doubling", "t: +0.00 octaves a doubling"]
