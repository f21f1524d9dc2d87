"""Ranges of learned spaces in real units: what other tools get holds every winner."""

from __future__ import annotations

import numpy as np
import yaml

from hypertransfer.spaces import exports
from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.learning import Recipe, Task, learn

DOMAIN = Domain.parse({
    "lr": {"low": 1e-5, "high": 1, "log": True},
    "momentum": {"low": 0.0, "high": 0.99},
    "batch": {"low": 1, "high": 500, "log": True, "integer": True},
    "layers": {"low": 1, "high": 3, "integer": True},
})  # fmt: skip


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
    assert list(values) == ["hypertransfer", "dimensions", "space", "optuna", "ray_tune",
                            "syne_tune", "grid"]  # fmt: skip
