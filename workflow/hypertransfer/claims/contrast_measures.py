"""Measures of the difference between two arms in how a sweep's optimum moves with the size."""

from __future__ import annotations

from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis.estimate import Estimate, linear
from hypertransfer.analysis.tables import Tables
from hypertransfer.claims import reach
from hypertransfer.claims.measure import TWO_SIZES, measure, sweeps_of_arms_over_sizes
from hypertransfer.claims.reach import Range


@measure(
    "octaves",
    schemas=TWO_SIZES,
    values=Range(contrast=True, on_grid=reach.shift_contrast),
)
def shift_contrast(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "",
    column: str = "parameterisation",
    size: str = "shape.width",
    loss: str = "final_loss",
) -> Estimate:
    """The shift of the best learning rate of `of`, minus that of `over`.

    The shift of an arm is the log₂ ratio of the best learning rates of its largest and its smallest
    size, with its sign, as in `optimum_shift`. The arms have the same seeds, which are left out
    together. Positive if the best learning rate of `of` rises more, or falls less.
    """
    arms, left_out = sweeps_of_arms_over_sizes(tables, column, (of, over), size, loss)
    ends = [end for swept in arms for end in (swept[0], swept[-1])]
    estimate = analysis_sweeps.of_optima(
        ends, lambda places: linear([-1, 1, 1, -1], places), level=level
    )
    note = analysis_sweeps.left_out_note(left_out, f"{column} and {size}", "lr")
    return estimate.with_caveats(note, left_out)
