"""Files of learned spaces for Optuna, Ray Tune, Syne Tune and grids of this workflow.

These tools read ranges, so a file has the smallest ranges that hold the region. `Space.contains`
tells whether a configuration also lies in the region; `suggest` does so for a trial of Optuna.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hypertransfer.spaces.dimensions import Dimension
from hypertransfer.spaces.learning import Space
from hypertransfer.spaces.regions import Box, Ellipsoid
from hypertransfer.storage.atomic import replace_atomically

FORMAT = 1
MARGIN = 1e-12  # by which a range is widened at each end, as a share of the whole range


class SpaceFileError(ValueError):
    """A file does not hold a learned space, or holds a space in another format."""


def ranges(space: Space) -> dict[str, Any]:
    """The declarations of the smallest ranges and choices that hold the space, by dimension."""
    low, high = _bounding_box(space.region)
    declarations: dict[str, Any] = {}
    for dimension, start, end in zip(space.domain.numeric, low, high, strict=True):
        declarations[dimension.name] = _range(dimension, float(start), float(end))
    for dimension, kept in zip(space.domain.categorical, space.kept, strict=True):
        declarations[dimension.name] = {"choices": [dimension.choices[i] for i in kept]}
    return {name: declarations[name] for name in space.domain.names}


def _bounding_box(region: Box | Ellipsoid) -> tuple[np.ndarray, np.ndarray]:
    """The ends (d,), (d,) of the smallest box in the cube that holds a region.

    An ellipsoid {x : ‖Ax + b‖ ≤ 1} reaches √diag (A²)⁻¹ to either side of its centre.
    """
    if isinstance(region, Box):
        return region.low, region.high
    half = np.sqrt(np.diag(np.linalg.inv(region.a @ region.a)))
    return np.clip(region.centre - half, 0, 1), np.clip(region.centre + half, 0, 1)


def _range(dimension: Dimension, low: float, high: float) -> dict[str, Any]:
    """The declaration of the range between two coordinates; integers are rounded outwards."""
    # The margin keeps a winner at an end inside the range, however its logarithm is rounded.
    ends = [dimension.on_axis(coordinate) for coordinate in (low - MARGIN, high + MARGIN)]
    ends = [math.exp2(end) for end in ends] if dimension.log else ends
    if dimension.integer:
        ends = [math.floor(ends[0] + 1e-9), math.ceil(ends[1] - 1e-9)]
    first, last = max(ends[0], dimension.low), min(ends[1], dimension.high)
    if dimension.integer:
        if first == last:  # a declaration needs low < high
            first, last = max(first - 1, dimension.low), min(last + 1, dimension.high)
        first, last = int(first), int(last)
    flags = {key: True for key in ("log", "integer") if getattr(dimension, key)}
    return {"low": first, "high": last, **flags}


def optuna(space: Space) -> dict[str, Any]:
    """Distributions as values for `optuna.distributions.json_to_distribution`, by dimension."""
    distributions = {}
    for name, declaration in ranges(space).items():
        if "choices" in declaration:
            distributions[name] = {"name": "CategoricalDistribution", "attributes": declaration}
            continue
        integer, log = declaration.get("integer", False), declaration.get("log", False)
        distributions[name] = {
            "name": "IntDistribution" if integer else "FloatDistribution",
            "attributes": {
                "low": declaration["low"],
                "high": declaration["high"],
                "log": log,
                "step": 1 if integer else None,
            },
        }
    return distributions


SAMPLERS = {  # of Ray Tune and Syne Tune, by integer and log
    (False, False): "uniform",
    (False, True): "loguniform",
    (True, False): "randint",
    (True, True): "lograndint",
}


def samplers(space: Space, inclusive: bool) -> dict[str, Any]:
    """Names and arguments of samplers by dimension.

    `inclusive` tells whether integer samplers include their upper end: the samplers of Syne Tune
    do, the samplers of Ray Tune do not.
    """
    chosen = {}
    for name, declaration in ranges(space).items():
        if "choices" in declaration:
            chosen[name] = {"sampler": "choice", "args": [declaration["choices"]]}
            continue
        integer, log = declaration.get("integer", False), declaration.get("log", False)
        high = declaration["high"] + (1 if integer and not inclusive else 0)
        chosen[name] = {"sampler": SAMPLERS[integer, log], "args": [declaration["low"], high]}
    return chosen


def grid(space: Space, points: int, seed: int = 0) -> dict[str, Any]:
    """Zipped axes of a grid of this workflow, whose values are quasi-random points of the space.

    Of points that become equal when integers are rounded, only the first is kept.
    """
    configurations = space.domain.decode(space.spread(points, seed))
    distinct = list({tuple(c.values()): c for c in configurations}.values())
    axes = {name: [_shortened(c[name]) for c in distinct] for name in space.domain.names}
    return {"axes": axes} if len(axes) == 1 else {"axes": axes, "zip": [list(axes)]}


def _shortened(value: Any) -> Any:
    """A float with 12 significant digits; other values as they are."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def document(space: Space, about: Mapping[str, Any], points: int) -> dict[str, Any]:
    """The content of the file of a space, with all exports; `about` describes the origin."""
    return {
        "hypertransfer": {"format": FORMAT, **about},
        "dimensions": ranges(space),
        "space": space.plain(),
        "optuna": optuna(space),
        "ray_tune": samplers(space, inclusive=False),
        "syne_tune": samplers(space, inclusive=True),
        "grid": grid(space, points),
    }


def write(values: Mapping[str, Any], path: Path) -> None:
    """Write plain values to a YAML file, replaced atomically."""
    text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
    replace_atomically(path, text.encode())


def load_space(path: Path | str) -> Space:
    """The space in a file that `hypertransfer space` wrote.

    Raises:
        SpaceFileError: the file cannot be read, does not hold a space, or has another format.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        version = values["hypertransfer"]["format"]
        if version == FORMAT:
            return Space.from_plain(values["space"])
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        raise SpaceFileError(f"{path}: does not hold a learned space: {error!r}") from error
    raise SpaceFileError(f"{path}: has the format {version}; this version reads format {FORMAT}")


def suggest(trial: Any, space: Space) -> tuple[dict[str, Any], bool]:
    """A configuration that a trial of Optuna suggests, and whether it lies in the space.

    A trial whose configuration lies outside the space can be pruned before training.
    """
    configuration: dict[str, Any] = {}
    for name, declaration in ranges(space).items():
        if "choices" in declaration:
            configuration[name] = trial.suggest_categorical(name, declaration["choices"])
            continue
        suggest_number = trial.suggest_int if declaration.get("integer") else trial.suggest_float
        low, high = declaration["low"], declaration["high"]
        configuration[name] = suggest_number(name, low, high, log=declaration.get("log", False))
    points = space.domain.encode({name: [value] for name, value in configuration.items()})
    return configuration, bool(space.contains(points)[0])
