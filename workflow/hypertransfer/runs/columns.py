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
# Values of a run's record that its row takes as they are.
RECORDED: Mapping[str, str] = {
    "status": "text",
    "steps_done": "count",
    **dict.fromkeys(SECONDS, "number"),
    "flops": "large count",
}
# One row a run, beside its grid, key and axes.
SUMMARY: Mapping[str, str] = {
    "status": "text",
    "steps_done": "count",
    "final_loss": "number",  # +inf for a run that diverged
    "eval_loss": "number",
    "eval_accuracy": "number",
    **dict.fromkeys(SECONDS, "number"),
    "flops": "large count",
    "torch": "text",
    "device": "text",
}
