"""The index page: studies, links to their reports, verdicts."""

from __future__ import annotations

import pandas as pd
from tests.report.test_html import CLAIM

from hypertransfer.report import index


def test_each_study_has_a_link_its_counts_and_its_claims():
    other = {**CLAIM, "study": "other", "verdict": "fails", "sentence": "no"}
    card = pd.DataFrame([CLAIM, other, {**other, "kind": "control", "verdict": "undecided"}])
    studies = [
        {"name": "mine", "title": "First & second", "scale": "desk"},
        {"name": "other", "title": "Third", "scale": "smoke"},
    ]
    page = index.page(card, studies)
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    first = '<td><a href="mine/report.html">First &amp; second</a></td><td>desk</td>'
    assert f"{first}<td>1</td><td>0</td><td>0</td><td>none</td>" in page
    others = "<td>0 hold, 0 fail, 1 undecided</td>"
    assert f"<td>smoke</td><td>0</td><td>1</td><td>0</td>{others}" in page
    before, after = page.split("<h2>Third</h2>")
    assert "x &lt; y" in before
    assert "<td>no</td>" in after
