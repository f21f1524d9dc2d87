"""Searches for hyperparameters of single modules, as written in a config.

A proposal is a point in log space: octaves (log₂ of a factor) by label. The label `lr` scales the
learning rates of all modules, `lr/query` the learning rates of one group of module types, and
`lr/depth0` the learning rates at one node over the depth. The octaves of a module add up, so coarse
and fine searches have a common space. The point with 0 octaves is the base run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hypertransfer.catalogue import complete
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.section import Section
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies.placed_run import Run, put_all

TRANSFER = "-transfer"  # suffix of a search's name in the name of the grid of its transfer runs
LINE = "line"  # name of the method of runs on the line between the results of two methods
# Keys of a search that do not change the proposals and the runs of a generation.
LATER = ("transfer", "methods", "description", "repeats")

Point = Mapping[str, float]


@dataclass(frozen=True)
class Coordinates(Section):
    """The coordinates of one hyperparameter of a search.

    Attributes:
        groups: module types that share a coordinate, by name of the group.
        depth: number of nodes over the depth.
    """

    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    depth: int = 0


@dataclass(frozen=True)
class Method(Section):
    """A method that makes proposals.

    Attributes:
        kind: `random`, `trust_region` or `bayesian`.
        over: coordinates: `global`, one for each hyperparameter; `types`, one for each group of
            module types; or `factored`, groups and nodes over the depth.
        options: options of the kind.
    """

    kind: str
    over: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Method:
        """The method of a mapping in which options, `kind` and `over` are on one level."""
        options = {key: value for key, value in values.items() if key not in ("kind", "over")}
        return cls(values["kind"], values["over"], options)

    def plain(self) -> dict[str, Any]:
        """The mapping that `parse` reads back."""
        return {"kind": self.kind, "over": self.over, **self.options}


@dataclass(frozen=True)
class Line(Section):
    """Runs on the line between the results of two methods.

    Attributes:
        first: the method whose result is at 0.
        second: the method whose result is at 1.
        points: positions on the line.
        targets: names of the targets at which the runs are made.
    """

    first: str
    second: str
    points: Sequence[float]
    targets: Sequence[str]

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Line:
        """The line of a mapping with the keys `from` (a keyword of Python) and `to`."""
        return cls(values["from"], values["to"], values["points"], values["targets"])

    def plain(self) -> dict[str, Any]:
        """The mapping that `parse` reads back."""
        values = super().plain()
        return {"from": values.pop("first"), "to": values.pop("second"), **values}


@dataclass(frozen=True)
class Transfer(Section):
    """Runs that evaluate the methods' results with other seeds and at other targets.

    Attributes:
        seeds: seeds of the runs. With several independent searches there is one for each, and the
            seed at a place evaluates the results of the search at this place.
        targets: targets by name; each maps dotted keys of the spec to values.
        methods: the methods that are evaluated at a target, by its name; all if it has no entry.
        line: runs between the results of two methods.
    """

    seeds: Sequence[int]
    targets: Mapping[str, Mapping[str, Any]]
    methods: Mapping[str, Sequence[str]] = field(default_factory=dict)
    line: Line | None = None

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Transfer:
        """The transfer of a mapping that the schema has accepted."""
        line = Line.parse(values["line"]) if "line" in values else None
        return cls(values["seeds"], values["targets"], values.get("methods", {}), line)


@dataclass(frozen=True)
class Settings(Section):
    """The settings of a search.

    Attributes:
        base: values of the base run, the start of every method.
        space: coordinates of each hyperparameter.
        octaves: half-width of the box of random proposals around the start.
        generations: number of generations of each method.
        trials: number of proposals of a generation. The first proposal of all is the start.
        methods: methods by name, in the order of the config.
        repeats: number of independent searches of each method, with seeds of their own.
        transfer: runs that carry the results over; None for no such runs.
        description: purpose of the search, as text.
    """

    base: Mapping[str, Any]
    space: Mapping[str, Coordinates]
    octaves: float
    generations: int
    trials: int
    methods: Mapping[str, Method]
    repeats: int = 1
    transfer: Transfer | None = None
    description: str = ""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Settings:
        """The settings of a mapping that the schema has accepted."""
        typed = {
            "space": {name: Coordinates.parse(part) for name, part in values["space"].items()},
            "methods": {name: Method.parse(m) for name, m in values["methods"].items()},
            "transfer": Transfer.parse(values["transfer"]) if "transfer" in values else None,
        }
        return cls(**{**values, **typed})


@dataclass(frozen=True)
class Search(Section):
    """A search: its settings, and the spec of the base run, from which it starts."""

    name: str
    settings: Settings
    base: RunSpec

    @classmethod
    def parse(cls, name: str, values: Mapping[str, Any]) -> Search:  # type: ignore[override]
        """The search of a mapping that the schema has accepted.

        Raises:
            ProblemError: every problem of the base.
        """
        return cls(name, Settings.parse(values), complete.run_spec(values["base"]))

    def plain(self) -> dict[str, Any]:
        """The mapping that `parse` reads back."""
        return self.settings.plain()

    def independent(self) -> list[Search]:
        """The independent searches, which differ in the seed of the base run."""
        seeds = [self.base.seed + number for number in range(self.settings.repeats)]
        return [
            replace(
                self,
                settings=replace(self.settings, base={**self.settings.base, "seed": seed}),
                base=replace(self.base, seed=seed),
            )
            for seed in seeds
        ]

    def over_searches(self) -> list[str]:
        """The names of the grids of which each seed is an independent search; none with one."""
        return [self.name, self.name + TRANSFER] if self.settings.repeats > 1 else []

    def seed_of_trials(self, seed: int) -> int:
        """The seed of the trials whose best point is evaluated with a seed of the transfer."""
        if self.settings.repeats == 1:
            return self.base.seed
        return self.base.seed + list(self.settings.transfer.seeds).index(seed)

    def labels(self, over: str) -> list[str]:
        """The labels of the coordinates of a method; `over` is as in `Method`."""
        labels: list[str] = []
        for name, part in self.settings.space.items():
            if over == "global":
                labels.append(name)
                continue
            labels += [f"{name}/{group}" for group in part.groups]
            if over == "factored":
                labels += [f"{name}/depth{node}" for node in range(part.depth)]
        return labels

    def multipliers(self, point: Point) -> dict[str, Any]:
        """The field `multipliers` of the spec at a point."""
        multipliers: dict[str, Any] = {}
        for name, part in self.settings.space.items():
            shared = point.get(name, 0.0)
            types = {
                kind: 2.0 ** (shared + point.get(f"{name}/{group}", 0.0))
                for group, kinds in part.groups.items()
                for kind in kinds
            }
            nodes = [2.0 ** point.get(f"{name}/depth{n}", 0.0) for n in range(part.depth)]
            multipliers[name] = {"types": types, "depth": nodes}
        return multipliers

    def spec(self, point: Point, changes: Mapping[str, Any] | None = None) -> RunSpec:
        """The spec at a point, with `changes` to the base by dotted key.

        Raises:
            ProblemError: the value of a change cannot be used.
        """
        values = deepcopy(dict(self.settings.base))
        put_all(values, (changes or {}).items())
        return self._completer.run_spec({**values, "multipliers": self.multipliers(point)})

    @cached_property
    def _completer(self) -> complete.Completer:
        return complete.Completer()

    def transfer_runs(self) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
        """The point of each transfer run on its grid, and the changes to the base by dotted key.

        The axes of the grid are `target`, `seed`, `method` and `place`. `method` names the method
        whose result is evaluated, and `place` is 1. Runs on the line between two results have the
        method `line`, and their position on the line as `place`.
        """
        transfer = self.settings.transfer
        if transfer is None:
            return
        for target, changes in transfer.targets.items():
            for seed in transfer.seeds:
                here, changed = {"target": target, "seed": seed}, {**changes, "seed": seed}
                for method in transfer.methods.get(target, self.settings.methods):
                    yield {**here, "method": method, "place": 1.0}, changed
                if transfer.line and target in transfer.line.targets:
                    for place in transfer.line.points:
                        yield {**here, "method": LINE, "place": float(place)}, changed

    def transfer_specs(self) -> list[RunSpec]:
        """The specs of the transfer runs, with the start in place of the methods' results."""
        return [self.spec({}, changes) for _, changes in self.transfer_runs()]

    def rows(self) -> dict[str, list[Run]]:
        """The planned runs by name of their grid; trials have the base run's spec."""
        settings = self.settings
        trials = [
            Run({"method": m, "generation": g, "trial": t, "seed": one.base.seed}, one.base)
            for m in settings.methods
            for one in self.independent()
            for g in range(settings.generations)
            for t in range(settings.trials)
        ]
        places = [place for place, _ in self.transfer_runs()]
        transfers = list(map(Run, places, self.transfer_specs()))
        return {self.name: trials} | ({self.name + TRANSFER: transfers} if transfers else {})


def between(first: Point, second: Point, place: float) -> dict[str, float]:
    """The point at a position on the line through two points: 0 is the first, 1 the second."""
    labels = [*first, *(label for label in second if label not in first)]
    return {
        label: (1 - place) * first.get(label, 0.0) + place * second.get(label, 0.0)
        for label in labels
    }


def text(point: Point) -> str:
    """A point as text, for a column of a table."""
    return canonical({label: round(octaves, 12) for label, octaves in point.items()})
