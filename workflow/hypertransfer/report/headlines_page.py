"""The page of the documentation on the statements of all abstracts, at one or more scales."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hypertransfer.analysis.numerals import percent
from hypertransfer.report import headlines
from hypertransfer.report.counts import is_decided_after_holm
from hypertransfer.report.markdown import numerals, page, table, typeset
from hypertransfer.report.results_pages import scorecard_file, verdict_text
from hypertransfer.report.verdict_records import Row, VerdictRecord
from hypertransfer.runs.scorecard import PAPER, UNDECIDED

INTRO = (
    "The statements of the abstracts of the papers, in our words, with the claims that test them. "
    "The *rig* is what a claim was measured on here: networks, data, sizes, training, and seeds. "
    "Values have their interval and the bar in front of the verdict; *p* is the p value of the "
    "verdict, in brackets after Holm's correction for the number of the paper's claims, and "
    "*power* the probability that a claim holds if the paper's value is true. [Claim and verdict]"
    "(concepts.md#claim-and-verdict) explains the verdicts. The scorecard of a study has all of "
    "its claims. Written from the runs that the scorecards name."
)
SHARES = (
    "*After Holm*: decided, at some scale, also after the correction. *Before results*: decided, "
    "and neither the claim nor its measure or runs were changed with results known; "
    "[registration](reference/claims.md#registration) says when each claim was fixed and changed."
)
BEFORE, CHANGED = "before results", "changed"  # in the text of a claim's registration
# Of a study at each scale: its config, and its verdicts.
Configs = Mapping[str, Mapping[str, Any]]
Records = Mapping[str, VerdictRecord]


def headlines_page(studies: Mapping[str, Configs], records: Mapping[str, Records]) -> str:
    """The page of the statements of all abstracts.

    Args:
        studies: for each study its config at each scale.
        records: for each study its verdicts at each scale.
    """
    scales = list(dict.fromkeys(scale for of_study in records.values() for scale in of_study))
    sections: list[str] = []
    for name, of_study in records.items():
        rows = list(_rows(studies[name], of_study, scales))
        head = ("the paper states", "how it is measured", "claim", "rig", *scales)
        links = ", ".join(f"[{scale}]({scorecard_file(name, scale)})" for scale in of_study)
        title = next(iter(studies[name].values()))["title"]
        sections += [f"## {title}", f"All claims of `{name}`: {links}.", table(head, rows)]
    return page(
        "What the abstracts state",
        INTRO,
        "## How many of the papers' claims are decided",
        SHARES,
        table(
            ("study", "claims of the paper", *scales, "at some scale", "after Holm", BEFORE),
            _shares(records, scales),
        ),
        *sections,
    )


def _rows(study: Configs, of_study: Records, scales: list[str]) -> Iterator[tuple[str, ...]]:
    """A row for each claim of each statement, with its verdicts at all scales."""
    at_scales = {
        scale: {
            line.key: line
            for line in headlines.lines_of_rows(study[scale], record.claims, record.rigs)
        }
        for scale, record in of_study.items()
    }
    last = None
    for key in sorted({key: None for lines in at_scales.values() for key in lines}, key=_number):
        there = {scale: lines[key] for scale, lines in at_scales.items() if key in lines}
        again, last = key[0] == last, key[0]
        rigs = {scale: one.rig for scale, one in there.items() if one.rig}
        yield (
            "" if again else _by_scale({s: typeset(one.statement) for s, one in there.items()}),
            "" if again else _by_scale({s: typeset(one.measure) for s, one in there.items()}),
            _by_scale({s: _sentence(one) for s, one in there.items()}),
            _prefixed(rigs),
            *(_found(there[scale]) if scale in there else "" for scale in scales),
        )


def _number(key: tuple[int, str]) -> int:
    """The place of the statement of a line; its claims stay in the order of the config."""
    return key[0]


def _sentence(line: headlines.Line) -> str:
    """The sentence of a line's claim as judged, its id if there are no results, or none."""
    if line.claim:
        return numerals(typeset(line.claim["sentence"]))
    return f"`{line.key[1]}` (no results)" if line.key[1] else "none"


def _by_scale(texts: Mapping[str, str]) -> str:
    """The text of all scales or, if scales differ, that of each of them after its name."""
    return next(iter(texts.values())) if len(set(texts.values())) == 1 else _prefixed(texts)


def _prefixed(texts: Mapping[str, str]) -> str:
    """The text of each scale after the name of the scale."""
    return "<br>".join(f"*{scale}*: {text}" for scale, text in texts.items())


def _found(line: headlines.Line) -> str:
    """Value, interval, bar and verdict of a line; empty if the scale lacks the claim."""
    if not line.claim:
        return ""
    return numerals(f"{line.value}: {verdict_text(line.claim)}")


def _shares(records: Mapping[str, Records], scales: list[str]) -> Iterator[tuple[object, ...]]:
    """How many of the paper's claims are decided, for each study and for all."""
    total = dict.fromkeys(("claims", *scales, "some", "holm", BEFORE), 0)
    for name, of_study in records.items():
        of_paper = {scale: _of_paper(record) for scale, record in of_study.items()}
        decided = {scale: _ids(rows, _is_decided) for scale, rows in of_paper.items()}
        found = {
            "claims": [_ids(rows, lambda _: True) for rows in of_paper.values()],
            **{scale: [decided.get(scale, set())] for scale in scales},
            "some": list(decided.values()),
            "holm": [_ids(rows, is_decided_after_holm) for rows in of_paper.values()],
            BEFORE: [_ids(rows, _is_before_results) for rows in of_paper.values()],
        }
        counts = {key: len(set().union(*ids)) for key, ids in found.items()}
        total = {key: total[key] + count for key, count in counts.items()}
        yield _share(f"`{name}`", counts, scales)
    yield _share("all", total, scales)


def _of_paper(record: VerdictRecord) -> dict[str, Row]:
    """The rows of the paper's claims, by id."""
    return {name: row for name, row in record.claims.items() if row["kind"] == PAPER}


def _ids(rows: Mapping[str, Row], chosen: Callable[[Row], bool]) -> set[str]:
    return {name for name, row in rows.items() if chosen(row)}


def _is_decided(row: Row) -> bool:
    return row["verdict"] != UNDECIDED


def _is_before_results(row: Row) -> bool:
    """Whether a claim is decided, and nothing of it was fixed or changed with results known."""
    registered = row["registered"]
    return _is_decided(row) and registered.startswith(BEFORE) and CHANGED not in registered


def _share(name: str, counts: Mapping[str, int], scales: list[str]) -> tuple[object, ...]:
    share = percent(counts["some"] / counts["claims"]) if counts["claims"] else ""
    return (
        name,
        counts["claims"],
        *(counts[scale] for scale in scales),
        f"{counts['some']} ({share})",
        counts["holm"],
        counts[BEFORE],
    )
