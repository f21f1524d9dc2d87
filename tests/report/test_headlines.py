"""The statements of abstracts with claims, rigs and verdicts."""

import pandas as pd
from tests.report.test_html import CLAIM

from hypertransfer.report import headlines

RUN = {"grid": "g", "model": "gpt", "data": "state_of_the_union", "shape.width": 32}
RUN |= {"shape.depth": 2, "batch_size": 16, "steps": 150, "seed": 0}
STUDY = {
    "claims": [{"id": "x", "where": {"grid": ["g", "h"]}}],
    "headlines": [
        {"statement": "A", "place": "abstract", "claims": ["x"], "measure": "By x."},
        {"statement": "B", "place": "title", "claims": [], "not_here": "Needs a GPU"},
    ],
}


def tables(*changes):
    runs = pd.DataFrame([{**RUN, **change} for change in changes])
    return {"claims": pd.DataFrame([{**CLAIM, "power": 0.83}]), "runs": runs}


def test_a_line_names_claim_rig_value_and_power():
    sizes = [{"shape.width": 32 * 2**k, "seed": s} for k in range(5) for s in (0, 1)]
    first, second = headlines.lines(STUDY, tables(*sizes, {"grid": "other", "steps": 7}))
    assert (first.statement, first.place, first.measure) == ("A", "abstract", "By x.")
    assert first.rig == (
        "gpt; on state of the union; widths 32 … 512; depth 2; batch size 16; steps 150; 2 seeds"
    )
    assert first.value == "0.12 (0.10 … open); bar ≥ 0"
    assert first.power == "83 %"
    assert (second.measure, second.claim, second.rig, second.value, second.power) == (
        "Needs a GPU.",
        None,
        "",
        "",
        "",
    )


def test_the_rig_of_replays_counts_what_intervals_are_over():
    rows = [{"replay": "r", "suite": "mlp", "task": t, "group": t, "repeat": 0} for t in "ab"]
    found = headlines.rig({"replay": "r"}, {"runs": pd.DataFrame(), "replays": pd.DataFrame(rows)})
    assert found == "suite mlp; 2 tasks, 2 groups, 1 repeat"


def test_unknown_power_is_empty():
    power = float("nan")
    claims = {"claims": pd.DataFrame([{**CLAIM, "power": power}]), "runs": pd.DataFrame([RUN])}
    first, _ = headlines.lines(STUDY, claims)
    assert not first.power
