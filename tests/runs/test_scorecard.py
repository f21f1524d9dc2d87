"""Columns of the table of verdicts, and the words for a verdict."""

from __future__ import annotations

import re
from pathlib import Path

from hypertransfer.report import rendering
from hypertransfer.runs import scorecard
from hypertransfer.storage import schemas


def test_every_verdict_has_a_style_on_pages():
    style = Path(rendering.__file__).parent / "templates" / "style.html"
    assert set(scorecard.VERDICTS) <= set(re.findall(r"\.(\w+)", style.read_text("utf-8")))


def test_every_column_has_a_kind_that_tables_know():
    assert schemas.schema(scorecard.COLUMNS).names == [*scorecard.COLUMNS]
