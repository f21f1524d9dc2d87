"""Scorecard pages of the documentation, written from result tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.estimate import LEVEL, greatest_coverage
from hypertransfer.analysis.numerals import percent
from hypertransfer.claims.families import measures
from hypertransfer.claims.verdicts import undecided_because
from hypertransfer.report.markdown import joined, numerals, page, table, typeset
from hypertransfer.report.numbers import claim_bar_text, value_text
from hypertransfer.runs.scorecard import UNDECIDED, VERDICTS

if TYPE_CHECKING:
    import pandas as pd

SEEDS, TASKS = "seeds", "tasks"
SPACES = ("replays", "regions", "winners")  # tables of learned spaces, whose rows belong to tasks
CONTROL_MARK = "(negative control)"
NEGATIVE = (
    f"A claim marked {CONTROL_MARK} states a limit of the method: a case in which it is not "
    "expected to help. Such a claim *fails* if the method helped there, too."
)
FEW = (3, 4, 5)  # numbers of seeds whose intervals are known to be too narrow
RULE = (
    "A claim *holds* if its whole interval meets the bar, *fails* if its whole interval violates "
    "the bar, and is *undecided* otherwise, or if its control is not met or too few {units} ran "
    "([all reasons](../concepts.md#claim-and-verdict)). Intervals are {level} bootstrap intervals "
    "over {units}; those of few {units} cover less: {coverage}. {task}An end of an interval is "
    "*open* where the runs do not bound it. [Words](../concepts.md#words) explains the terms and "
    "symbols; the study's report says why each verdict fell as it did."
)
TASK = (
    "A task is one tuning problem, such as a model on a data set; of the networks that are trained "
    "here, each data set with each seed is a task. "
)


def scorecard_page(
    study: str, title: str, claims: pd.DataFrame, provenance: Mapping[str, str], units: str
) -> str:
    """The scorecard page of a study: every claim with its bar, value, interval and verdict.

    Args:
        study: name of the study.
        title: title of the study.
        claims: the table `claims` of the study.
        provenance: facts about the runs, such as scale, commits and dates, by name.
        units: the plural noun for what the study's intervals are over, `SEEDS` or `TASKS`.
    """
    counts = Counter(claims["verdict"])
    rows = [
        (
            numerals(typeset(claim["sentence"])),
            numerals(claim_bar_text(claim)),
            numerals(value_text(claim)),
            verdict_text(claim["verdict"], claim["reason"]),
        )
        for claim in claims.to_dict("records")
    ]
    return page(
        f"Scorecard: {title}",
        f"[What the study asks](../studies/{study}.md). {_rule(units)}",
        NEGATIVE if claims["sentence"].str.contains(CONTROL_MARK, regex=False).any() else "",
        table(("claims", *VERDICTS), [(len(claims), *(counts[name] for name in VERDICTS))]),
        "## Made with",
        table(("fact", "value"), provenance.items()),
        "## Claims",
        table(("claim", "bar", "here (interval)", "verdict"), rows),
    )


def units_of(claims: Iterable[Mapping[str, Any]]) -> str:
    """The plural noun for what the intervals of a study's claims, as in its config, are over."""
    names = {TASKS if measures()[claim["measure"]].table in SPACES else SEEDS for claim in claims}
    return " or ".join(sorted(names))


def provenance(
    claims: pd.DataFrame, runs: pd.DataFrame, records: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """Facts about the runs behind a scorecard.

    `records` are the `provenance` parts of the runs' records in the store.
    """
    records = list(records)
    finished = sorted(record["finished"] for record in records)
    return {
        "scale": joined(claims["scale"]),
        "edition": joined(claims["edition"]),
        "runs": f"{runs['key'].nunique():,}" if "key" in runs else "0",
        "commits": joined(record["git"] for record in records),
        "torch": joined(record["torch"] for record in records),
        "Python": joined(record["python"] for record in records),
        "devices": joined(record["device"] for record in records),
        "trained": f"{finished[0]} to {finished[-1]}" if finished else "no runs",
    }


def verdict_text(verdict: str, reason: str) -> str:
    """A verdict, bold where one was reached, else with a short reason if the interval is none."""
    if verdict != UNDECIDED:
        return f"**{verdict}**"
    because = undecided_because(reason)
    return f"{verdict} ({because})" if because else verdict


def _rule(units: str) -> str:
    coverage = ", ".join(f"{percent(greatest_coverage(n))} with {n}" for n in FEW)
    task = TASK if TASKS in units else ""
    return RULE.format(units=units, level=percent(LEVEL), coverage=f"at most {coverage}", task=task)
