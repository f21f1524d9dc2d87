"""Scorecard pages of the documentation, written from result tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.analysis.numerals import percent
from hypertransfer.claims.measuring import OF_MACHINE
from hypertransfer.report.comparisons import NOTE
from hypertransfer.report.counts import counts, decided_in_words
from hypertransfer.report.markdown import code, joined, numerals, page, table, typeset
from hypertransfer.report.numbers import certainty_text, needed_text, units_text, value_text
from hypertransfer.runs.scorecard import KINDS, UNDECIDED, VERDICTS
from hypertransfer.spaces.tasks import sources

if TYPE_CHECKING:
    import pandas as pd

RULE = (
    "A claim *holds* if its whole interval meets the bar, *fails* if its whole interval violates "
    "the bar, and is *undecided* otherwise, or if its control is not met or too few {units} ran "
    "([all reasons](../concepts.md#claim-and-verdict)). Intervals are over {units}, at a level of "
    "{level}, or a higher one where claims are tested at several "
    "[numbers of seeds](../reference/estimators.md#looks); "
    "[Estimators](../reference/estimators.md) says how often they cover the truth. "
    "{nouns}An end of an interval is *open* where the runs do not bound it. "
    "[Claims](../reference/claims.md) explains the kinds and the column *registered*, and "
    "[how sure verdicts are](../reference/claims.md#certainty): *p* is the p value of a verdict, "
    "in brackets after Holm, *power* the probability to hold if the paper's value is true, and "
    "*needs* the number of {units} that decides a claim if values stay, which may be more than the "
    "scale runs, or take longer than its budget has left (*looks*, below). None is known if an end "
    "that could decide is open, or if the part of the interval that more {units} do not narrow, "
    "such as a step of the grid, reaches over the bar. "
    "[Words](../concepts.md#words) explains the terms and symbols; the study's report says why "
    "each verdict fell as it did."
)
ON_TIMES = (
    "A verdict on a time or a speed holds on the machine that measured it: "
    "[its interval](../reference/claims.md#certainty) does not cover other machines."
)
DEFAULT_SCALE = "desk"  # the scale whose scorecards have no scale in their names
TASK = "A task is one tuning problem, such as a model on a data set{trained}. "
TRAINED = "; tasks of the networks trained here are told apart by {columns}"
SEARCH = "A search is one of several of a method, each with a seed of its own for its evaluation. "
GROUP = "A group is a set of tasks, such as those of one data set. "


def scorecard_file(study: str, scale: str) -> str:
    """The path, below `docs/`, of the scorecard page of a study at a scale."""
    return f"scorecards/{study if scale == DEFAULT_SCALE else f'{study}-{scale}'}.md"


def record_file(study: str, scale: str) -> str:
    """The path, below `docs/`, of the record of the verdicts of a study at a scale."""
    return str(PurePosixPath(scorecard_file(study, scale)).with_suffix(".json"))


def scorecard_page(
    study: str,
    title: str,
    claims: pd.DataFrame,
    provenance: Mapping[str, str],
    suites: Mapping[str, Mapping[str, Any]],
    compared: Sequence[Mapping[str, str]] = (),
) -> str:
    """The scorecard page of a study: every claim with its bar, value, interval and verdict.

    Args:
        study: name of the study.
        title: title of the study.
        claims: the table `claims` of the study.
        provenance: facts about the runs, such as scale, commits and dates, by name.
        suites: the suites of the study, as in its config; empty if it has none.
        compared: the rows of `comparisons.rows`; empty if the study has none.
    """
    kinds = [kind for kind in KINDS if (claims["kind"] == kind).any()]
    record = PurePosixPath(record_file(study, claims["scale"].iloc[0])).name
    sections = [
        part
        for kind in kinds
        for part in (f"### {KINDS[kind].capitalize()}", _claims_table(claims, kind))
    ]
    return page(
        f"Scorecard: {title}",
        f"[What the study asks](../studies/{study}.md). {_rule(claims['over'], suites)}",
        table(("kind", "claims", *VERDICTS), [_count_row(claims, kind) for kind in kinds]),
        decided_in_words(claims),
        *([ON_TIMES] if claims["reason"].str.contains(OF_MACHINE, regex=False).any() else []),
        "## Made with",
        table(("fact", "value"), provenance.items()),
        f"The verdicts as data: [`{record}`]({record}).",
        "## Claims",
        *sections,
        *_beside_reference(compared),
    )


def _beside_reference(compared: Sequence[Mapping[str, str]]) -> list[str]:
    """The table of a reference's results and ours; nothing without comparisons."""
    if not compared:
        return []
    rows = [[numerals(value) for value in row.values()] for row in compared]
    return [
        "## Beside a reference",
        NOTE.format(level=percent(LEVEL)),
        table(tuple(compared[0]), rows),
    ]


def _count_row(claims: pd.DataFrame, kind: str) -> tuple[object, ...]:
    numbers = counts(claims, [kind])
    return (KINDS[kind], sum(numbers.values()), *numbers.values())


def _claims_table(claims: pd.DataFrame, kind: str) -> str:
    """The claims of a kind, with bar, value, number of units, registration and verdict."""
    rows = [
        (
            numerals(typeset(claim["sentence"])),
            numerals(claim["bar"]),
            numerals(value_text(claim)),
            units_text(claim),
            numerals(verdict_text(claim)),
            claim["registered"],
        )
        for claim in claims[claims["kind"] == kind].to_dict("records")
    ]
    return table(("claim", "bar", "here (interval)", "over", "verdict", "registered"), rows)


def provenance(
    claims: pd.DataFrame,
    runs: pd.DataFrame,
    records: Iterable[Mapping[str, Any]],
    spending: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Facts about the runs behind a scorecard.

    Args:
        claims: the table `claims` of the study.
        runs: the table `runs` of the study.
        records: the `provenance` parts of the runs' records in the store.
        spending: the section of the study's config; None if the study has none.
    """
    records = list(records)
    finished = sorted(record["finished"] for record in records)
    return {
        "scale": joined(claims["scale"]),
        "edition": joined(claims["edition"]),
        "runs": f"{runs['key'].nunique():,}" if "key" in runs else "0",
        "looks": _looks(spending) if spending else "none",
        "commits": _commits(record["git"] for record in records),
        "torch": joined(record["torch"] for record in records),
        "Python": joined(record["python"] for record in records),
        "devices": joined(record["device"] for record in records),
        "trained": f"{finished[0]} to {finished[-1]}" if finished else "no runs",
    }


def _commits(commits: Iterable[str]) -> str:
    """The commits of runs; with a mark and its meaning if there were changes beside a commit."""
    text = joined(commits)
    return f"{text} (+: with changes that were not committed)" if "+" in text else text


def _looks(spending: Mapping[str, Any]) -> str:
    """The numbers of seeds at which claims are tested, and the budget of these seeds."""
    *first, last = map(str, spending["seeds"])
    numbers = f"{', '.join(first)} and {last}" if first else last
    return f"at {numbers} seeds, within {spending['core_minutes']:g} core-minutes as estimated"


def verdict_text(claim: Mapping[str, Any]) -> str:
    """The verdict of a row of the table of claims, bold where one was reached, with its p value.

    An undecided claim has the cause, if that is its control or too few seeds, and the number of
    seeds that would decide the claim, or that no such number is known.
    """
    verdict, certainty = claim["verdict"], certainty_text(claim)
    if verdict != UNDECIDED:
        return ", ".join(filter(None, (f"**{verdict}**", certainty)))
    needed = needed_text(claim)
    if needed:
        needed = f"needs {needed}"
    elif not claim["cause"]:
        needed = f"no number of {claim['over']} is known to decide it"
    about = filter(None, (claim["cause"], needed, certainty))
    return f"{verdict} ({'; '.join(about)})"


def _rule(over: Iterable[str], suites: Mapping[str, Mapping[str, Any]]) -> str:
    """How the verdicts and intervals of a scorecard are read.

    `over` are the plural nouns for what intervals are over, such as seeds and tasks.
    """
    nouns = sorted(set(over))
    return RULE.format(
        units=" or ".join(nouns),
        level=percent(LEVEL),
        nouns=_nouns(nouns, suites),
    )


def _nouns(nouns: Iterable[str], suites: Mapping[str, Mapping[str, Any]]) -> str:
    """What tasks and groups are; of networks trained here, the columns that tell tasks apart."""
    own = [suite["about"]["task"] for suite in suites.values() if suite["source"] == sources.RUNS]
    columns = ", ".join(map(code, dict.fromkeys(name for names in own for name in names)))
    task = TASK.format(trained=TRAINED.format(columns=columns) if own else "")
    spaces = {"tasks", "groups"}.intersection(nouns)
    search = SEARCH if "searches" in nouns else ""
    return search + (task if spaces else "") + (GROUP if "groups" in spaces else "")
