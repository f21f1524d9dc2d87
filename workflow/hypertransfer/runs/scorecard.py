"""The table of verdicts on claims: its columns by kind, and the words for a verdict.

Every module that writes, reads or shows verdicts takes these names from here.
"""

from __future__ import annotations

from collections.abc import Mapping

VERDICTS = HOLDS, FAILS, UNDECIDED = ("holds", "fails", "undecided")
# What claims of each kind are; headlines count those of the first kind.
KINDS: Mapping[str, str] = {
    "paper": "claims of the paper",
    "control": "controls",
    "ours": "our own questions",
}
PAPER, *OTHERS = KINDS
# One row a claim. A number is null where nothing could be measured or the bar has no such end, and
# infinite where the runs leave an end of the interval open.
COLUMNS: Mapping[str, str] = {
    "study": "text",
    "claim": "text",
    "sentence": "text",
    "kind": "text",
    "source": "text",
    "paper_value": "text",
    "value": "number",
    "low": "number",
    "high": "number",
    "observed": "number",
    "over": "text",
    "units": "number",
    "units_needed": "number",
    "minutes_needed": "number",
    "power": "number",
    "p_value": "number",
    "p_holm": "number",
    "bar": "text",
    "bar_min": "number",
    "bar_max": "number",
    "bar_from": "text",
    "test": "text",
    "verdict": "text",
    "confidence": "text",
    "registered": "text",
    "scale": "text",
    "edition": "text",
    "reason": "text",
    "cause": "text",
    "unit": "text",
}
NUMBERS = tuple(name for name, kind in COLUMNS.items() if kind == "number")
