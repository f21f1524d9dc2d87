"""The statements of abstracts with claims, rigs and verdicts."""

import pandas as pd
import pytest
from tests.report.test_html import CLAIM

from hypertransfer.claims.measure import ClaimError
from hypertransfer.report import headlines

RUN = {"grid": "g", "model": "gpt", "data": "state_of_the_union", "shape.width": 32}
RUN |= {"shape.depth": 2, "batch_size": 16, "steps": 150, "seed": 0}
WRITTEN = {"id": "x", "measure": "optimum_shift", "bar": {"min": 0}, "where": {"grid": "g"}}
ROW = {**CLAIM, "units": 5}
STUDY = {
    "claims": [{**WRITTEN, "where": {"grid": ["g", "h"]}}],
    "headlines": [
        {"statement": "A", "place": "abstract", "claims": ["x"], "measure": "By x."},
        {"statement": "B", "place": "title", "claims": [], "not_here": "Needs a GPU"},
    ],
}


def tables(*changes):
    runs = pd.DataFrame([{**RUN, **change} for change in changes])
    return {"claims": pd.DataFrame([{**ROW, "power": 0.83}]), "runs": runs}


def rig(tables, row=ROW, **changes):
    return headlines.rig({**WRITTEN, **changes}, {**ROW, **row}, tables)


def test_a_line_names_claim_rig_value_and_power():
    sizes = [{"shape.width": 32 * 2**k, "seed": s} for k in range(5) for s in (0, 1)]
    first, second = headlines.lines(STUDY, tables(*sizes, {"grid": "other", "steps": 7}))
    assert (first.statement, first.place, first.measure) == ("A", "abstract", "By x.")
    assert first.rig == (
        "gpt; on state of the union; widths 32 … 512; depth 2; batch size 16; steps 150; 5 seeds"
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


def test_the_rig_is_of_the_runs_that_the_whole_condition_selects():
    runs = tables(
        {"parameterisation": "mup"},
        {"parameterisation": "sp", "shape.width": 64},
        {"parameterisation": "mup", "shape.width": 128, "seed": 1},
        {"parameterisation": "mup", "shape.width": 256},
    )
    where = {"grid": "g", "parameterisation": "mup", "shape.width": {"max": 128}}
    assert "; widths 32, 128; " in rig(runs, where=where)
    assert "; widths 32, 64, 128, 256; " in rig(runs)


@pytest.mark.parametrize(
    ("option", "column", "text"),
    [
        ("size", "model.experts", "experts 4, 8"),
        ("size", "shape.granularity", "granularity 4, 8"),
        ("tuned_at", "model.experts", "experts 4, 8"),
        ("size", "shape.width", "widths 4, 8"),
    ],
)
def test_the_rig_has_the_sizes_that_the_claim_is_about(option, column, text):
    found = rig(tables({column: 4}, {column: 8}), options={option: column})
    assert found.count(text) == 1


def test_the_rig_counts_what_the_interval_of_the_claim_is_over():
    """Arms may have different seeds, of which only common ones count."""
    runs = tables({"seed": 0}, {"seed": 1}, {"seed": 2, "shape.width": 64})
    assert rig(runs, {"units": 1}).endswith("; 1 seed")
    assert rig(runs, {"units": 1, "over": "searches"}).endswith("; 1 search")
    assert rig(runs, {"units": 2, "over": "searches"}).endswith("; 2 searches")


def replays(**columns):
    place = [{"replay": "r", "suite": "mlp", "task": t, "group": t} for t in "ab"]
    return pd.DataFrame([{**row, **columns} for row in place])


def test_the_rig_of_replays_counts_what_was_searched():
    claim = {"measure": "regret_ratio", "where": {"replay": "r", "method": "box"}}
    tables = {"replays": pd.concat([replays(method="box", repeat=n) for n in range(2)])}
    found = rig(tables, {"over": "groups", "units": 2}, **claim)
    assert found == "suite mlp; 2 tasks; 2 repeats; 2 groups"
    assert rig(tables, **claim | {"where": {"replay": "other"}}) == "no rows"


def test_the_rig_of_winners_has_the_sizes_of_tasks():
    claim = {"measure": "winner_slope", "where": {"suite": "mlp"}, "options": {"size": "width"}}
    tables = {"winners": replays(width=8)}
    found = rig(tables, {"over": "groups", "units": 2}, **claim)
    assert found == "suite mlp; width 8; 2 tasks; 2 groups"


def test_a_missing_table_is_named():
    with pytest.raises(ClaimError, match="'x' reads the table 'winners'; given: claims, runs"):
        rig(tables({}), measure="winner_slope", where={"suite": "mlp"})


def test_a_claim_without_results_has_no_rig():
    first, _ = headlines.lines(STUDY, {**tables({}), "claims": pd.DataFrame({"claim": []})})
    assert (first.key, first.claim, first.rig) == ((0, "x"), None, "")


def test_unknown_power_is_empty():
    power = float("nan")
    claims = {"claims": pd.DataFrame([{**ROW, "power": power}]), "runs": pd.DataFrame([RUN])}
    first, _ = headlines.lines(STUDY, claims)
    assert not first.power
