"""Arms of a comparison: their runs at the best or a tuned learning rate, and their series."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.estimate import AnalysisError, need

if TYPE_CHECKING:
    import pandas as pd

    from hypertransfer.analysis.sweeps import Sweep


Tables = Mapping[str, "pd.DataFrame"]
TAIL = 0.1  # the share of a run that its final loss is a mean over


def with_measured(tables: Tables, loss: str) -> pd.DataFrame:
    """The runs, with what a probe measured at each one's last checkpoint if that is the loss."""
    runs = tables["runs"].drop_duplicates("key")
    if loss in runs or loss not in tables.get("probes", ()):
        return runs
    series = series_of(tables, runs, loss, None).dropna(subset=[loss]).sort_values("step")
    return runs.merge(series.groupby("key")[loss].last().reset_index(), on="key")


def series_of(tables: Tables, runs: pd.DataFrame, quantity: str, probe: str | None) -> pd.DataFrame:
    """The long table of a quantity: the training history, or what one probe measured."""
    name = "history" if quantity in tables.get("history", ()) else "probes"
    if name not in tables:
        raise AnalysisError(f"{quantity} needs the table {name!r}; given: {', '.join(tables)}")
    series = tables[name]
    need(name, series, ("key", "step", quantity))
    # A run may stand in several grids, probed differently: rows belong to a grid and a key.
    owner = [column for column in ("grid", "key") if column in series and column in runs]
    series = series.merge(runs[owner], on=owner)
    if name == "probes":
        series = series[series["probe"] == _probe(series, quantity, probe)]
    return series


def _probe(series: pd.DataFrame, quantity: str, probe: str | None) -> str:
    """The name of the probe that measured a quantity."""
    measured = sorted(series.loc[series[quantity].notna(), "probe"].unique())
    if probe is None and len(measured) > 1:
        raise AnalysisError(
            f"{quantity} was measured by several probes: name one as the option `probe`; "
            f"known: {', '.join(measured)}"
        )
    if not measured or (probe is not None and probe not in measured):
        known = ", ".join(measured) or "none"
        wanted = f"probe {probe!r} with" if probe else "probe that measured"
        raise AnalysisError(
            f"the selected runs have no {wanted} {quantity}; probes with it: {known}"
        )
    return probe or measured[0]


def named(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """The runs with the arms' names as text, numbers in their shortest form."""
    names = [value if isinstance(value, str) else f"{value:g}" for value in runs[column]]
    return runs.assign(**{column: names})


def sweeps_of_arms(runs: pd.DataFrame, column: str, loss: str) -> dict[str, Sweep]:
    """The sweep of each arm, over the seeds that all have."""
    from hypertransfer.analysis import sweeps as analysis_sweeps

    names = list(dict.fromkeys(runs[column]))
    numbered = runs.assign(arm=[1.0 + names.index(name) for name in runs[column]])
    found = analysis_sweeps.sweeps(analysis_sweeps.common_seeds(numbered, "arm")[0], "arm", loss)
    return dict(zip(names, found, strict=True))


def best_curves(
    tables: Tables, runs: pd.DataFrame, loss: str = "final_loss"
) -> tuple[Any, Any]:  # fmt: skip
    """Steps and training losses (seed, step) of an arm at its best learning rate.

    Each loss is the mean over a tenth of all steps before.
    """
    from hypertransfer.analysis import curves as analysis_curves
    from hypertransfer.analysis import trajectories

    (sweep,) = sweeps_of_arms(runs.assign(arms="one"), "arms", loss).values()
    best = sweep.lrs[sweep.losses.mean(axis=0).argmin()]
    chosen = runs[runs["lr"] == best].assign(one=1.0)
    paths = trajectories.trajectories(chosen, tables["history"], "train_loss", "one")
    return analysis_curves.trailing_means(paths.steps, paths.values[0], TAIL)


def at_best(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """The runs of each arm at its learning rate of least mean final loss."""
    import pandas as pd

    kept = [part[part["lr"] == best_lr(part)] for _, part in runs.groupby(column, sort=False)]
    return pd.concat(kept)


def best_lr(runs: pd.DataFrame) -> float:
    """The learning rate of least mean final loss; a run that diverged has none to speak of."""
    losses = runs["final_loss"].mask(runs["status"] == "diverged", math.inf)
    return losses.groupby(runs["lr"]).mean().idxmin()


def at_tuned(runs: pd.DataFrame, column: str, size: str) -> tuple[pd.DataFrame, str]:
    """The runs of the largest size at each arm's best learning rate of the smallest size.

    Or a caveat where those were not run.
    """
    import pandas as pd

    kept = []
    for name, arm in runs.groupby(column, sort=False):
        small = arm[arm[size] == arm[size].min()]
        best = best_lr(small)
        large = arm[(arm[size] == arm[size].max()) & (arm["lr"] == best)]
        if large.empty:
            text = f"{name}: {size} {arm[size].max():g} was not run at lr {best:.3g}, the best"
            return runs, f"{text} of {arm[size].min():g}"
        kept.append(large)
    return pd.concat(kept), ""
