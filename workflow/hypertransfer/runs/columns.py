"""Columns of a run's tables: its history along training, and its summary.

Each column has a kind: `count`, `large count`, `number` or `text`. Every module that writes, reads,
measures or draws these columns takes their names from here.
"""

from __future__ import annotations

from collections.abc import Mapping

# One row per recorded step. A quantity not measured at a step is NaN in memory, null in tables.
HISTORY: Mapping[str, str] = {
    "step": "count",
    "train_loss": "number",
    "eval_loss": "number",
    "eval_accuracy": "number",
    "unclipped_share": "number",  # share of the update's entries that the optimizer did not clip
    "load_imbalance": "number",  # the largest expert's load over the mean load
    "router_entropy": "number",  # entropy of the router's scores over that of equal scores
    "dropped_share": "number",  # share of the choices beyond the capacity of the chosen expert
}
# Columns that a network's method `statistics` may fill.
STATISTICS = ("load_imbalance", "router_entropy", "dropped_share")
AT_EVALUATIONS = ("eval_loss", "eval_accuracy")  # measured at evaluations only
ALONG_TRAINING = tuple(name for name in HISTORY if name not in ("step", *AT_EVALUATIONS))

SECONDS = ("seconds", "optimizer_seconds", "curvature_seconds")
# Kind and source of the columns that the runs table has beside grid, key and axes, one row per run.
# Sources are `training`, an attribute of `training.loop.Training` that the record of the run in the
# store keeps; `history`, the last row of the history; and `provenance`, that of the record.
_SUMMARY: Mapping[str, tuple[str, str]] = {
    "status": ("text", "training"),
    "steps_done": ("count", "training"),
    "final_loss": ("number", "training"),  # of a diverged run: null in its record, +inf in its row
    **dict.fromkeys(AT_EVALUATIONS, ("number", "history")),
    **dict.fromkeys(SECONDS, ("number", "training")),
    "flops": ("large count", "training"),
    "torch": ("text", "provenance"),
    "device": ("text", "provenance"),
}
SUMMARY: Mapping[str, str] = {name: kind for name, (kind, _) in _SUMMARY.items()}


def summary_of(source: str) -> tuple[str, ...]:
    """The columns of the summary that come from a source."""
    return tuple(name for name, (_, origin) in _SUMMARY.items() if origin == source)
