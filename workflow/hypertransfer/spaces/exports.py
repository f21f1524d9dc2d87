"""A learned space as a file that other tools read: Optuna, Ray Tune, Syne Tune, our own grids.

Those tools know ranges. They get the least ranges that hold the region; whether a configuration of
these is in the region as well, `Space.contains` says, or `suggest` at once.
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
HAIR = 1e-12  # of the range


class SpaceFileError(ValueError):
    """A file that is no learned space, or of another format."""


def ranges(space: Space) -> dict[str, Any]:
    """The least declaration of each dimension that holds the region; whole numbers outwards."""
    low, high = _reach(space.region)
    out: dict[str, Any] = {}
    for dimension, a, b in zip(space.domain.numeric, low, high, strict=True):
        out[dimension.name] = _range(dimension, float(a), float(b))
    for dimension, kept in zip(space.domain.categorical, space.kept, strict=True):
        out[dimension.name] = {"choices": [dimension.choices[i] for i in kept]}
    return {name: out[name] for name in space.domain.names}


def _reach(region: Box | Ellipsoid) -> tuple[np.ndarray, np.ndarray]:
    """The least box (d,), (d,) in the cube that holds a region."""
    if isinstance(region, Box):
        return region.low, region.high
    half = np.sqrt(np.diag(np.linalg.inv(region.a @ region.a)))
    return np.clip(region.centre - half, 0, 1), np.clip(region.centre + half, 0, 1)


def _range(dimension: Dimension, low: float, high: float) -> dict[str, Any]:
    # A hair outwards, so that logarithms do not put a winner at an end outside.
    ends = [dimension.measured(place) for place in (low - HAIR, high + HAIR)]
    ends = [math.exp2(end) for end in ends] if dimension.log else ends
    if dimension.integer:
        ends = [max(math.floor(ends[0] + 1e-9), dimension.low),
                min(math.ceil(ends[1] - 1e-9), dimension.high)]  # fmt: skip
        if ends[0] == ends[1]:  # a range has two ends
            ends = [max(ends[0] - 1, dimension.low), min(ends[1] + 1, dimension.high)]
        ends = [int(end) for end in ends]
    else:
        ends = [max(ends[0], dimension.low), min(ends[1], dimension.high)]
    return {"low": ends[0], "high": ends[1], **{
        key: True for key in ("log", "integer") if getattr(dimension, key)}}  # fmt: skip


def optuna(space: Space) -> dict[str, Any]:
    """Distributions as `optuna.distributions.json_to_distribution` reads them, from JSON."""
    out = {}
    for name, given in ranges(space).items():
        if "choices" in given:
            out[name] = {"name": "CategoricalDistribution", "attributes": given}
            continue
        kind = "IntDistribution" if given.get("integer") else "FloatDistribution"
        step = 1 if given.get("integer") else None
        ends = {"low": given["low"], "high": given["high"], "log": given.get("log", False)}
        out[name] = {"name": kind, "attributes": {**ends, "step": step}}
    return out


def samplers(space: Space, inclusive: bool) -> dict[str, Any]:
    """Names and arguments of samplers: Syne Tune's whole ranges are inclusive, Ray Tune's not."""
    out = {}
    for name, given in ranges(space).items():
        if "choices" in given:
            out[name] = {"sampler": "choice", "args": [given["choices"]]}
            continue
        integer, log = given.get("integer", False), given.get("log", False)
        sampler = ("lograndint" if log else "randint") if integer else (
            "loguniform" if log else "uniform")  # fmt: skip
        high = given["high"] + (1 if integer and not inclusive else 0)
        out[name] = {"sampler": sampler, "args": [given["low"], high]}
    return out


def grid(space: Space, points: int, seed: int = 0) -> dict[str, Any]:
    """Axes of our own grids, zipped: quasi-random points of the region.

    Rounding of whole numbers may make points equal, of which one is kept.
    """
    found = space.domain.decode(space.spread(points, seed))
    kept = list({tuple(one.values()): one for one in found}.values())
    axes = {name: [_tidy(one[name]) for one in kept] for name in space.domain.names}
    if len(axes) == 1:
        return {"axes": axes}
    return {"axes": axes, "zip": [list(axes)]}


def _tidy(value: Any) -> Any:
    return float(f"{value:.12g}") if isinstance(value, float) else value


def document(space: Space, about: Mapping[str, Any], points: int) -> dict[str, Any]:
    """All forms of a space, as plain values; `about` says where it comes from."""
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
    """Put the file in place, whole."""
    text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
    replace_atomically(path, text.encode())


def load_space(path: Path | str) -> Space:
    """The space of a file that `hypertransfer space` wrote.

    Raises:
        SpaceFileError: it is something else.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        found = values["hypertransfer"]["format"]
        if found == FORMAT:
            return Space.from_plain(values["space"])
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        raise SpaceFileError(f"{path}: is no learned space: {error!r}") from error
    raise SpaceFileError(f"{path}: format {found}, not {FORMAT}")


def suggest(trial: Any, space: Space) -> tuple[dict[str, Any], bool]:
    """A configuration that a trial of Optuna suggests, and whether it lies in the region.

    One that does not can be pruned before anything is trained.
    """
    found: dict[str, Any] = {}
    for name, given in ranges(space).items():
        if "choices" in given:
            found[name] = trial.suggest_categorical(name, given["choices"])
        elif given.get("integer"):
            found[name] = trial.suggest_int(
                name, given["low"], given["high"], log=given.get("log", False)
            )
        else:
            found[name] = trial.suggest_float(
                name, given["low"], given["high"], log=given.get("log", False)
            )
    points = space.domain.encode({name: [value] for name, value in found.items()})
    return found, bool(space.contains(points)[0])
