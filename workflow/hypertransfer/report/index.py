"""The index page: every study with its verdicts, and links to its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from hypertransfer.report.counts import counts, in_words
from hypertransfer.report.html import claims_markup
from hypertransfer.report.rendering import fragment, render
from hypertransfer.runs.scorecard import OTHERS, PAPER


def page(card: pd.DataFrame, studies: Sequence[Mapping[str, str]]) -> str:
    """The HTML page at the top of the results.

    Args:
        card: the verdicts of all studies, one row for each claim. The counts are those of claims
            of the papers; other claims are counted apart.
        studies: name, title and scale of each study.
    """
    claims = {study["name"]: card[card["study"] == study["name"]] for study in studies}
    overview = [
        {
            "study": fragment("link", f"{study['name']}/report.html", study["title"]),
            "scale": study["scale"],
            **counts(claims[study["name"]], [PAPER]),
            "controls and our own questions": in_words(counts(claims[study["name"]], OTHERS)),
        }
        for study in studies
    ]
    sections = [(study["title"], claims_markup(claims[study["name"]])) for study in studies]
    return str(render("index.html", overview=overview, sections=sections))
