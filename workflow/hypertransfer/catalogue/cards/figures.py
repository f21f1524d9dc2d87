"""Kinds of figures that a config can name, and the options of each.

Functions that draw have no defaults of their own: `studies.figure` completes a figure's options
from its card when a study is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hypertransfer.catalogue.cards import probes
from hypertransfer.catalogue.distinct_runs import DistinctRuns
from hypertransfer.catalogue.options import FLAG, Option, column, option, or_null
from hypertransfer.runs.columns import ALONG_TRAINING, HISTORY, SUMMARY


@dataclass(frozen=True)
class FigureCard:
    """A kind of figure: the function that draws it, as `module:function`, and its options.

    Each option has a JSON schema, with keywords of `catalogue.options`, and a description. An
    option without a default is required.

    Attributes:
        path: the function that draws the figure.
        options: the options, by name.
        distinct: how the figure tells runs apart; None if each run is drawn by itself.
        shown: the same for the runs of each quantity that the figure shows: those that a probe
            measured, or all for a quantity without probe.
        columns: columns of the runs that the figure reads, beside those that options name.
        probed: columns of probes that the figure reads, beside the quantities that options name.
        probed_in: the option that names the grid with these probes; all runs if empty.
        table: the table of replays that the figure reads, or `runs`, from which `where` selects.
    """

    path: str
    options: Mapping[str, Option]
    distinct: DistinctRuns | None = None
    shown: DistinctRuns | None = None
    columns: tuple[str, ...] = ()
    probed: tuple[str, ...] = ()
    probed_in: str = ""
    table: str = "runs"

    @property
    def required(self) -> tuple[str, ...]:
        """The options that a config must give."""
        return tuple(name for name, schema in self.options.items() if "default" not in schema)


def required(schema: Mapping[str, Any], description: str) -> Option:
    """An option that has no default, with its schema and its meaning."""
    return {**schema, "description": description}


def _value(table: str, column: str, noun: str) -> dict[str, Any]:
    return {
        "type": "string",
        "minLength": 1,
        "expected": f"the name of a {noun}",
        "value_of": [table, column],
    }


def _list_of(item: Mapping[str, Any], items: str, least: int = 1) -> dict[str, Any]:
    return {
        "type": "array",
        "minItems": least,
        "uniqueItems": True,
        "items": dict(item),
        "expected": f"a list of {items}" if not least else f"a list of one or more {items}",
    }


def _quantity(names: Iterable[str], where: str, measured: str = "once") -> dict[str, Any]:
    expected = f"a numeric column of {where}"
    return {"type": "string", "enum": [*names], "expected": expected, "measured": measured}


def _quantities(
    names: Iterable[str], where: str, least: int = 1, measured: str = "once"
) -> dict[str, Any]:
    return _list_of(_quantity(names, where, measured), f"numeric columns of {where}", least)


# Numeric columns that a figure can show, with the tables that hold them.
_PROBED = (tuple(probes.measured()), "a probe")
_ALONG = ((*ALONG_TRAINING, *_PROBED[0]), "the table `history` or a probe")
_RECORDED = ((*(name for name in HISTORY if name != "step"), *_PROBED[0]), _ALONG[1])
_OF_RUNS = (tuple(name for name, kind in SUMMARY.items() if kind != "text"), "the table `runs`")
# The column `loss` of runs is the name of their loss function.
_MEASURED = (name for name in _PROBED[0] if name != "loss")
_AT_THE_END = ((*_OF_RUNS[0], *_MEASURED), "the table `runs` or a probe")
_COLUMN = column()
_SIZE = column(numbers="positive")
_GRID = _value("runs", "grid", "grid")
_PLANE = _value("ranges", "dimension", "hyperparameter with a range")
_REGION = _value("regions", "region", "region")
_EACH_REPLAY = ["replays", "replay"]  # an option, and the column that holds its values
_EACH_SUITE = ["suites", "suite"]
_REPLAYS = _list_of(_value("replays", "replay", "replay"), "names of replays")
_ARM = {
    "anyOf": [{"type": "string"}, {"type": "number"}],
    "expected": "an arm, which is a value of `column` (put true and false in quotes)",
    "value_in": "column",
}


def _titles(*keys_of: Any) -> dict[str, Option]:
    """The option `titles`, whose keys are names of the given kinds; see `catalogue.options`."""
    schema = {
        "type": "object",
        "propertyNames": {"type": "string", "expected": "a text: put it in quotes"},
        "additionalProperties": {"type": "string", "expected": "a text: put it in quotes"},
        "expected": "a mapping of names to texts",
        "keys_of": keys_of,
    }
    return {"titles": option(schema, {}, "Titles to show in place of names.")}


SIZE = {"size": option(_SIZE, "shape.width", "Column of the size; each size has a colour.")}
PROBE = {
    "probe": option(
        {**or_null({"type": "string"}), "expected": "the name of a probe, or null"},
        None,
        "The probe to show where several measured a quantity.",
    )
}
PANELS = {
    "panels": option(_COLUMN, "parameterisation", "Column whose values have a panel each."),
    **_titles("panels"),
}
_OF_REPLAYS = [["replays", "replay"]]
# How sweeps over sizes tell runs apart.
_SWEPT = ("panels", "size", "lr", "seed")
_ALONG_TRAINING = ("panels", "size", "seed")
ARMS = {"column": option(_COLUMN, "optimizer", "Column that tells arms apart.")}
REPLAYS = {"replays": required(_REPLAYS, "Replays to show.")}
PART = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "grid", "column"],
    "properties": {
        "title": {"type": "string", "description": "Name of the component."},
        "grid": {**_GRID, "description": "The grid that tries its variants."},
        "column": {**_COLUMN, "description": "Column that tells variants apart."},
        **_titles("column"),
    },
}

FIGURES: Mapping[str, FigureCard] = {
    "overview": FigureCard(
        "hypertransfer.figures.training:overview",
        {
            "dynamics": required(_GRID, "The grid of the runs along training."),
            "sweep": required(_GRID, "The grid of the learning-rate sweep."),
            **SIZE,
            **PROBE,
        },
        DistinctRuns(("parameterisation", "size", "lr", "seed"), grid="sweep"),
        shown=DistinctRuns(("parameterisation", "size", "seed"), grid="dynamics"),
        probed=("scaled_sharpness",),
        probed_in="dynamics",
    ),
    "sharpness": FigureCard(
        "hypertransfer.figures.training:sharpness",
        {**SIZE, **PANELS, **PROBE},
        shown=DistinctRuns(_ALONG_TRAINING),
        probed=("scaled_sharpness",),
    ),
    "loss": FigureCard(
        "hypertransfer.figures.training:loss", {**SIZE, **PANELS}, DistinctRuns(_ALONG_TRAINING)
    ),
    "lr_sweep": FigureCard(
        "hypertransfer.figures.sweeps:lr_sweep",
        {**SIZE, **PANELS, "axis": option(_SIZE, "lr", "Column that the grids sweep.")},
        DistinctRuns(("panels", "size", "axis", "seed")),
    ),
    "optimum": FigureCard(
        "hypertransfer.figures.sweeps:optimum",
        {**SIZE, **_titles(["runs", "grid"])},
        DistinctRuns(("grid", "optimizer", "parameterisation", "size", "lr", "seed")),
    ),
    "along": FigureCard(
        "hypertransfer.figures.training:along",
        {
            "quantities": required(_quantities(*_RECORDED), "Quantities, a row of panels each."),
            **SIZE,
            **PANELS,
            "level": option(
                {**or_null({"type": "number"}), "expected": "a number or null"},
                None,
                "Height of a dashed line in panels of probed quantities.",
            ),
            "sweep": option(FLAG, False, "Whether a row with the final loss over η comes first."),
            **PROBE,
        },
        DistinctRuns(_SWEPT, when="sweep"),
        shown=DistinctRuns(_ALONG_TRAINING),
    ),
    "gaps": FigureCard(
        "hypertransfer.figures.gaps:gaps",
        {
            "quantities": required(
                _quantities(*_ALONG, measured="every"), "Quantities, a column of panels each."
            ),
            **SIZE,
            "relative": option(
                _quantities(*_ALONG, least=0),
                [],
                "Quantities whose gap is shown over the largest size's.",
            ),
            **PROBE,
        },
        DistinctRuns(("size", "seed"), by_key=True),
    ),
    "density": FigureCard(
        "hypertransfer.figures.training:density",
        {**SIZE, **PANELS, **PROBE},
        shown=DistinctRuns(_ALONG_TRAINING),
        probed=("nodes",),
    ),
    "levels": FigureCard(
        "hypertransfer.figures.training:levels",
        {
            "quantities": required(_quantities(*_PROBED), "Quantities, a panel each."),
            "size": option({**_SIZE, "least_values": 2}, "shape.width", "Column of the size."),
            **PROBE,
        },
        shown=DistinctRuns(("parameterisation", "size", "seed")),
    ),
    "search_progress": FigureCard(
        "hypertransfer.figures.searches:search_progress",
        {},
        columns=("method", "generation", "trial"),
    ),
    "multipliers": FigureCard(
        "hypertransfer.figures.searches:multipliers",
        _titles(["searches", "hyperparameter"]),
        columns=("method", "generation", "trial"),
    ),
    "carried": FigureCard(
        "hypertransfer.figures.searches:carried",
        {"over": required(_value("runs", "method", "method"), "Method to compare with.")},
        columns=("method", "target"),
    ),
    "slices": FigureCard(
        "hypertransfer.figures.searches:slices",
        {},
        DistinctRuns(("target", "place", "seed")),
        columns=("target", "place"),
    ),
    "law": FigureCard(
        "hypertransfer.figures.sweeps:law",
        {},
        DistinctRuns(("parameterisation", "steps", "seed")),
    ),
    "heat_map": FigureCard(
        "hypertransfer.figures.sweeps:heat_map",
        {
            "x": required(column(numbers="any"), "Column of the horizontal axis."),
            "y": required(column(numbers="any"), "Column of the vertical axis."),
            "quantity": option(
                _quantity(*_OF_RUNS), "final_loss", "Quantity that the colours show."
            ),
        },
        DistinctRuns(("x", "y", "seed")),
    ),
    "instances": FigureCard(
        "hypertransfer.figures.arms:instances",
        {**SIZE, **_titles(["runs", "grid"])},
        DistinctRuns(("grid", "size", "lr", "seed")),
    ),
    "arms": FigureCard(
        "hypertransfer.figures.arms:arms",
        {
            "quantities": required(_quantities(*_AT_THE_END), "Quantities, a panel each."),
            **ARMS,
            "rows": option(_COLUMN, "model", "Column whose values have a row of panels each."),
            "tuned_at": option(
                {**_SIZE, "minLength": 0},
                "",
                "Column of the size; each arm is shown at its largest size, with the learning "
                "rate that is best at its smallest. All runs are shown if empty.",
            ),
            "best": option(
                FLAG, False, "Whether each arm is shown at its best learning rate alone."
            ),
            **PROBE,
            **_titles("rows", "column"),
        },
        shown=DistinctRuns(("rows", "column", "tuned_at", "lr", "seed")),
    ),
    "race": FigureCard(
        "hypertransfer.figures.arms:race",
        {
            "of": required(_ARM, "The arm whose steps are counted."),
            "over": required(_ARM, "The arm whose final loss is the target."),
            **ARMS,
            **_titles("column"),
        },
        DistinctRuns(("column", "steps", "lr", "seed"), arms=("of", "over")),
    ),
    "frontier": FigureCard(
        "hypertransfer.figures.arms:frontier",
        {**ARMS, "size": option(_SIZE, "batch_size", "Column of the size."), **_titles("column")},
        DistinctRuns(("column", "size", "lr", "seed")),
    ),
    "guidelines": FigureCard(
        "hypertransfer.figures.arms:guidelines",
        {
            "parts": required(
                _list_of(PART, "mappings with the keys title, grid, column and, if wanted, titles"),
                "Components of the recipe, a row each.",
            )
        },
        DistinctRuns(("column", "lr", "seed"), grid="grid", each="parts", by_key=True),
    ),
    "regrets": FigureCard(
        "hypertransfer.figures.spaces:regrets",
        {
            **REPLAYS,
            "methods": option(
                _list_of(_value("replays", "method", "method"), "names of methods", 0),
                [],
                "Methods to show; all if empty.",
            ),
            **_titles(["replays", "method"], *_OF_REPLAYS),
            "log": option(FLAG, True, "Whether the axis of the regret is logarithmic."),
        },
        table="replays",
    ),
    "regions": FigureCard(
        "hypertransfer.figures.spaces:regions",
        {
            **REPLAYS,
            "x": required({**_PLANE, "of_each": _EACH_REPLAY}, "Horizontal axis."),
            "y": required({**_PLANE, "of_each": _EACH_REPLAY}, "Vertical axis."),
            "regions": required(
                _list_of({**_REGION, "of_each": _EACH_REPLAY}, "names of regions"),
                "Regions to outline.",
            ),
            "task": option(
                {"type": "string"}, "", "The target to show; each replay's first if empty."
            ),
            **_titles(["regions", "region"], *_OF_REPLAYS),
        },
        table="regions",
    ),
    "inflation": FigureCard(
        "hypertransfer.figures.spaces:inflation",
        {
            **REPLAYS,
            "region": required({**_REGION, "of_each": _EACH_REPLAY}, "The region to grow."),
            **_titles(*_OF_REPLAYS),
            "quantity": option(
                {"enum": ["volume", "share"]},
                "volume",
                "Horizontal axis: the region's volume, or the share of the target's rows inside.",
            ),
        },
        table="regions",
    ),
    "winners": FigureCard(
        "hypertransfer.figures.spaces:winners",
        {
            "suites": required(
                _list_of(_value("winners", "suite", "suite"), "names of suites"), "Suites to show."
            ),
            "dimension": required(
                {
                    **_value("winners", "dimension", "hyperparameter"),
                    "of_each": _EACH_SUITE,
                },
                "The hyperparameter.",
            ),
            "size": required(
                {
                    **_value("tasks", "column", "column"),
                    "of_each": _EACH_SUITE,
                    "numbers": "positive",
                },
                "Column of the tasks' size.",
            ),
            **_titles(["winners", "suite"]),
        },
        table="winners",
    ),
}
