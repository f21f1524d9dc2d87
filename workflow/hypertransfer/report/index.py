"""The index page: every study with its verdicts, and links to its report and figures."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import pandas as pd

from hypertransfer.report.html import STYLE, Markup, claims_table, table


def _link(target: str, words: str) -> Markup:
    return Markup(f'<a href="{html.escape(target)}">{html.escape(words)}</a>')


def page(card: pd.DataFrame, studies: Sequence[Mapping[str, str]]) -> str:
    """One HTML page that stands at the top of the results."""
    rows = [
        {
            "study": _link(f"{s['name']}/report.html", s["title"]),
            "scale": s["scale"],
            **{
                verdict: int((card[card["study"] == s["name"]]["verdict"] == verdict).sum())
                for verdict in ("holds", "fails", "undecided")
            },
        }
        for s in studies
    ]
    sections = "".join(
        f"<h2>{html.escape(s['title'])}</h2>{claims_table(card[card['study'] == s['name']]).data}"
        for s in studies
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>hypertransfer</title>'
        "<style>body {font: 16px/1.55 system-ui, sans-serif; max-width: 78em; margin: 2em auto; "
        f"padding: 0 1.5em}}</style>{STYLE}</head><body><h1>hypertransfer: what holds</h1>"
        f"{table(rows)}{sections}</body></html>\n"
    )
