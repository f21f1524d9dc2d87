"""The speed page of the documentation, written from the table of the benchmarks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypertransfer.claims.bars import text_on_side
from hypertransfer.report.markdown import joined, numerals, page, table

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
RATES = ("GFLOP/s", "tokens/s")
ERRORS = "largest relative error, "
FAR = 10  # a rival whose error is smaller by this factor has done more than it was asked for
UNEQUAL = (
    "The tolerances are few, so the errors are not equal. By a factor of at least {factor}, these "
    "stopped at a smaller error than ours, and their products and seconds above bought more: "
    "{rivals}."
)


@dataclass(frozen=True)
class Section:
    """A table of benchmarks that are read by one rule.

    Attributes:
        title: the heading.
        rule: how the numbers are read.
        holds: whether a row belongs to the table.
        columns: the heads of the columns after the first, each with the value in a row.
        bar: the column that a target binds, and the bar's end that the target is, `min` or `max`.
    """

    title: str
    rule: str
    holds: Callable[[Row], bool]
    columns: Mapping[str, Callable[[Row], float | None]]
    bar: tuple[str, str] | None = None

    def text(self, rows: Sequence[Row]) -> str:
        """Heading, rule and table; an empty string without rows."""
        if not rows:
            return ""
        head = ("what", *self.columns, *(("target met",) if self.bar else ()), "unit")
        return f"## {self.title}\n\n{self.rule}\n\n{table(head, map(self._cells, rows))}"

    def _cells(self, row: Row) -> list[str]:
        numbers = {name: value(row) for name, value in self.columns.items()}
        target = _number(numbers.get("target"))
        column, end = self.bar or ("", "")
        bar = {} if target is None or not self.bar else {end: target}
        texts = [
            _significant(value, bar if name == column else {}) for name, value in numbers.items()
        ]
        verdict = [_met(_number(numbers[column]), bar)] if self.bar else []
        return [row["metric"], *map(numerals, texts), *verdict, row["unit"]]


def _is_error(row: Row) -> bool:
    return row["benchmark"] == "probe" and row["metric"].startswith(ERRORS)


def _is_limit(row: Row) -> bool:
    """Whether our number has a limit of its own: planning, and a wall time against a given one."""
    return row["benchmark"] == "plan" or (row["benchmark"] == "workflow" and row["target"] == 1)


def _limit(row: Row) -> float | None:
    return row["target"] if row["benchmark"] == "plan" else row["target"] * row["rival"]


def _plain_snakefile(row: Row) -> float | None:
    return row["rival"] if row["benchmark"] == "plan" else None


def _column(name: str) -> Callable[[Row], float | None]:
    return lambda row: row[name]


OURS, RIVAL, RATIO, TARGET = map(_column, ("ours", "rival", "ratio", "target"))
# A row stands in the first section that holds it.
SECTIONS = (
    Section(
        "Curvature probes: savings",
        "Hessian–vector products (HVPs) and seconds for the largest eigenvalues at the checkpoints "
        "of a small ConvNet. `saving` is the rival's number over ours: higher is better, and the "
        "target is its lower bound. Each method has the loosest of a few tolerances whose measured "
        "error is below 1 %. Ours starts from the last checkpoint's vectors, the rivals start anew "
        "at each checkpoint.",
        lambda row: row["benchmark"] == "probe" and not _is_error(row),
        {"ours": OURS, "rival": RIVAL, "saving": RATIO, "target": TARGET},
        ("saving", "min"),
    ),
    Section(
        "Curvature probes: errors",
        "The errors at which the methods of the last table stopped.",
        _is_error,
        {"ours": OURS, "rival": RIVAL},
    ),
    Section(
        "Limits",
        "Our number against a limit: lower is better, and the target is its upper bound. Beside "
        "planning is what a Snakefile with one job for each run takes.",
        _is_limit,
        {"ours": OURS, "target": _limit, "plain Snakefile": _plain_snakefile},
        ("ours", "max"),
    ),
    Section(
        "Rates",
        "Operations or tokens in a second: higher is better. `ratio` is ours over what the row "
        "names, and the target is its lower bound.",
        lambda row: row["unit"] in RATES,
        {"ours": OURS, "compared with": RIVAL, "ratio": RATIO, "target": TARGET},
        ("ratio", "min"),
    ),
    Section(
        "Shares of a whole job",
        "Seconds of a part over those of the whole job. The target is a lower bound of the share. "
        "Core seconds are wall seconds times hardware threads.",
        lambda row: row["benchmark"] == "workflow",
        {
            "part": lambda row: min(row["ours"], row["rival"]),
            "whole": lambda row: max(row["ours"], row["rival"]),
            "share": RATIO,
            "target": TARGET,
        },
        ("share", "min"),
    ),
    Section(
        "Costs without a rival",
        "Lower is better.",
        lambda row: _number(row["rival"]) is None,
        {"ours": OURS},
    ),
    Section(
        "Times and evaluations against others",
        "`ratio` is ours over the rival's: lower is better, and the target is its upper bound.",
        lambda row: True,
        {"ours": OURS, "rival": RIVAL, "ratio": RATIO, "target": TARGET},
        ("ratio", "max"),
    ),
)


def speed_page(benchmarks: pd.DataFrame) -> str:
    """The page of `results/benchmarks.parquet`, with the commits and devices of the rows."""
    grouped: dict[str, list[Row]] = {section.title: [] for section in SECTIONS}
    for row in benchmarks.to_dict("records"):
        section = next(section for section in SECTIONS if section.holds(row))
        grouped[section.title].append(row)
    facts = [
        ("commits", joined(benchmarks["git"])),
        ("torch", joined(benchmarks["torch"])),
        ("devices", joined(benchmarks["device"])),
        ("finished", f"{min(benchmarks['finished'])} to {max(benchmarks['finished'])}"),
    ]
    parts = []
    for section in SECTIONS:
        rows = grouped[section.title]
        parts += [section.text(rows), _unequal(filter(_is_error, rows))]
    return page(
        "Speed",
        "Measured by `make bench`. Each table has its own rule. A target is the project's own.",
        table(("fact", "value"), facts),
        *parts,
    )


def _unequal(errors: Iterable[Row]) -> str:
    """A sentence that names the rivals with far smaller errors; empty if there are none."""
    far = [
        row["metric"].removeprefix(ERRORS) for row in errors if row["rival"] * FAR <= row["ours"]
    ]
    return UNEQUAL.format(factor=FAR, rivals="; ".join(far)) if far else ""


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _met(value: float | None, bar: Mapping[str, float]) -> str:
    """Whether a value meets a bar; empty without a bar."""
    if not bar or value is None:
        return ""
    met = bar.get("min", -math.inf) <= value <= bar.get("max", math.inf)
    return "met" if met else "**missed**"


def _significant(value: float | None, bar: Mapping[str, float]) -> str:
    """Three significant digits, or all digits of whole thousands; more if the bar needs them."""
    value = _number(value)
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return text_on_side(value, bar, (f"{value:.{digits}g}" for digits in range(3, 18)))
