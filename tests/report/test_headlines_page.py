"""The page of the statements of all abstracts."""

import math

import pandas as pd
import pytest
from tests.docs.test_write_docs import CLAIM

from hypertransfer.report import headlines_page, verdict_records

RUN = {"grid": "g", "model": "gpt", "data": "digits", "shape.width": 32, "seed": 0}
STUDY = {
    "title": "Mine",
    "claims": [
        {"id": "stays", "measure": "optimum_shift", "where": {"grid": "g"}, "bar": {"max": 1}}
    ],
    "headlines": [
        {"statement": "Rates stay as m_N^-1.", "place": "a", "claims": ["stays"], "measure": "M"},
        {"statement": "B.", "place": "abstract", "claims": [], "not_here": "Needs a GPU"},
    ],
}


def at(scale: str, **changes) -> verdict_records.VerdictRecord:
    claims = pd.DataFrame([{**CLAIM, "scale": scale, **changes}])
    return verdict_records.record(STUDY, {"claims": claims, "runs": pd.DataFrame([RUN])}, {})


def test_each_statement_has_its_verdicts_at_all_scales():
    records = {"mine": {"desk": at("desk"), "overnight": at("overnight", verdict="fails")}}
    text = headlines_page.headlines_page({"mine": {"desk": STUDY, "overnight": STUDY}}, records)
    rig = "gpt; on digits; width 32; 3 seeds"
    found = "0.50 (0.25 … 0.75); bar ≤ 1 octave: {}, p 0.004 (0.008)"
    row = (
        "| Rates stay as m<sub>N</sub><sup>−1</sup>. | M. | The rate stays. "
        f"| *desk*: {rig}<br>*overnight*: {rig} "
        f"| {found.format('**holds**')} | {found.format('**fails**')} |"
    )
    assert row in text
    assert "| B. | Needs a GPU. | none |  |  |  |" in text
    cards = "[desk](scorecards/mine.md), [overnight](scorecards/mine-overnight.md)"
    assert f"All claims of `mine`: {cards}." in text
    assert "| all | 1 | 1 | 1 | 1 (100 %) | 1 | 0 |" in text


def test_a_study_without_one_of_the_scales_leaves_its_column_empty():
    records = {"mine": {"desk": at("desk")}, "other": {"overnight": at("overnight")}}
    configs = {"mine": {"desk": STUDY}, "other": {"overnight": STUDY}}
    text = headlines_page.headlines_page(configs, records)
    assert "| `mine` | 1 | 1 | 0 | 1 (100 %) | 1 | 0 |" in text
    assert "(0.008) |  |" in text


def test_texts_that_differ_between_scales_stand_after_the_scale():
    wide = {**STUDY, "headlines": [{**STUDY["headlines"][0], "measure": "W"}]}
    records = {"mine": {"desk": at("desk"), "overnight": at("overnight", sentence="Over 8×.")}}
    text = headlines_page.headlines_page({"mine": {"desk": STUDY, "overnight": wide}}, records)
    assert (
        "| *desk*: M.<br>*overnight*: W. | *desk*: The rate stays.<br>*overnight*: Over 8×. |"
        in text
    )
    assert "| B. | Needs a GPU. | none |" in text  # which one scale has


def test_a_claim_that_was_not_run_is_named():
    records = {"mine": {"desk": at("desk", claim="other")}}
    text = headlines_page.headlines_page({"mine": {"desk": STUDY}}, records)
    assert "| M. | `stays` (no results) |  |  |" in text


@pytest.mark.parametrize(
    ("changes", "after_holm", "before_results"),
    [
        ({"registered": "before results, 2026-11-01"}, 1, 1),
        ({"registered": "before results, 2026-11-01", "verdict": "undecided"}, 0, 0),
        ({"registered": "before results, 2026-11-01; runs changed 2026-11-02: more"}, 1, 0),
        ({"registered": "changed 2026-11-02: a bar before results"}, 1, 0),
        ({"registered": "after results, 2026-11-01", "p_holm": 0.06}, 0, 0),
        ({"p_holm": math.nan}, 0, 0),
    ],
)
def test_shares_count_what_the_correction_and_the_registration_leave(
    changes, after_holm, before_results
):
    records = {"mine": {"desk": at("desk", **changes)}}
    text = headlines_page.headlines_page({"mine": {"desk": STUDY}}, records)
    (row,) = (line for line in text.splitlines() if line.startswith("| `mine`"))
    assert row.endswith(f" %) | {after_holm} | {before_results} |")
