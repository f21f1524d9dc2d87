"""The losses of a table of past evaluations as numbers, of which lower is better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hypertransfer.spaces.tasks.table_file import is_empty
from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.spaces.tasks.written_values import number

# Texts of a loss that is not finite, in lower case.
_NOT_FINITE = {
    "nan": math.nan,
    **dict.fromkeys(("inf", "+inf", "infinity", "+infinity"), math.inf),
    **dict.fromkeys(("-inf", "-infinity"), -math.inf),
}


def losses_of(
    rows: pd.DataFrame, about: Mapping[str, Any], diverged: pd.Series, file: str
) -> dict[str, pd.Series]:
    """The losses in the columns of the curves and in the column of the loss, by column.

    They are +inf for evaluations that diverged. `diverged` has the rows whose state says so.

    Raises:
        TableError: a loss cannot be read, or the curves do not end with the loss.
    """
    loss = about.get("loss", about.get("score"))
    curves = about["curves"]["columns"] if "curves" in about else []
    worst = "-inf" if "score" in about else "inf"
    losses = {name: _losses(rows[name], diverged, worst, file) for name in (*curves, loss)}
    losses = {name: -column if "score" in about else column for name, column in losses.items()}
    for name, column in losses.items():
        column = column.where(~diverged | np.isfinite(column), math.inf)
        losses[name] = _worst_if_endless(rows[name], column, worst, file)
    if curves:
        _check_last_of_curves(rows, losses, curves[-1], loss, diverged, file)
    losses[loss] = losses[loss].mask(diverged, math.inf)
    if curves:  # whose last column differs in diverged rows only
        losses[curves[-1]] = losses[loss]
    return losses


def _losses(values: pd.Series, diverged: pd.Series, worst: str, file: str) -> pd.Series:
    """The losses of a column as numbers; NaN where an evaluation diverged and has no loss.

    Raises:
        TableError: a loss of an evaluation that did not diverge is not a number.
    """
    losses = [_loss(value) for value in values]
    for index, written, loss in zip(values.index, values, losses, strict=True):
        if loss is None and not diverged[index]:
            raise _unreadable(values.name, index, written, worst, file)
    return pd.Series(losses, index=values.index, dtype=float)


def _loss(written: Any) -> float | None:
    """A loss as a number, which is infinite or NaN if that is written; None for no number."""
    if written is None or written is pd.NA:
        return None
    if isinstance(written, str):
        return _NOT_FINITE.get(written.strip().lower(), number(written))
    return number(written)


def _worst_if_endless(values: pd.Series, losses: pd.Series, worst: str, file: str) -> pd.Series:
    """Losses of which lower is better, with +inf for NaN.

    Raises:
        TableError: a loss is −inf, which would be the best of all.
    """
    for index, loss in losses.items():
        if loss == -math.inf:
            raise _unreadable(values.name, index, values[index], worst, file)
    return losses.fillna(math.inf)


def _unreadable(column: object, index: Any, written: Any, worst: str, file: str) -> TableError:
    """An error for a loss; `worst` is the text of the worst loss of all."""
    plain = written.item() if hasattr(written, "item") else written
    fault, diverged = f"{plain!r} in row {index + 1} is not a loss", f"{worst} or nan"
    if is_empty(written):
        fault = f"is empty in row {index + 1}"
        # pandas writes NaN to Parquet as an empty cell.
        diverged = (
            diverged if file.endswith(".csv") else f"{worst}, or a column `status` with `diverged`,"
        )
    return TableError(
        f"{file}: {column}: {fault}: write a number such as 1234.5, or {diverged} where training "
        "diverged, and leave trials that failed out by `where`"
    )


def _check_last_of_curves(
    rows: pd.DataFrame,
    losses: Mapping[str, pd.Series],
    last: str,
    loss: str,
    diverged: pd.Series,
    file: str,
) -> None:
    """Check that the last column of the curves has the losses, apart from diverged evaluations.

    `rows` has the values as they are written, for the message.

    Raises:
        TableError: the last column has another value than the loss in some row.
    """
    different = (losses[last] != losses[loss]) & ~diverged
    if different.any():
        row = different.idxmax()
        text = f"{last} is {rows[last][row]} and {loss} is {rows[loss][row]}"
        raise TableError(
            f"{file}: curves: columns: the last column has to be the loss, and {text} in row "
            f"{row + 1}: write {loss} as the last column, or {last} as the loss"
        )
