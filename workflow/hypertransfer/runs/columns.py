"""Columns of what a run leaves: its history along training, and its summary.

Each column has a kind: `count`, `number`, or `text`. Every module that writes, reads, measures or
draws these columns takes their names from here.
"""

from __future__ import annotations

from collections.abc import Mapping

# One row a recorded step; a quantity that is not measured at a step is NaN, and null in tables.
HISTORY: Mapping[str, str] = {
    "step": "count",
    "train_loss": "number",
    "eval_loss": "number",
    "eval_accuracy": "number",
    "unclipped_share": "number",  # entries of the update that the optimizer did not clip
    "load_imbalance": "number",  # the largest expert's load over the mean load
    "router_entropy": "number",  # entropy of the router's scores over that of even scores
    "dropped_share": "number",  # choices of experts that found no room
}
AT_EVALUATIONS = ("eval_loss", "eval_accuracy")  # measured at evaluations only
ALONG_TRAINING = tuple(name for name in HISTORY if name not in ("step", *AT_EVALUATIONS))

SECONDS = ("seconds", "optimizer_seconds", "curvature_seconds")
# One row a run, beside its grid, key and axes: the kind and the source of each column. Sources are
# `training`, an attribute of `training.loop.Training` that the run's record in the store keeps;
# `history`, the last row of the history; and `provenance`, the provenance in the record.
_SUMMARY: Mapping[str, tuple[str, str]] = {
    "status": ("text", "training"),
    "steps_done": ("count", "training"),
    "final_loss": ("number", "training"),  # of a diverged run null in its record, +inf in its row
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
