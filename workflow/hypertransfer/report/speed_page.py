"""The speed page of the documentation, written from the table of the benchmarks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypertransfer.claims.bars import longer_texts, meets, text_on_side
from hypertransfer.report.markdown import joined, numerals, page, table

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
ERRORS = "largest relative error, "
FAR = 10  # a rival whose error is smaller by this factor has done more than it was asked for
UNEQUAL = (
    "The tolerances are few, so the errors are not equal. By a factor of at least {factor}, these "
    "stopped at a smaller error than ours, and their products and seconds above bought more: "
    "{rivals}."
)


class SpeedError(ValueError):
    """A table of benchmarks that cannot be shown; the message says what to do."""


@dataclass(frozen=True)
class Section:
    """A table of the benchmarks that are read by one rule.

    Attributes:
        title: the heading.
        rule: how the numbers are read.
        columns: the heads of the columns after the first, each with its column in the benchmarks.
        bar: the column that a target binds, and the bar's end that the target is, `min` or `max`.
    """

    title: str
    rule: str
    columns: Mapping[str, str]
    bar: tuple[str, str] | None = None

    def text(self, rows: Sequence[Row]) -> str:
        """Heading, rule and table; an empty string without rows."""
        if not rows:
            return ""
        head = ("what", *self.columns, *(("target met",) if self.bar else ()), "unit")
        return f"## {self.title}\n\n{self.rule}\n\n{table(head, map(self._cells, rows))}"

    def _cells(self, row: Row) -> list[str]:
        numbers = {column: _number(row[column]) for column in self.columns.values()}
        column, end = self.bar or ("", "")
        target = numbers.get("target")
        bar = {} if target is None or not self.bar else {end: target}
        texts = [
            _exact(number)
            if name == "target"
            else _significant(number, bar if name == column else {})
            for name, number in numbers.items()
        ]
        verdict = [_met(numbers[column], bar)] if self.bar else []
        return [row["metric"], *map(numerals, texts), *verdict, row["unit"]]


# The sections of the page by the value of the column `rule` in their rows.
SECTIONS = {
    "saving": Section(
        "Curvature probes: savings",
        "Hessian–vector products (HVPs) and seconds for the largest eigenvalues at the checkpoints "
        "of a small ConvNet. `saving` is the rival's number over ours: higher is better, and the "
        "target is its lower bound. Each method has the loosest of a few tolerances whose measured "
        "error is within the one that the row names, from all of several starts. For several "
        "eigenvalues, ours starts from the last checkpoint's vectors; the rivals start anew at "
        "each checkpoint. For one eigenvalue, ours goes on until the risk that a larger one is "
        "hidden is small; the rivals have no such rule.",
        {"ours": "ours", "rival": "rival", "saving": "ratio", "target": "target"},
        ("ratio", "min"),
    ),
    "error": Section(
        "Curvature probes: errors",
        "The errors at which the methods of the last table stopped.",
        {"ours": "ours", "rival": "rival"},
    ),
    "miss": Section(
        "Curvature probes: misses",
        "Starts, of 1,000, at which an eigenvalue is larger than the value found by more than the "
        "stated error, on Hessians whose whole spectrum is known. For the probe that is the error "
        "in its table, for eigsh (ARPACK) the tolerance it is given. Lower is better, and the "
        "target is an upper bound.",
        {"ours": "ours", "eigsh": "rival", "target": "target"},
        ("ours", "max"),
    ),
    "limit": Section(
        "Limits",
        "Our number against a limit: lower is better, and the target is its upper bound. Beside "
        "planning is what a Snakefile with one job for each run takes.",
        {"ours": "ours", "target": "target", "plain Snakefile": "rival"},
        ("ours", "max"),
    ),
    "rate": Section(
        "Rates",
        "Operations or tokens in a second: higher is better. `ratio` is ours over what the row "
        "names, and the target is its lower bound.",
        {"ours": "ours", "compared with": "rival", "ratio": "ratio", "target": "target"},
        ("ratio", "min"),
    ),
    "share": Section(
        "Shares of a whole job",
        "Seconds of a part over those of the whole job: higher is better, and the target is the "
        "lower bound of the share. Core seconds are wall seconds times hardware threads.",
        {"part": "ours", "whole": "rival", "share": "ratio", "target": "target"},
        ("ratio", "min"),
    ),
    "cost": Section(
        "Costs",
        "Lower is better. `share` is the cost over that of a whole job, where the row names one.",
        {"ours": "ours", "whole job": "rival", "share": "ratio"},
    ),
    "landscape": Section(
        "Best learning rates: landscapes",
        "Base-2 logarithms of the best learning rates of small networks, for which the searches of "
        "the next tables look. Each network was trained once at 57 learning rates an eighth of an "
        "octave apart, with 16 seeds, and with 48 more near the best one. The best learning rate "
        "is the minimum of a polynomial through the mean log loss. Its error has two parts: one "
        "standard error over seeds, and half the range over polynomials of degree 4 to 6. The "
        "target is the upper bound of the error; searches leave out the landscapes that miss it.",
        {"log2 learning rate": "ours", "error": "rival", "target": "target"},
        ("rival", "max"),
    ),
    "located": Section(
        "Best learning rates: runs",
        "Runs until the error of the best learning rate is at most a quarter of an octave in 80 % "
        "of the searches of all landscapes: lower is better. ∞ means that no number of runs that "
        "was tried is enough. A search knows the range of seven octaves, and asks for runs, each a "
        "learning rate and a seed. Ours are rounds of an adaptive axis that refine octaves to half "
        "octaves, from a start anywhere in the range. Rounds and grids have equal seeds at all "
        "learning rates, 1 to 12 of them; the runs are the mean over the searches with the number "
        "of seeds that needs fewest runs. Optuna's samplers have their defaults and up to 40 "
        "trials, each with a seed that is new at its learning rate. A row names the answer of both "
        "sides. The estimate of claims allows for a curve that is steeper on one side. The fitted "
        "parabola is the benchmark's own, through all runs within an octave of the best mean; it "
        "varies less with the seeds, but has a bias where the curve is steeper on one side.",
        {"ours": "ours", "rival": "rival", "ratio": "ratio"},
    ),
    "off": Section(
        "Best learning rates: errors",
        "Median errors of the same searches, in octaves, with the largest number of seeds or "
        "trials whose mean number of runs is at most the number in the row: lower is better.",
        {"ours": "ours", "rival": "rival", "ratio": "ratio"},
    ),
    "decided": Section(
        "Claims that are decided per core-hour",
        "The paper's claims of `super_consistency` that hold or fail, at desk scale, with the "
        "learning rates and seeds that rounds and looks find, against the learning rates and seeds "
        "that the study listed, and with more of the listed seeds. The lists had been placed "
        "around the best learning rates with results known, which rounds are not told. Claims, "
        "measures, bars and estimators are the same; hours are those of training and probing on "
        "one core. The study has further grids, and one budget for the claims of all, so that its "
        "scorecard may decide fewer. Higher is better, and the target is the lower bound of the "
        "ratio.",
        {"found": "ours", "listed": "rival", "ratio": "ratio", "target": "target"},
        ("ratio", "min"),
    ),
    "stable": Section(
        "Verdicts that are the same again",
        "The paper's claims of `super_consistency` at desk scale, as they are and after a change: "
        "with other random numbers in all runs, and with another rounding, that of a processor "
        "without vector instructions. Verdicts are compared where both runs decide a claim. Higher "
        "is better, and the target is a lower bound.",
        {"value": "ours", "after the change": "rival", "target": "target"},
        ("ours", "min"),
    ),
    "ratio": Section(
        "Times and evaluations against others",
        "`ratio` is ours over the rival's: lower is better, and the target is its upper bound. "
        "Evaluations are of as many repeats as the row says; the [scorecard of "
        "`search_spaces`](scorecards/search_spaces.md) has those of the study, which repeats the "
        "searches more often.",
        {"ours": "ours", "rival": "rival", "ratio": "ratio", "target": "target"},
        ("ratio", "max"),
    ),
}


def speed_page(benchmarks: pd.DataFrame) -> str:
    """The page of `results/benchmarks.parquet`, with the commits and devices of the rows.

    Raises:
        SpeedError: a row has no rule, or one that no section has.
    """
    if "rule" not in benchmarks or not set(benchmarks["rule"]) <= set(SECTIONS):
        raise SpeedError(
            f"results/benchmarks.parquet: the column `rule` must be one of {', '.join(SECTIONS)}; "
            "move the file away and run `make bench` again"
        )
    facts = [
        ("commits", joined(benchmarks["git"])),
        ("torch", joined(benchmarks["torch"])),
        ("devices", joined(benchmarks["device"])),
        ("finished", f"{min(benchmarks['finished'])} to {max(benchmarks['finished'])}"),
    ]
    parts = []
    for rule, section in SECTIONS.items():
        rows = benchmarks[benchmarks["rule"] == rule].to_dict("records")
        parts += [section.text(rows), _unequal(rows) if rule == "error" else ""]
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
    return "met" if meets(value, bar) else "**missed**"


def _exact(target: float | None) -> str:
    """All digits of a target, which is typed by hand."""
    return "" if target is None else f"{target:,.12g}"


def _significant(value: float | None, bar: Mapping[str, float]) -> str:
    """Three significant digits, or all digits of whole thousands; more if the bar needs them."""
    if value is None:
        return ""
    if math.isinf(value):
        return "∞"
    if abs(float(f"{value:.3g}")) < 1000:
        return text_on_side(value, bar, longer_texts(value, 3))
    text = text_on_side(value, bar, longer_texts(value, 0, "f"))
    whole, point, rest = text.partition(".")
    return f"{int(whole):,}{point}{rest}"
