"""The correction of p values for the number of tests."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order of `p_values`.

    If all tests with an adjusted p value of at most α are called significant, the probability that
    any of them is false is at most α, however the tests depend on each other (Holm, Scandinavian
    Journal of Statistics 6, 1979). For verdicts in two directions, holds and fails, this is shown
    for independent tests.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(order), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
