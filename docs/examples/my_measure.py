"""A measure: how much the final loss spreads over seeds.

In the library the function would stand in `workflow/hypertransfer/claims/sweep_measures.py`.
A module of its own is added to `FAMILIES` in `claims/families.py`.
"""

from hypertransfer.analysis.estimate import Estimate, exact
from hypertransfer.analysis.intervals import over_seeds
from hypertransfer.analysis.tables import Tables
from hypertransfer.claims.measure import measure


@measure("loss")
def seed_spread(tables: Tables, level: float, *, loss: str = "final_loss") -> Estimate:
    """Standard deviation of a loss over the seeds of the selected runs.

    `level` is the probability with which the interval should cover, 0.95 for verdicts.
    """
    losses = tables["runs"].groupby("seed")[loss].mean().to_numpy()
    return over_seeds(
        lambda seeds: exact(float(losses[seeds].std(ddof=1))), len(losses), level=level, log=True
    )
