"""Searches for hyperparameters of single modules, as a config has them.

A proposal is a point in log space: octaves by label. `lr` moves the learning rates of all modules,
`lr/query` those of one group of types, and `lr/depth0` is a node over the depth. Octaves add,
so that points of coarse and of fine searches lie in one space, with 0 the run's own values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from hypertransfer.catalogue import complete
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies.grid import Run, put

METHODS = ("random", "trust_region", "bayesian")
OVER = ("global", "types", "factored")
TRANSFER = "-transfer"  # behind a search's name: the grid of the runs that carry its results over
LINE = "line"  # the method of runs between the results of two others

Point = Mapping[str, float]


@dataclass(frozen=True)
class Method:
    """How proposals are made, over which coordinates, and the options of that way."""

    name: str
    kind: str
    over: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Search:
    """A search with its methods; each makes `generations` of so many `trials` one after another.

    `space` maps hyperparameters to the groups of types that have a multiplier, and to a number of
    nodes over the depth. The box that random proposals are drawn from reaches `octaves` to either
    side of the start.
    """

    name: str
    values: Mapping[str, Any]
    base: RunSpec

    @classmethod
    def parse(cls, name: str, values: Mapping[str, Any]) -> Search:
        """From a config that the schema has found sound.

        Raises:
            SpecErrors: what is wrong with the base.
        """
        return cls(name, values, complete.run_spec(values["base"]))

    @property
    def methods(self) -> list[Method]:
        """The methods in the order of the config."""
        return [
            Method(name, given["kind"], given["over"],
                   {k: v for k, v in given.items() if k not in ("kind", "over")})
            for name, given in self.values["methods"].items()
        ]  # fmt: skip

    @property
    def generations(self) -> int:
        """How many generations each method makes."""
        return self.values["generations"]

    @property
    def trials(self) -> int:
        """Proposals of a generation; the first of all is the start itself."""
        return self.values["trials"]

    def labels(self, over: str) -> list[str]:
        """The coordinates of a method."""
        out: list[str] = []
        for name, part in self.values["space"].items():
            if over == "global":
                out.append(name)
                continue
            out += [f"{name}/{group}" for group in part.get("groups", {})]
            if over == "factored":
                out += [f"{name}/depth{node}" for node in range(part.get("depth", 0))]
        return out

    def multipliers(self, point: Point) -> dict[str, Any]:
        """The multipliers of a spec at a point."""
        out: dict[str, Any] = {}
        for name, part in self.values["space"].items():
            shared = point.get(name, 0.0)
            types = {
                kind: 2.0 ** (shared + point.get(f"{name}/{group}", 0.0))
                for group, kinds in part.get("groups", {}).items()
                for kind in kinds
            }
            nodes = [2.0 ** point.get(f"{name}/depth{n}", 0.0) for n in range(part.get("depth", 0))]
            out[name] = {"types": types, "depth": nodes}
        return out

    def spec(self, point: Point, changes: Mapping[str, Any] | None = None) -> RunSpec:
        """The run at a point, with changes to the base by dotted keys.

        Raises:
            SpecErrors: a change that cannot be meant.
        """
        plain = deepcopy(dict(self.values["base"]))
        for key, value in (changes or {}).items():
            put(plain, key, value)
        return complete.run_spec({**plain, "multipliers": self.multipliers(point)})

    @property
    def transfer(self) -> Mapping[str, Any]:
        """What is done with the results; empty if nothing is."""
        return self.values.get("transfer", {})

    def carried(self) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
        """Place and changes of each run that carries results over.

        A place has the `method` whose result it is, or `line` with its `place` between two.
        """
        given = self.transfer
        for target, changes in given.get("targets", {}).items():
            for seed in given["seeds"]:
                here = {"target": target, "seed": seed}
                for method in self.methods:
                    yield {**here, "method": method.name, "place": 1.0}, {**changes, "seed": seed}
                line = given.get(LINE, {})
                for place in line.get("points", ()) if target in line.get("targets", ()) else ():
                    yield {**here, "method": LINE, "place": float(place)}, {**changes, "seed": seed}

    def rows(self) -> dict[str, list[Run]]:
        """Stand-ins for the runs to come, by the names of their grids: their places are known."""
        trials = [
            Run({"method": m.name, "generation": g, "trial": t, "seed": self.base.seed}, self.base)
            for m in self.methods for g in range(self.generations) for t in range(self.trials)
        ]  # fmt: skip
        out = {self.name: trials}
        if self.transfer:
            carried = [Run(place, self.spec({}, changes)) for place, changes in self.carried()]
            out[self.name + TRANSFER] = carried
        return out


def between(first: Point, second: Point, place: float) -> dict[str, float]:
    """The point on the line through two points: at 0 the first, at 1 the second."""
    labels = [*first, *(label for label in second if label not in first)]
    return {
        label: (1 - place) * first.get(label, 0.0) + place * second.get(label, 0.0)
        for label in labels
    }


def text(point: Point) -> str:
    """A point as a column of a table has it."""
    return canonical({label: round(octaves, 12) for label, octaves in point.items()})


def problems(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What a schema cannot see: where, and what is wrong."""
    for name, method in values["methods"].items():
        if method["over"] != "global" and not any(
            part.get("groups") for part in values["space"].values()
        ):
            yield ("methods", name, "over"), "needs groups of types in the space"
    line = values.get("transfer", {}).get(LINE, {})
    for key in ("from", "to"):
        if line and line[key] not in values["methods"]:
            known = ", ".join(values["methods"])
            yield ("transfer", LINE, key), f"{line[key]!r} is no method; known: {known}"
    targets: Sequence[str] = list(values.get("transfer", {}).get("targets", ()))
    for target in line.get("targets", ()):
        if target not in targets:
            known = ", ".join(targets)
            yield ("transfer", LINE, "targets"), f"{target!r} is no target; known: {known}"
