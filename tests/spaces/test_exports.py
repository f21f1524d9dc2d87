"""Files of learned spaces: ranges hold every winner, and the forms that other tools read."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from tests.support.spaces import BEST, DIMENSIONS

from hypertransfer.spaces import exports
from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.learning import Recipe, learn
from hypertransfer.spaces.tasks.task import Task
from hypertransfer.studies import grid

DOMAIN = Domain.parse(
    {
        "lr": {"low": 1e-5, "high": 1, "log": True},
        "momentum": {"low": 0.0, "high": 0.99},
        "batch": {"low": 1, "high": 500, "log": True, "integer": True},
        "layers": {"low": 1, "high": 3, "integer": True},
    }
)


def winners(random, count=12):
    """Values as people write them, some at the very ends."""
    lrs = [1e-5, 1.0] if random.random() < 0.2 else []
    lrs += [float(f"{10 ** random.uniform(-5, 0):.2g}") for _ in range(count - len(lrs))]
    return {
        "lr": lrs,
        "momentum": [round(float(random.uniform(0, 0.99)), 3) for _ in range(count)],
        "batch": [int(2 ** random.uniform(0, 8.9)) for _ in range(count)],
        "layers": [int(random.integers(1, 4)) for _ in range(count)],
    }


def learned(columns, shape):
    points = DOMAIN.encode(columns)
    tasks = [Task(str(i), str(i), point[None], np.zeros(1)) for i, point in enumerate(points)]
    return learn(DOMAIN, tasks, Recipe(shape))


def test_every_tight_winner_is_within_the_ranges_to_the_last_digit():
    random = np.random.default_rng(0)
    for turn in range(60):
        columns = winners(random)
        found = exports.ranges(learned(columns, "box" if turn % 6 else "ellipsoid"))
        for name, values in columns.items():
            assert found[name]["low"] <= min(values), name
            assert max(values) <= found[name]["high"], name


def test_ranges_stay_within_what_was_declared():
    columns = {name: [d.low, d.high] for name, d in zip(DOMAIN.names, DOMAIN.numeric, strict=True)}
    found = exports.ranges(learned(columns, "box"))
    assert found == DOMAIN.plain()


def test_a_file_is_read_back_as_it_was(tmp_path):
    space = learned(winners(np.random.default_rng(1)), "ellipsoid")
    exports.write(exports.document(space, {}, 8), tmp_path / "space.yaml")
    assert exports.load_space(tmp_path / "space.yaml").plain() == space.plain()
    values = yaml.safe_load((tmp_path / "space.yaml").read_text())
    assert list(values) == [
        "hypertransfer",
        "dimensions",
        "space",
        "optuna",
        "ray_tune",
        "syne_tune",
        "grid",
    ]


MIXED = Domain.parse(DIMENSIONS)


def spaces():
    tasks = []
    for name, (lr, batch) in BEST.items():
        points = MIXED.encode({"lr": [lr], "batch": [batch], "schedule": ["cosine"]})
        tasks.append(Task(name, name, points, np.zeros(1)))
    return [learn(MIXED, tasks, Recipe(shape)) for shape in ("box", "ellipsoid")]


@pytest.mark.parametrize("space", spaces(), ids=["box", "ellipsoid"])
def test_ranges_hold_the_region(space):
    found = exports.ranges(space)
    assert found["schedule"] == {"choices": ["cosine"]}
    for values in space.domain.decode(space.draw(500, np.random.default_rng(0))):
        assert found["lr"]["low"] * (1 - 1e-9) <= values["lr"] <= found["lr"]["high"] * (1 + 1e-9)
        assert found["batch"]["low"] <= values["batch"] <= found["batch"]["high"]
    assert isinstance(found["batch"]["low"], int)
    assert found["lr"]["high"] < 0.1, "and not the whole range"


def test_forms_of_other_tools():
    space = spaces()[0]
    kinds = {name: value["name"] for name, value in exports.optuna(space).items()}
    assert kinds == {
        "lr": "FloatDistribution",
        "batch": "IntDistribution",
        "schedule": "CategoricalDistribution",
    }
    assert set(exports.optuna(space)["lr"]["attributes"]) == {"low", "high", "log", "step"}
    ray, syne = exports.samplers(space, inclusive=False), exports.samplers(space, inclusive=True)
    assert (ray["lr"]["sampler"], ray["batch"]["sampler"]) == ("loguniform", "lograndint")
    assert ray["batch"]["args"][1] == syne["batch"]["args"][1] + 1, "Ray leaves the upper end out"
    assert syne["schedule"] == {"sampler": "choice", "args": [["cosine"]]}


@pytest.mark.parametrize("space", spaces(), ids=["box", "ellipsoid"])
def test_the_grid_section_is_one_of_ours(space):
    section = exports.grid(space, 16)
    parsed = grid.Grid.parse({"base": {}, **section})
    assert list(grid.problems(parsed)) == []
    points = [point for point, _ in grid.points(parsed)]
    assert 8 < len(points) <= 16
    inside = space.domain.encode({n: [p[n] for p in points] for n in space.domain.names})
    assert (space.gauge(inside) < 1.2).all(), "but for the rounding of whole numbers"


class Trial:
    """As much of Optuna's as is asked for."""

    def __init__(self, high):
        self.high = high

    def suggest_float(self, name, low, high, log=False):
        return high if self.high else float(np.sqrt(low * high))

    def suggest_int(self, name, low, high, log=False):
        return high if self.high else round(float(np.sqrt(low * high)))

    def suggest_categorical(self, name, choices):
        return choices[0]


def test_suggestions_say_whether_they_lie_in_the_region():
    ellipsoid = spaces()[1]
    assert exports.suggest(Trial(high=False), ellipsoid)[1]
    found, inside = exports.suggest(Trial(high=True), ellipsoid)
    assert set(found) == {"lr", "batch", "schedule"}
    assert not inside, "the corner of the ranges is not in the ellipsoid"


def test_files_that_are_no_space(tmp_path):
    domain = "space: {domain: {lr: {low: 3, high: 1}}, region: {}, kept: []}"
    for text in (
        "a: 1",
        "[1]",
        "{",
        "hypertransfer: {format: 2}",
        f"hypertransfer: {{format: 1}}\n{domain}",
    ):
        (tmp_path / "x.yaml").write_text(text)
        with pytest.raises(exports.SpaceFileError, match=r"x\.yaml"):
            exports.load_space(tmp_path / "x.yaml")
