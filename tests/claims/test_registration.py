"""Registrations: what a digest holds, the words for a claim's status, changes with their reason."""

from __future__ import annotations

import pytest
from tests.support.claims import make_claim

from hypertransfer.claims.claim import Claim
from hypertransfer.claims.registration import (
    Registration,
    claim_digest,
    needs_reason,
    register,
)

FIRST = "2026-01-02"


def claim(**changes):
    return Claim.parse(make_claim(**changes))


def registered(*claims, before=None, date=FIRST, reason="", results="before", only=()):
    return register(
        before or Registration(study="mine"),
        claims,
        date=date,
        reason=reason,
        results={c.id: results for c in claims},
        only=only,
    )


CONTROL = {"measure": "optimum_shift", "where": {"grid": "sp"}, "bar": {"min": 2}}


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "paper"},
        {"measure": "transfer_regret"},
        {"where": {"parameterisation": "sp"}},
        {"options": {"signed": True}},
        {"bar": {"max": 2}},
        {"control": CONTROL},
        {"min_seeds": 5},
    ],
)
def test_what_decides_a_verdict_is_in_the_digest(changes):
    assert claim_digest(claim(**changes)) != claim_digest(claim())


def test_texts_are_not_in_the_digest():
    texts = {"sentence": "Other words.", "source": "Fig. 2", "bar_from": "a guess"}
    more = {"paper_value": "0.7", "paper_number": 0.7, "confidence": "low"}
    assert claim_digest(claim(**texts, **more)) == claim_digest(claim())


def test_the_control_is_in_the_digest_with_its_bar():
    other = {**CONTROL, "bar": {"min": 3}}
    assert claim_digest(claim(control=other)) != claim_digest(claim(control=CONTROL))


def test_a_claim_is_registered_before_or_after_results():
    assert registered(claim()).status(claim()) == f"before results, {FIRST}"
    assert registered(claim(), results="after").status(claim()) == f"after results, {FIRST}"
    assert Registration(study="mine").status(claim()) == "not registered"


def measured_anew(**changes):
    values = {"study": "mine", "measures": changes}
    return Registration.parse(values)


CHANGE = {"date": "2026-02-03", "reason": "another fit"}


@pytest.mark.parametrize(
    ("date", "shown"), [("2026-02-02", True), ("2026-02-03", True), ("2026-02-04", False)]
)
def test_a_change_of_the_measure_since_the_registration_is_shown(date, shown):
    before = measured_anew(optimum_shift=[CHANGE], transfer_regret=[CHANGE])
    found = registered(claim(), before=before, date=date)
    text = f"before results, {date}"
    change = "; optimum_shift changed 2026-02-03: another fit"
    assert found.status(claim()) == text + change * shown
    assert found.unregistered([claim()]) == []


def test_a_change_of_the_claim_after_that_of_its_measure_is_the_last_word():
    first = registered(claim(), before=measured_anew(optimum_shift=[CHANGE]))
    later = registered(claim(bar={"max": 2}), before=first, date="2026-03-01", reason="too narrow")
    assert "another fit" not in later.status(claim(bar={"max": 2}))
    assert later.measures == first.measures, "a registration keeps them"


def test_the_measure_of_a_control_counts_as_well():
    control = {**CONTROL, "measure": "transfer_regret"}
    found = registered(claim(control=control), before=measured_anew(transfer_regret=[CHANGE]))
    assert found.status(claim(control=control)).endswith(
        "transfer_regret changed 2026-02-03: another fit"
    )


def run_anew(**changes):
    return Registration.parse({"study": "mine", "grids": changes})


@pytest.mark.parametrize(
    ("date", "shown"), [("2026-02-02", True), ("2026-02-03", True), ("2026-02-04", False)]
)
def test_a_change_of_the_runs_since_the_registration_is_shown(date, shown):
    before = run_anew(width=[CHANGE], other=[{**CHANGE, "reason": "not its runs"}])
    found = registered(claim(where={"grid": "width"}), before=before, date=date)
    text = f"before results, {date}"
    change = "; runs changed 2026-02-03: another fit"
    assert found.status(claim(where={"grid": "width"})) == text + change * shown
    assert found.unregistered([claim(where={"grid": "width"})]) == []


def test_one_change_of_several_grids_is_told_once():
    two = claim(where={"grid": ["width", "depth"]})
    found = registered(two, before=run_anew(width=[CHANGE], depth=[CHANGE]))
    assert found.status(two).count("runs changed 2026-02-03: another fit") == 1


def test_the_runs_of_a_control_count_as_well():
    control = {**CONTROL, "where": {"grid": "plain"}}
    found = registered(
        claim(where={"grid": "width"}, control=control), before=run_anew(plain=[CHANGE])
    )
    shown = found.status(claim(where={"grid": "width"}, control=control))
    assert shown.endswith("runs changed 2026-02-03: another fit")


def test_a_registration_keeps_the_changes_of_runs():
    first = registered(claim(), before=run_anew(width=[CHANGE]))
    assert Registration.parse(first.plain()).grids == first.grids != {}


def test_a_claim_that_differs_is_not_registered():
    found = registered(claim())
    moved = claim(bar={"max": 2})
    assert found.status(moved) == f"not registered: changed since it was registered on {FIRST}"
    assert found.unregistered([moved, claim(id="new")]) == ["mup-width", "new"]
    assert found.unregistered([claim()]) == []


def test_a_change_keeps_the_first_date_and_the_reason():
    before = registered(claim())
    moved = claim(bar={"max": 2})
    assert needs_reason(before, [moved]) == ["mup-width"]
    after = registered(moved, before=before, date="2026-02-03", reason="no power", results="after")
    assert after.status(moved) == "changed 2026-02-03: no power"
    entry = after.claims["mup-width"]
    assert (entry.fixed, entry.results) == (FIRST, "before")
    assert entry.changes[0].was == claim_digest(claim())
    assert needs_reason(after, [moved]) == []
    again = registered(claim(), before=after, date="2026-03-04", reason="back")
    assert again.status(claim()) == "changed 2026-02-03: no power; changed 2026-03-04: back"


def test_a_claim_that_is_gone_is_dropped_with_its_reason():
    both = registered(claim(), claim(id="other"))
    assert needs_reason(both, [claim()]) == ["other"]
    left = registered(claim(), before=both, date="2026-02-03", reason="nobody states it")
    assert list(left.claims) == ["mup-width"]
    assert left.dropped["other"].reason == "nobody states it"
    assert left.claims == registered(claim()).claims


def test_a_dropped_claim_that_is_back_keeps_its_history_and_needs_a_reason():
    first = registered(claim(), claim(id="other"))
    moved = registered(claim(bar={"max": 2}), claim(id="other"), before=first, reason="no power")
    gone = registered(claim(id="other"), before=moved, date="2026-02-03", reason="not stated")
    assert gone.dropped["mup-width"].entry == moved.claims["mup-width"]
    back = [claim(), claim(id="other")]
    assert needs_reason(gone, back) == ["mup-width"]
    again = registered(*back, before=gone, date="2026-03-04", reason="it is", results="after")
    entry = again.claims["mup-width"]
    assert (entry.fixed, entry.results, again.dropped) == (FIRST, "before", {})
    assert [change.reason for change in entry.changes] == [
        "no power", "dropped: not stated", "taken up again: it is"
    ]  # fmt: skip
    assert again.status(claim()).startswith(f"changed {FIRST}: no power; changed 2026-02-03: ")
    assert needs_reason(again, back) == []


def test_a_dropped_claim_is_read_back_with_its_entry():
    both = registered(claim(), claim(id="other"))
    both = registered(claim(bar={"max": 2}), claim(id="other"), before=both, reason="why")
    left = registered(claim(id="other"), before=both, reason="gone")
    assert Registration.parse(left.plain()) == left


def test_single_claims_are_registered():
    both = registered(claim(), claim(id="other"))
    moved = [claim(bar={"max": 2}), claim(id="other", bar={"max": 3})]
    assert needs_reason(both, moved, ["other"]) == ["other"]
    found = registered(*moved, before=both, reason="why", only=["other"])
    assert found.unregistered(moved) == ["mup-width"]


def test_a_registration_reads_back_from_its_plain_form():
    found = registered(claim(), claim(id="other"))
    found = registered(claim(bar={"max": 2}), before=found, reason="why")
    assert Registration.parse(found.plain()) == found
