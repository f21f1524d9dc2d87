"""Kinds of figures that a config can name, and the options of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FigureCard:
    """A kind of figure: the function that draws it, as `module:function`, and its options.

    A config must give the options that are `required`.
    """

    path: str
    options: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


FIGURES: Mapping[str, FigureCard] = {
    "overview": FigureCard(
        "hypertransfer.figures.training:overview",
        ("dynamics", "sweep", "size"),
        required=("dynamics", "sweep"),
    ),
    "sharpness": FigureCard(
        "hypertransfer.figures.training:sharpness", ("size", "panels", "titles")
    ),
    "loss": FigureCard("hypertransfer.figures.training:loss", ("size", "panels", "titles")),
    "lr_sweep": FigureCard(
        "hypertransfer.figures.sweeps:lr_sweep", ("size", "panels", "titles", "axis")
    ),
    "optimum": FigureCard("hypertransfer.figures.sweeps:optimum", ("size", "titles")),
    "along": FigureCard(
        "hypertransfer.figures.training:along",
        ("quantities", "size", "panels", "titles", "level", "sweep"),
        required=("quantities",),
    ),
    "gaps": FigureCard(
        "hypertransfer.figures.gaps:gaps",
        ("quantities", "size", "relative"),
        required=("quantities",),
    ),
    "density": FigureCard("hypertransfer.figures.training:density", ("size", "panels", "titles")),
    "levels": FigureCard(
        "hypertransfer.figures.training:levels", ("quantities", "size"), required=("quantities",)
    ),
    "search_progress": FigureCard("hypertransfer.figures.searches:search_progress"),
    "multipliers": FigureCard("hypertransfer.figures.searches:multipliers", ("titles",)),
    "carried": FigureCard("hypertransfer.figures.searches:carried", ("over",), required=("over",)),
    "slices": FigureCard("hypertransfer.figures.searches:slices"),
    "law": FigureCard("hypertransfer.figures.sweeps:law"),
    "heat_map": FigureCard(
        "hypertransfer.figures.sweeps:heat_map", ("x", "y", "quantity"), required=("x", "y")
    ),
    "instances": FigureCard("hypertransfer.figures.arms:instances", ("size", "titles")),
    "arms": FigureCard(
        "hypertransfer.figures.arms:arms",
        ("quantities", "column", "rows", "tuned_at", "best", "titles"),
        required=("quantities",),
    ),
    "race": FigureCard(
        "hypertransfer.figures.arms:race",
        ("of", "over", "column", "titles"),
        required=("of", "over"),
    ),
    "frontier": FigureCard("hypertransfer.figures.arms:frontier", ("column", "size", "titles")),
    "guidelines": FigureCard(
        "hypertransfer.figures.arms:guidelines", ("parts",), required=("parts",)
    ),
    "regrets": FigureCard(
        "hypertransfer.figures.spaces:regrets",
        ("replays", "methods", "titles", "log"),
        required=("replays",),
    ),
    "regions": FigureCard(
        "hypertransfer.figures.spaces:regions",
        ("replays", "x", "y", "regions", "task", "titles"),
        required=("replays", "x", "y", "regions"),
    ),
    "inflation": FigureCard(
        "hypertransfer.figures.spaces:inflation",
        ("replays", "region", "titles", "quantity"),
        required=("replays", "region"),
    ),
    "winners": FigureCard(
        "hypertransfer.figures.spaces:winners",
        ("suites", "dimension", "size", "titles"),
        required=("suites", "dimension", "size"),
    ),
}
