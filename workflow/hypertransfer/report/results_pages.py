"""Scorecard and speed pages of the documentation, written from result tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hypertransfer.report.markdown import numerals, page, table, typeset
from hypertransfer.report.numbers import value_text
from hypertransfer.runs.scorecard import UNDECIDED, VERDICTS

if TYPE_CHECKING:
    import pandas as pd

RULE = (
    "A claim *holds* if its whole interval meets the bar, *fails* if its whole interval violates "
    "the bar, and is *undecided* otherwise, or if its control does not hold. Intervals are over "
    "seeds; those of `search_spaces` are over tasks. The report of the study says why each verdict "
    "fell as it did."
)
BENCHMARK_RULE = (
    "`ratio` is ours over the rival's. In the rows of Hessians it is the rival's over ours, and in "
    "core seconds the share of training and probing. `target` is a bound on the ratio, or on our "
    "number: a lower one for rates, shares and Hessians, else an upper one. The rival of planning "
    "is a Snakefile with one job for each run. Rows of Hessians (HVPs are Hessian-vector products) "
    "are over the checkpoints of a small ConvNet, each method at the loosest tolerance whose "
    "measured error is below 1 %; the rivals start anew at each checkpoint. Core seconds are wall "
    "seconds times hardware threads."
)


def scorecard_page(
    study: str, title: str, claims: pd.DataFrame, provenance: Mapping[str, str]
) -> str:
    """The scorecard page of a study: every claim with its bar, value, interval and verdict.

    Args:
        study: name of the study.
        title: title of the study.
        claims: the table `claims` of the study.
        provenance: facts about the runs, such as scale, commits and dates, by name.
    """
    counts = Counter(claims["verdict"])
    rows = [
        (
            numerals(typeset(claim["sentence"])),
            numerals(claim["bar"]),
            numerals(value_text(claim)),
            verdict_text(claim["verdict"]),
        )
        for claim in claims.to_dict("records")
    ]
    return page(
        f"Scorecard: {title}",
        f"[What the study asks](../studies/{study}.md). {RULE}",
        table(("claims", *VERDICTS), [(len(claims), *(counts[name] for name in VERDICTS))]),
        "## Made with",
        table(("fact", "value"), provenance.items()),
        "## Claims",
        table(("claim", "bar", "here (interval)", "verdict"), rows),
    )


def speed_page(benchmarks: pd.DataFrame) -> str:
    """The page of `results/benchmarks.parquet`, with the commits and devices of the rows."""
    rows = [
        (
            row["metric"],
            *(numerals(_significant(row[name])) for name in ("ours", "rival", "ratio", "target")),
            row["unit"],
        )
        for row in benchmarks.to_dict("records")
    ]
    return page(
        "Speed",
        f"Measured by `make bench`. {BENCHMARK_RULE}",
        table(
            ("fact", "value"),
            [
                ("commits", _each(benchmarks["git"])),
                ("torch", _each(benchmarks["torch"])),
                ("devices", _each(benchmarks["device"])),
                ("finished", f"{min(benchmarks['finished'])} to {max(benchmarks['finished'])}"),
            ],
        ),
        table(("what", "ours", "rival", "ratio", "target", "unit"), rows),
    )


def provenance(
    claims: pd.DataFrame, runs: pd.DataFrame, records: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """Facts about the runs behind a scorecard.

    `records` are the `provenance` parts of the runs' records in the store.
    """
    records = list(records)
    finished = sorted(record["finished"] for record in records)
    return {
        "scale": _each(claims["scale"]),
        "edition": _each(claims["edition"]),
        "runs": f"{runs['key'].nunique():,}" if "key" in runs else "0",
        "commits": _each(record["git"] for record in records),
        "torch": _each(record["torch"] for record in records),
        "Python": _each(record["python"] for record in records),
        "devices": _each(record["device"] for record in records),
        "trained": f"{finished[0]} to {finished[-1]}" if finished else "no runs",
    }


def verdict_text(verdict: str) -> str:
    """A verdict, bold where one was reached."""
    return verdict if verdict == UNDECIDED else f"**{verdict}**"


def _significant(value: float | None) -> str:
    """Three significant digits, or all digits of whole thousands."""
    if value is None or math.isnan(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _each(values: Iterable[object]) -> str:
    return ", ".join(sorted({str(value) for value in values})) or "unknown"
