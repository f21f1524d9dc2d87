"""The page of the documentation on the statements of all abstracts, at one or more scales."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.numerals import percent
from hypertransfer.report import headlines
from hypertransfer.report.markdown import numerals, page, table, typeset
from hypertransfer.report.results_pages import verdict_text
from hypertransfer.runs.scorecard import PAPER, UNDECIDED

if TYPE_CHECKING:
    import pandas as pd

INTRO = (
    "The statements of the abstracts of the papers, in our words, with the claims that test them. "
    "Values have their interval and the bar in front of the verdict; *power* is the probability "
    "that a claim holds if the paper's value is true. [Claim and verdict]"
    "(concepts.md#claim-and-verdict) explains the verdicts. The scorecard of a study has all of "
    "its claims. Written from the runs that the scorecards name."
)
# The tables of a study at each scale: `claims`, `runs` and, for some, `replays`.
Tables = Mapping[str, Mapping[str, "pd.DataFrame"]]


def headlines_page(studies: Mapping[str, Mapping[str, Any]], tables: Mapping[str, Tables]) -> str:
    """The page of the statements of all abstracts.

    Args:
        studies: the config of each study by name.
        tables: for each study the tables at each scale.
    """
    scales = list(dict.fromkeys(scale for of_study in tables.values() for scale in of_study))
    sections: list[str] = []
    for name, of_study in tables.items():
        rows = list(_rows(studies[name], of_study, scales))
        head = ("the paper states", "how it is measured", "claim", "rig", *scales)
        link = f"[All claims](scorecards/{name}.md)"
        sections += [f"## {studies[name]['title']}", f"{link} of `{name}`.", table(head, rows)]
    return page(
        "What the abstracts state",
        INTRO,
        "## How many of the papers' claims are decided",
        table(("study", "claims of the paper", *scales, "at some scale"), _shares(tables, scales)),
        *sections,
    )


def _rows(
    study: Mapping[str, Any], of_study: Tables, scales: list[str]
) -> Iterator[tuple[str, ...]]:
    """A row for each claim of each statement, with its verdicts at all scales."""
    at_scales = {scale: list(headlines.lines(study, of_study[scale])) for scale in of_study}
    last = None
    for index, line in enumerate(next(iter(at_scales.values()))):
        again, last = line.statement == last, line.statement
        there = {scale: lines[index] for scale, lines in at_scales.items()}
        sentence = next((one.claim["sentence"] for one in there.values() if one.claim), "none")
        rigs = {scale: one.rig for scale, one in there.items() if one.rig}
        yield (
            "" if again else typeset(line.statement),
            "" if again else typeset(line.measure),
            numerals(typeset(sentence)),
            "<br>".join(f"*{scale}*: {text}" for scale, text in rigs.items()),
            *(_found(there[scale]) if scale in there else "" for scale in scales),
        )


def _found(line: headlines.Line) -> str:
    """Value, interval, bar and verdict of a line; empty if the scale lacks the claim."""
    if not line.claim:
        return ""
    return numerals(f"{line.value}: {verdict_text(line.claim)}")


def _shares(tables: Mapping[str, Tables], scales: list[str]) -> Iterator[tuple[object, ...]]:
    """How many of the paper's claims are decided, for each study and for all."""
    total: dict[str, int] = dict.fromkeys(("claims", *scales, "some"), 0)
    for name, of_study in tables.items():
        claims = {scale: frames["claims"] for scale, frames in of_study.items()}
        ids = {scale: set(_of_paper(part)["claim"]) for scale, part in claims.items()}
        known = set().union(*ids.values())
        decided = {scale: _decided(part) for scale, part in claims.items()}
        counts = {"claims": len(known)}
        counts |= {scale: len(decided.get(scale, ())) for scale in scales}
        counts["some"] = len(set().union(*decided.values()))
        total = {key: total[key] + count for key, count in counts.items()}
        yield _share(f"`{name}`", counts, scales)
    yield _share("all", total, scales)


def _of_paper(claims: pd.DataFrame) -> pd.DataFrame:
    return claims[claims["kind"] == PAPER]


def _decided(claims: pd.DataFrame) -> set[str]:
    """The ids of the paper's claims that hold or fail."""
    of_paper = _of_paper(claims)
    return set(of_paper["claim"][of_paper["verdict"] != UNDECIDED])


def _share(name: str, counts: Mapping[str, int], scales: list[str]) -> tuple[object, ...]:
    share = percent(counts["some"] / counts["claims"]) if counts["claims"] else ""
    return (
        name,
        counts["claims"],
        *(counts[scale] for scale in scales),
        f"{counts['some']} ({share})",
    )
