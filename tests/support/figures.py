"""A figure of each kind, as a config would describe it."""

from __future__ import annotations

from typing import Any

from matplotlib.text import Text

from hypertransfer.studies.figure import Figure

WIDTHS, LRS, SEEDS = (8, 16, 32), (0.125, 0.25, 0.5, 1.0, 2.0), (0, 1, 2)
FIGURES = {
    "overview": {"options": {"dynamics": "sweep", "sweep": "sweep"}},
    "sharpness": {"where": {"lr": 0.5}},
    "loss": {"where": {"lr": 0.5}},
    "lr_sweep": {},
    "optimum": {},
    "along": {
        "where": {"lr": 0.5},
        "options": {"quantities": ["scaled_sharpness", "train_loss"], "level": 5, "sweep": True},
    },
    "gaps": {
        "where": {"lr": 0.5, "parameterisation": "mup"},
        "options": {"quantities": ["scaled_sharpness", "train_loss"]},
    },
    "density": {"where": {"lr": 0.5}},
    "levels": {"where": {"lr": 0.5}, "options": {"quantities": ["scaled_sharpness"]}},
    "search_progress": {"where": {"grid": "modules"}},
    "multipliers": {"where": {"grid": "modules", "method": "factored"}},
    "carried": {"where": {"grid": "modules-transfer"}, "options": {"over": "global"}},
    "slices": {"where": {"grid": "modules-transfer", "method": "line"}},
    "law": {},
    "heat_map": {"where": {"parameterisation": "mup"}, "options": {"x": "lr", "y": "shape.width"}},
    "instances": {"where": {"parameterisation": "mup"}},
    "arms": {
        "where": {"lr": 0.5, "shape.width": 8},
        "options": {
            "quantities": ["final_loss", "scaled_sharpness"],
            "column": "parameterisation",
            "rows": "optimizer",
        },
    },
    "race": {"options": {"of": "muon", "over": "adamw"}},
    "frontier": {},
    "guidelines": {
        "options": {"parts": [{"title": "optimizer", "grid": "race", "column": "optimizer"}]}
    },
}
OF_RACES = ("race", "frontier", "guidelines")
OF_SEARCHES = ("search_progress", "multipliers", "carried", "slices")


def tables_of(kind: str, tables, searched, raced):
    """The tables that a kind of figure is drawn from."""
    if kind in OF_RACES:
        runs = raced["runs"]
        if kind == "race":
            runs = runs[runs["batch_size"] == 4]
        if kind == "guidelines":
            runs = runs[(runs["steps"] == 40) & (runs["batch_size"] == 4)]
        if kind == "frontier":
            runs = runs[runs["steps"] == 40]
        return {**raced, "runs": runs}
    return searched if kind in OF_SEARCHES else tables


def figure(kind: str, **options: Any) -> dict[str, Any]:
    """The figure of `FIGURES` with other options, as a job's parts hold it."""
    usual = FIGURES[kind]
    return described(kind, {**usual.get("options", {}), **options}, usual.get("where", {}))


def texts_of(drawn) -> list[str]:
    """All texts of a figure, with those in the cells of tables."""
    cells = [cell for a in drawn.axes for table in a.tables for cell in table.get_celld().values()]
    texts = [*drawn.findobj(Text), *(cell.get_text() for cell in cells)]
    return [text.get_text() for text in texts]


def described(kind: str, options: dict[str, Any], where: dict[str, Any] | None = None) -> dict:
    """A figure with the given options and the defaults of the others, as a job's parts hold it."""
    texts = {"id": kind, "kind": kind, "title": "Title", "caption": ""}
    return Figure.parse({**texts, "where": where or {}, "options": options}).plain()
