"""The values that a measure can have: at all, and with the values that a grid tries.

A measure declares its range with `measure(..., values=...)`. Planning compares it with a claim's
bar: a claim that its grid cannot contradict, or cannot confirm, is an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise, product
from typing import Any, NamedTuple

from hypertransfer.claims.bars import TOLERANCE
from hypertransfer.runs.table_values import name_of

Row = Mapping[str, Any]
STAYS, MOVES, CONTRAST, LEVEL = ("stays", "moves", "contrast", "level")


class Reach(NamedTuple):
    """The extreme intervals that a measure can have on some runs.

    Attributes:
        least_high: the least possible upper end of an interval.
        greatest_low: the greatest possible lower end of an interval.
        width: the least possible width of an interval, even without noise.
    """

    least_high: float = -math.inf
    greatest_low: float = math.inf
    width: float = 0.0

    @property
    def magnitude(self) -> Reach:
        """The reach of the absolute value."""
        low, high = self.least_high, self.greatest_low
        inside = low - self.width / 2 <= 0 <= high + self.width / 2
        least = self.width / 2 if inside else min(abs(low), abs(high))
        return Reach(least, max(high, -low), self.width / 2)


OPEN = Reach(math.inf, -math.inf)  # both ends of every interval are open


@dataclass(frozen=True)
class Range:
    """The values that a measure can have.

    Attributes:
        least, greatest: bounds of the value on any runs.
        unmoved: the value at which nothing moves or differs; None if there is no such value.
        contrast: whether the measure compares arms or methods.
        on_grid: a function of the selected rows and of all options that returns the reach on these
            rows, apart from `least` and `greatest`; None if the rows do not bound the value
            further. See `group_reach` for rows of other tables than that of runs.
        swept: the option that names the swept column, whose values bound the reach.
        of_quantity: bounds for single values of the option `quantity`.
    """

    least: float = -math.inf
    greatest: float = math.inf
    unmoved: float | None = None
    contrast: bool = False
    on_grid: Callable[[Sequence[Row], Mapping[str, Any]], Reach] | None = None
    swept: str = "axis"
    of_quantity: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def swept_column(self, options: Mapping[str, Any]) -> str:
        """The column of the hyperparameter that was swept."""
        return options.get(self.swept, "lr")

    def reach(self, rows: Sequence[Row] | None, options: Mapping[str, Any]) -> Reach:
        """The reach on the selected rows; on any rows if `rows` is None."""
        bounds = (self.least, self.greatest)
        least, greatest = self.of_quantity.get(options.get("quantity", ""), bounds)
        found = self.on_grid(rows, options) if self.on_grid and rows else Reach()
        low, high = max(least, found.least_high), min(greatest, found.greatest_low)
        return Reach(low, high, found.width)


UNBOUNDED = Range()


def form(values: Range, bar: Mapping[str, float]) -> str:
    """The form of a claim's test, which follows from its measure and its bar.

    `contrast`: arms or methods are compared. `stays`: the bar allows small departures from the
    value at which nothing moves. `moves`: the bar excludes this value, or ends there. `level`: the
    measure has no such value.
    """
    if values.contrast:
        return CONTRAST
    if values.unmoved is None:
        return LEVEL
    low, high = bar.get("min", -math.inf), bar.get("max", math.inf)
    above_low = low < values.unmoved or values.unmoved == values.least >= low
    return STAYS if above_low and values.unmoved < high else MOVES


def fault(reach: Reach, bar: Mapping[str, float], unit: str) -> str:
    """Why a claim cannot hold, or cannot fail, in its reach; empty if it can do both.

    A value on the bar itself does not count, since seeds vary around it.
    """
    low, high = bar.get("min", -math.inf), bar.get("max", math.inf)
    if reach.least_high == math.inf and reach.greatest_low == -math.inf:
        return "it can neither hold nor fail: both ends of the interval are open"
    if high - low <= reach.width + TOLERANCE:
        return f"it cannot hold: intervals are at least {_text(reach.width, unit)} wide"
    if high < math.inf and reach.least_high >= high - TOLERANCE:
        return f"it cannot hold: the least measurable value is {_text(reach.least_high, unit)}"
    if low > -math.inf and reach.greatest_low <= low + TOLERANCE:
        return f"it cannot hold: the greatest measurable value is {_text(reach.greatest_low, unit)}"
    if reach.least_high == math.inf and high == math.inf:
        return "it cannot fail: the upper end of the interval is open"
    if reach.greatest_low == -math.inf and low == -math.inf:
        return "it cannot fail: the lower end of the interval is open"
    if reach.least_high >= low - TOLERANCE and reach.greatest_low <= high + TOLERANCE:
        values = f"{_text(reach.least_high)} to {_text(reach.greatest_low, unit)}"
        return f"it cannot fail: the measurable values are {values}"
    return ""


def _text(value: float, unit: str = "") -> str:
    return f"{value:.4g} {unit}".strip()


# Reach on a grid. A ladder is the ascending log2 values that were tried at one size or arm.


def ladders(rows: Iterable[Row], by: str, swept: str) -> dict[Any, list[float]]:
    """The log2 of the positive values tried of a column, for each value of the column `by`."""
    tried: dict[Any, set[float]] = {}
    for row in rows:
        tried.setdefault(row[by], set()).add(math.log2(row[swept]))
    return {value: sorted(tried[value]) for value in sorted(tried)}


def _optima(ladder: Sequence[float]) -> tuple[float, float]:
    """The least upper and the greatest lower bound of an optimum on a ladder.

    An optimum is known to half a step. On an edge it is open, and bounded on the other side by half
    a step from the edge.
    """
    if len(ladder) < 2:
        return math.inf, -math.inf
    return (ladder[0] + ladder[1]) / 2, (ladder[-2] + ladder[-1]) / 2


def _difference(large: tuple[float, float], small: tuple[float, float]) -> Reach:
    return Reach(large[0] - small[1], large[1] - small[0])


def optimum_shift(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of the shift of an optimum from the smallest to the largest size."""
    tried = list(ladders(rows, options["size"], options.get("axis", "lr")).values())
    reach = _difference(_optima(tried[-1]), _optima(tried[0]))
    return reach if options.get("signed", True) else reach.magnitude


def optimum_slope(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of the least-squares slope of optima over log2 of the size."""
    tried = ladders(rows, options["size"], options.get("axis", "lr"))
    sizes = [math.log2(size) for size in tried]
    mean = sum(sizes) / len(sizes)
    square = sum((x - mean) ** 2 for x in sizes)
    if not square:
        return Reach()
    low = high = 0.0
    for x, optimum in zip(sizes, map(_optima, tried.values()), strict=True):
        if weight := (x - mean) / square:
            least, greatest = optimum if weight > 0 else reversed(optimum)
            low, high = low + weight * least, high + weight * greatest
    return Reach(low, high)


def regret(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of a regret, whose ends are open if an optimum lies on an edge.

    With one or two learning rates it always does: of the smallest size both ends are open, and of
    the largest size the upper one.
    """
    tried = list(ladders(rows, options["size"], "lr").values())
    if len(tried[0]) < 3:
        return OPEN
    return Reach() if len(tried[-1]) > 2 else Reach(least_high=math.inf)


def gain(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of a gain at one learning rate, which the smallest and the largest size share."""
    tried = list(ladders(rows, options["size"], "lr").values())
    return Reach() if {*tried[0]} & {*tried[-1]} else OPEN


def stable_shift(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of the shift of the largest stable value, which is known up to a step."""
    tried = list(ladders(rows, options["size"], options["axis"]).values())
    small, large = tried[0], tried[-1]
    if min(len(small), len(large)) < 2:
        return OPEN
    # The largest stable value is at least the last one tried, and at most the first one.
    width = sum(min(b - a for a, b in pairwise(ladder)) for ladder in (small, large))
    reach = Reach(large[0] - small[-1], large[-1] - small[0], width)
    return reach if options["signed"] else reach.magnitude


def _of_arm(rows: Sequence[Row], options: Mapping[str, Any], arm: str) -> list[Row]:
    """The rows of the arm that an option names, by the names that measures give to arms."""
    return [row for row in rows if name_of(row[options["column"]]) == options[arm]]


def shift_contrast(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of the difference of the shifts of two arms."""
    of, over = (optimum_shift(_of_arm(rows, options, arm), options) for arm in ("of", "over"))
    return Reach(of.least_high - over.greatest_low, of.greatest_low - over.least_high)


def place_range(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of the range over groups of the place of least loss.

    Each place is known to half a step, and is open beyond the first and the last one tried. If two
    groups have the same place, the interval of their range is therefore from 0 to a step.
    """
    tried: dict[Any, set[float]] = {}
    for row in rows:
        if row.get(options["along"]) is not None:
            tried.setdefault(row[options["between"]], set()).add(row[options["along"]])
    groups = [sorted(places) for places in tried.values()]
    pairs = [_distance(one, other) for one, other in combinations(groups, 2)]
    least, greatest, widths = zip(*pairs, strict=True) if pairs else ((0.0,), (math.inf,), (0.0,))
    return Reach(max(least), max(greatest), min(widths))


def _distance(one: Sequence[float], other: Sequence[float]) -> Reach:
    """The reach of the distance between the optima on two ladders."""
    inner = [
        [((a + b) / 2, (b + c) / 2) for a, b, c in zip(x, x[1:], x[2:], strict=False)]
        for x in (one, other)
    ]
    intervals = [
        (max(0.0, a[0] - b[1], b[0] - a[1]), max(a[1] - b[0], b[1] - a[0]))
        for a, b in product(*inner)
    ]
    shift = _difference(_optima(one), _optima(other))
    return Reach(
        min((high for _, high in intervals), default=math.inf),
        max(0.0, shift.greatest_low, -shift.least_high),
        min((high - low for low, high in intervals), default=math.inf),
    )


def horizon_share(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of a number of steps of one arm, as a share of the most steps of the other arm."""
    steps = {
        arm: [row[options["size"]] for row in _of_arm(rows, options, arm)] for arm in ("of", "over")
    }
    if not steps["of"] or not steps["over"]:
        return Reach(0.0)
    most = max(steps["over"])
    return Reach(min(steps["of"]) / most, max(steps["of"]) / most)
