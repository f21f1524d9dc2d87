"""Kinds of figures that a config can name, and the options of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FigureCard:
    """A kind of figure: the function that draws it, as `module:function`, and its options."""

    path: str
    options: tuple[str, ...] = ()


FIGURES: Mapping[str, FigureCard] = {
    "overview": FigureCard(
        "hypertransfer.figures.training:overview", ("dynamics", "sweep", "size")
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
    ),
    "gaps": FigureCard("hypertransfer.figures.gaps:gaps", ("quantities", "size", "relative")),
    "density": FigureCard("hypertransfer.figures.training:density", ("size", "panels", "titles")),
    "levels": FigureCard("hypertransfer.figures.training:levels", ("quantities", "size")),
    "search_progress": FigureCard("hypertransfer.figures.searches:search_progress"),
    "multipliers": FigureCard("hypertransfer.figures.searches:multipliers", ("titles",)),
    "carried": FigureCard("hypertransfer.figures.searches:carried", ("over",)),
    "slices": FigureCard("hypertransfer.figures.searches:slices"),
    "law": FigureCard("hypertransfer.figures.sweeps:law"),
    "heat_map": FigureCard("hypertransfer.figures.sweeps:heat_map", ("x", "y", "quantity")),
    "instances": FigureCard("hypertransfer.figures.arms:instances", ("size", "titles")),
    "arms": FigureCard(
        "hypertransfer.figures.arms:arms",
        ("quantities", "column", "rows", "tuned_at", "best", "titles"),
    ),
    "race": FigureCard("hypertransfer.figures.arms:race", ("of", "over", "column", "titles")),
    "frontier": FigureCard("hypertransfer.figures.arms:frontier", ("column", "size", "titles")),
    "guidelines": FigureCard("hypertransfer.figures.arms:guidelines", ("parts",)),
    "regrets": FigureCard(
        "hypertransfer.figures.spaces:regrets", ("replays", "methods", "titles", "log")
    ),
    "regions": FigureCard(
        "hypertransfer.figures.spaces:regions", ("replays", "x", "y", "regions", "task", "titles")
    ),
    "inflation": FigureCard(
        "hypertransfer.figures.spaces:inflation", ("replays", "region", "titles", "quantity")
    ),
    "winners": FigureCard(
        "hypertransfer.figures.spaces:winners", ("suites", "dimension", "size", "titles")
    ),
}
