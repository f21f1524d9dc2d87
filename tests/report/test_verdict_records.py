"""Records of verdicts: what was written is what is read."""

import json
import math

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from tests.docs.test_write_docs import CLAIM
from tests.report.test_headlines_page import RUN, STUDY

from hypertransfer.report import verdict_records
from hypertransfer.runs.scorecard import NUMBERS

numbers = st.floats() | st.none()


@given(st.dictionaries(st.sampled_from(NUMBERS), numbers), st.text())
def test_a_record_is_read_as_it_was_written(changes, sentence):
    rows = {"stays": {**CLAIM, **changes, "sentence": sentence}}
    record = verdict_records.VerdictRecord({"scale": "desk"}, rows, {"stays": "gpt"})
    read = verdict_records.read(record.text().encode())
    assert (read.facts, read.rigs) == (record.facts, record.rigs)
    for name, value in rows["stays"].items():
        expected = math.nan if name in NUMBERS and value is None else value
        found = read.claims["stays"][name]
        assert found == expected or (found != found and expected != expected)


def test_each_claim_has_a_line():
    claims = pd.DataFrame([CLAIM, {**CLAIM, "claim": "moves"}])
    record = verdict_records.record(STUDY, {"claims": claims, "runs": pd.DataFrame([RUN])}, {})
    (line,) = (line for line in record.text().splitlines() if line.startswith('"moves"'))
    assert json.loads(f"{{{line}}}")["moves"]["value"] == 0.5
    assert record.rigs == {"stays": "gpt; on digits; width 32; 3 seeds"}


def test_an_open_end_is_a_word():
    row = {**CLAIM, "low": -math.inf, "high": math.inf, "power": math.nan}
    text = verdict_records.VerdictRecord({}, {"stays": row}, {}).text()
    assert '"low": "-open", "high": "open"' in text
    assert '"power": null' in text
