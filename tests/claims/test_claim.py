"""Claims as typed sections."""

from __future__ import annotations

import pytest

from hypertransfer.claims import validation
from hypertransfer.claims.claim import Claim, Control

WRITTEN = {
    "id": "c",
    "sentence": "It stays.",
    "source": "Fig. 1",
    "kind": "ours",
    "confidence": "low",
    "bar_from": "ours",
    "measure": "optimum_shift",
    "where": {"grid": "sweep"},
    "bar": {"max": 1},
}
CONTROL = {"measure": "optimum_shift", "where": {"grid": "sp"}, "bar": {"min": 2}}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"control": CONTROL},
        {"control": {**CONTROL, "options": {"signed": True}}, "min_seeds": 5, "unit": "octaves"},
        {"paper_value": "1 octave", "options": {"signed": True}},
    ],
)
def test_a_claim_reads_back_from_its_plain_form(more):
    assert list(validation.problems({**WRITTEN, **more})) == []
    claim = Claim.parse({**WRITTEN, **more})
    assert claim.plain() == {**WRITTEN, **more}
    assert Claim.parse(claim.plain()) == claim


def test_defaults_that_are_written_out_are_left_out():
    defaults = {"options": {}, "unit": None, "min_seeds": 3, "paper_value": None}
    assert Claim.parse({**WRITTEN, **defaults}).plain() == WRITTEN


def test_the_control_is_typed():
    claim = Claim.parse({**WRITTEN, "control": CONTROL})
    assert claim.control == Control(**CONTROL)
    assert claim.control.options == {}
