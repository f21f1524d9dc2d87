"""Kinds of figures that a config can name, and the options of each.

Functions that draw have no defaults of their own: `studies.figure` completes a figure's options
from its card when a study is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hypertransfer.catalogue.cards import probes
from hypertransfer.catalogue.options import FLAG, Option, option, or_null
from hypertransfer.runs.columns import ALONG_TRAINING, HISTORY, SUMMARY


@dataclass(frozen=True)
class FigureCard:
    """A kind of figure: the function that draws it, as `module:function`, and its options.

    Each option has a JSON schema and a description; an option without a default is required.
    Schemas may have three keywords of this library. `column_of` says that the value is a column of
    that table; `value_of`, a table and a column, that the value occurs in that column; `value_in`,
    another option, that the value occurs in the column of runs which that option names.
    """

    path: str
    options: Mapping[str, Option]

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
        "items": dict(item),
        "expected": f"a list of {items}" if not least else f"a list of one or more {items}",
    }


def _quantity(names: Iterable[str], where: str) -> dict[str, Any]:
    return {"type": "string", "enum": [*names], "expected": f"a numeric column of {where}"}


def _quantities(names: Iterable[str], where: str, least: int = 1) -> dict[str, Any]:
    return _list_of(_quantity(names, where), f"numeric columns of {where}", least)


# Numeric columns that a figure can show, with the tables that hold them.
_PROBED = (tuple(probes.measured()), "a probe")
_ALONG = ((*ALONG_TRAINING, *_PROBED[0]), "the table `history` or a probe")
_RECORDED = ((*(name for name in HISTORY if name != "step"), *_PROBED[0]), _ALONG[1])
_OF_RUNS = (tuple(name for name, kind in SUMMARY.items() if kind != "text"), "the table `runs`")
_AT_THE_END = ((*_OF_RUNS[0], *_PROBED[0]), "the table `runs` or a probe")
_COLUMN = {
    "type": "string",
    "minLength": 1,
    "expected": "a column of the runs",
    "column_of": "runs",
}
_GRID = _value("runs", "grid", "grid")
_REPLAYS = _list_of(_value("replays", "replay", "replay"), "names of replays")
_ARM = {
    "anyOf": [{"type": "string"}, {"type": "number"}, FLAG],
    "expected": "an arm, which is a value of `column`",
    "value_in": "column",
}
_TITLES = {
    "type": "object",
    "propertyNames": {"type": "string", "expected": "a text: put it in quotes"},
    "additionalProperties": {"type": "string", "expected": "a text: put it in quotes"},
    "expected": "a mapping of names to texts",
}

SIZE = {"size": option(_COLUMN, "shape.width", "Column of the size; each size has a colour.")}
TITLES = {"titles": option(_TITLES, {}, "Titles to show in place of names.")}
PANELS = {
    "panels": option(_COLUMN, "parameterisation", "Column whose values have a panel each."),
    **TITLES,
}
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
        **TITLES,
    },
}

FIGURES: Mapping[str, FigureCard] = {
    "overview": FigureCard(
        "hypertransfer.figures.training:overview",
        {
            "dynamics": required(_GRID, "The grid of the runs along training."),
            "sweep": required(_GRID, "The grid of the learning-rate sweep."),
            **SIZE,
        },
    ),
    "sharpness": FigureCard("hypertransfer.figures.training:sharpness", {**SIZE, **PANELS}),
    "loss": FigureCard("hypertransfer.figures.training:loss", {**SIZE, **PANELS}),
    "lr_sweep": FigureCard(
        "hypertransfer.figures.sweeps:lr_sweep",
        {**SIZE, **PANELS, "axis": option(_COLUMN, "lr", "Column that the grids sweep.")},
    ),
    "optimum": FigureCard("hypertransfer.figures.sweeps:optimum", {**SIZE, **TITLES}),
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
        },
    ),
    "gaps": FigureCard(
        "hypertransfer.figures.gaps:gaps",
        {
            "quantities": required(_quantities(*_ALONG), "Quantities, a column of panels each."),
            **SIZE,
            "relative": option(
                _quantities(*_ALONG, least=0),
                [],
                "Quantities whose gap is shown over the largest size's.",
            ),
        },
    ),
    "density": FigureCard("hypertransfer.figures.training:density", {**SIZE, **PANELS}),
    "levels": FigureCard(
        "hypertransfer.figures.training:levels",
        {
            "quantities": required(_quantities(*_PROBED), "Quantities, a panel each."),
            **SIZE,
        },
    ),
    "search_progress": FigureCard("hypertransfer.figures.searches:search_progress", {}),
    "multipliers": FigureCard("hypertransfer.figures.searches:multipliers", TITLES),
    "carried": FigureCard(
        "hypertransfer.figures.searches:carried",
        {"over": required(_value("runs", "method", "method"), "Method to compare with.")},
    ),
    "slices": FigureCard("hypertransfer.figures.searches:slices", {}),
    "law": FigureCard("hypertransfer.figures.sweeps:law", {}),
    "heat_map": FigureCard(
        "hypertransfer.figures.sweeps:heat_map",
        {
            "x": required(_COLUMN, "Column of the horizontal axis."),
            "y": required(_COLUMN, "Column of the vertical axis."),
            "quantity": option(
                _quantity(*_OF_RUNS), "final_loss", "Quantity that the colours show."
            ),
        },
    ),
    "instances": FigureCard("hypertransfer.figures.arms:instances", {**SIZE, **TITLES}),
    "arms": FigureCard(
        "hypertransfer.figures.arms:arms",
        {
            "quantities": required(_quantities(*_AT_THE_END), "Quantities, a panel each."),
            **ARMS,
            "rows": option(_COLUMN, "model", "Column whose values have a row of panels each."),
            "tuned_at": option(
                {**_COLUMN, "minLength": 0},
                "",
                "Column of the size; each arm is shown at its largest size, with the learning "
                "rate that is best at its smallest. All runs are shown if empty.",
            ),
            "best": option(
                FLAG, False, "Whether each arm is shown at its best learning rate alone."
            ),
            **TITLES,
        },
    ),
    "race": FigureCard(
        "hypertransfer.figures.arms:race",
        {
            "of": required(_ARM, "The arm whose steps are counted."),
            "over": required(_ARM, "The arm whose final loss is the target."),
            **ARMS,
            **TITLES,
        },
    ),
    "frontier": FigureCard(
        "hypertransfer.figures.arms:frontier",
        {**ARMS, "size": option(_COLUMN, "batch_size", "Column of the size."), **TITLES},
    ),
    "guidelines": FigureCard(
        "hypertransfer.figures.arms:guidelines",
        {
            "parts": required(
                _list_of(PART, "mappings with the keys title, grid, column and, if wanted, titles"),
                "Components of the recipe, a row each.",
            )
        },
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
            **TITLES,
            "log": option(FLAG, True, "Whether the axis of the regret is logarithmic."),
        },
    ),
    "regions": FigureCard(
        "hypertransfer.figures.spaces:regions",
        {
            **REPLAYS,
            "x": required(_value("winners", "dimension", "hyperparameter"), "Horizontal axis."),
            "y": required(_value("winners", "dimension", "hyperparameter"), "Vertical axis."),
            "regions": required(
                _list_of(_value("regions", "region", "region"), "names of regions"),
                "Regions to outline.",
            ),
            "task": option(
                {"type": "string"}, "", "The target to show; each replay's first if empty."
            ),
            **TITLES,
        },
    ),
    "inflation": FigureCard(
        "hypertransfer.figures.spaces:inflation",
        {
            **REPLAYS,
            "region": required(_value("regions", "region", "region"), "The region to grow."),
            **TITLES,
            "quantity": option(
                {"enum": ["volume", "share"]},
                "volume",
                "Horizontal axis: the region's volume, or the share of the target's rows inside.",
            ),
        },
    ),
    "winners": FigureCard(
        "hypertransfer.figures.spaces:winners",
        {
            "suites": required(
                _list_of(_value("winners", "suite", "suite"), "names of suites"), "Suites to show."
            ),
            "dimension": required(
                _value("winners", "dimension", "hyperparameter"), "The hyperparameter."
            ),
            "size": required(_value("tasks", "column", "column"), "Column of the tasks' size."),
            **TITLES,
        },
    ),
}
