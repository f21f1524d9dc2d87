"""The verdicts of a study at one scale as a file of the documentation, for its other pages.

Studies and scales are run on different occasions and machines. Each has a record beside its
scorecard, so that a page on all of them needs no results of the others. JSON, a line for each
claim: numbers that are null in the table of claims are null, and open ends are `"open"` or
`"-open"`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypertransfer.report import headlines
from hypertransfer.runs.canonical import parse_json
from hypertransfer.runs.json_values import OPEN, json_values
from hypertransfer.runs.scorecard import NUMBERS

Row = Mapping[str, Any]


@dataclass(frozen=True)
class VerdictRecord:
    """The verdicts of a study at one scale.

    Attributes:
        facts: facts about the runs, such as scale and commits, by name.
        claims: the rows of the table of claims, by id.
        rigs: what the claims of the headlines were measured on, by id.
    """

    facts: Mapping[str, str]
    claims: Mapping[str, Row]
    rigs: Mapping[str, str]

    def text(self) -> str:
        """The record as JSON text."""
        lines = {
            "facts": json.dumps(dict(self.facts), ensure_ascii=False),
            "claims": _lines(json_values(self.claims)),
            "rigs": _lines(self.rigs),
        }
        return "{\n" + ",\n".join(f'"{key}": {value}' for key, value in lines.items()) + "\n}\n"


def record(
    study: Mapping[str, Any], tables: Mapping[str, Any], facts: Mapping[str, str]
) -> VerdictRecord:
    """The record of a study.

    Args:
        study: the config of the study at the scale of the tables.
        tables: as in `headlines.rigs`.
        facts: facts about the runs, by name.

    Raises:
        ClaimError: a claim reads a table that is not given.
    """
    rows = {claim["claim"]: claim for claim in tables["claims"].to_dict("records")}
    return VerdictRecord(facts, rows, headlines.rigs(study, rows, tables))


def read(content: bytes) -> VerdictRecord:
    """The record in a file.

    Raises:
        ValueError: the content is not JSON.
        KeyError: a part of a record is missing.
    """
    values = parse_json(content)
    claims = {name: _row(row) for name, row in values["claims"].items()}
    return VerdictRecord(values["facts"], claims, values["rigs"])


def _lines(values: Mapping[str, Any]) -> str:
    """A mapping as JSON with a line for each entry."""
    entries = (
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for key, value in values.items()
    )
    return "{\n" + ",\n".join(entries) + "\n}"


def _row(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: OPEN.get(value, math.nan if value is None else value) if name in NUMBERS else value
        for name, value in plain.items()
    }
