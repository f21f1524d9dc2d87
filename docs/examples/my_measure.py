"""A measure: how much the final loss spreads over seeds.

In the library the function would stand in `workflow/hypertransfer/claims/sweep_measures.py`.
A module of its own is added to `FAMILIES` in `claims/families.py`.
"""

from hypertransfer.claims.measure import Measured, Tables, measure


@measure("loss")
def seed_spread(tables: Tables, seed: int, *, loss: str = "final_loss") -> Measured:
    """Standard deviation of a loss over the seeds of the selected runs.

    The interval is a bootstrap over seeds; `seed` is that of its generator.
    """
    from hypertransfer.analysis.estimate import bootstrap, exact

    losses = tables["runs"].groupby("seed")[loss].mean().to_numpy()
    found = bootstrap(
        lambda chosen: exact(float(losses[chosen].std())), len(losses), generator_seed=seed
    )
    return Measured(found.value, found.low, found.high, len(losses))
