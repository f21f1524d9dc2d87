"""Measures of the difference between two arms in how a sweep's optimum moves with the size."""

from __future__ import annotations

from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis.arms import of_arms
from hypertransfer.analysis.estimate import Estimate, linear
from hypertransfer.analysis.tables import Tables, need, unique_runs
from hypertransfer.claims import reach
from hypertransfer.claims.measure import TWO_SIZES, ClaimError, measure
from hypertransfer.claims.reach import Range


@measure(
    "octaves",
    schemas=TWO_SIZES,
    values=Range(contrast=True, on_grid=reach.shift_contrast),
)
def shift_contrast(
    tables: Tables,
    seed: int,
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
    runs = of_arms(unique_runs(tables), column, loss, (of, over))
    need("runs", runs, (size, "seed", "status", "lr"))
    runs, left_out = analysis_sweeps.common_seeds(runs, [column, size], "lr")
    arms = [analysis_sweeps.sweeps(runs[runs[column] == name], size, loss) for name in (of, over)]
    if any(len(sweeps) < 2 for sweeps in arms):
        raise ClaimError(f"{of} and {over} need runs at two or more values of {size}")

    ends = [end for swept in arms for end in (swept[0], swept[-1])]
    estimate = analysis_sweeps.of_optima(ends, lambda places: linear([-1, 1, 1, -1], places))
    note = analysis_sweeps.left_out_note(left_out, f"{column} and {size}", "lr")
    return estimate.with_caveats(note, left_out)
