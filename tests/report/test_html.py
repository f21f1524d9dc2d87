"""Tables, headings and figures of the report notebooks."""

from __future__ import annotations

import pandas as pd
import pytest
from markupsafe import Markup
from tests.support.sweeps import rows, runs_table

from hypertransfer.parameterisation.algebra import Power
from hypertransfer.report import html

STUDY = {"title": "A & B", "question": "Why?", "paper": {"title": "P", "authors": "Someone"}}
CLAIM = {
    "study": "mine", "claim": "x", "sentence": "x < y", "source": "ours", "paper_value": None,
    "kind": "paper", "bar_from": "a guess", "registered": "before results, 2026-01-02",
    "bar": "≥ 0", "bar_min": 0.0, "bar_max": float("nan"), "verdict": "holds",
    "reason": "5 seeds", "confidence": "high", "value": 0.123, "low": 0.1,
    "high": float("inf"), "unit": "octaves", "over": "seeds", "p_value": 0.004, "p_holm": 0.012,
    "power": float("nan"),
}  # fmt: skip


def test_cells_are_escaped_unless_they_are_markup():
    text = html.table(
        [{"a": "<b>", "b": Markup("<b>x</b>"), "c": 0.12345, "d": None}], "a & b"
    ).data
    assert "<td>&lt;b&gt;</td><td><b>x</b></td><td>0.123</td><td></td>" in text
    assert "<caption>a &amp; b</caption>" in text


def test_pages_are_plain_strings():
    """Text that is added to `Markup` would be escaped."""
    assert type(html.table([{"a": 1}]).data) is str
    assert type(html.heading(STUDY, "desk").data) is str


def test_a_table_without_rows_says_so():
    assert html.table([]).data == "<p>(none)</p>"


@pytest.mark.parametrize(
    ("power", "text"),
    [
        (Power(), "1"),
        (Power(width=1.0), "m<sub>N</sub>"),
        (Power(width=-1.0), "m<sub>N</sub><sup>−1</sup>"),
        (
            Power(width=-0.5, depth=0.5),
            "m<sub>N</sub><sup>−1/2</sup> m<sub>L</sub><sup>1/2</sup>",
        ),
    ],
)
def test_powers_have_superscripts(power, text):
    assert html.power(power) == text


def test_the_heading_of_a_study_without_a_paper_names_none():
    study = {key: value for key, value in STUDY.items() if key != "paper"}
    for one in (study, {**study, "paper": {}}):
        text = html.heading(one, "desk").data
        assert "After" not in text
        assert "<p>Scale: <b>desk</b>.</p>" in text


def test_the_heading_names_the_source_and_warns_of_the_smoke_scale():
    paper = {"title": "P", "authors": "Someone", "arxiv": "2402.17457", "venue": "ICML"}
    text = html.heading({**STUDY, "paper": paper}, "smoke").data
    assert "<h1>A &amp; B</h1>" in text
    assert "After Someone, <i>P</i> (arXiv 2402.17457, ICML). Scale: <b>smoke</b>." in text
    assert "conclusions mean nothing" in text
    text = html.heading(STUDY, "desk").data
    assert "<i>P</i>. Scale: <b>desk</b>." in text
    assert "smoke" not in text


def test_claims_and_counterparts_show_values_and_verdicts():
    claims = pd.DataFrame([CLAIM])
    text = html.claims_table(claims).data
    assert "<td>0.12 (0.10 … open)</td>" in text
    assert "<td>a guess</td><td>before results, 2026-01-02</td>" in text
    assert '<span class="holds">holds</span>' in text
    assert "<td>5 seeds; p 0.004 (0.012)</td>" in text
    entry = {"paper": "Fig. 1", "shows": "x", "claims": ["x"], "figures": []}
    other = {"paper": "Fig. 2", "shows": "y", "claims": [], "figures": ["f", "g"]}
    text = html.counterparts({"counterparts": [entry, other]}, claims).data
    assert 'x: 0.12 (≥ 0), <span class="holds">holds</span></td>' in text
    assert "<td>f, g</td><td></td><td>none</td>" in text


def test_the_answer_counts_verdicts():
    fails, ours = {**CLAIM, "verdict": "fails"}, {**CLAIM, "kind": "ours"}
    text = html.answer(pd.DataFrame([CLAIM, CLAIM, fails, ours, {**fails, **ours}])).data
    assert "3 claims of the paper checked" in text
    for part in (">2 hold<", ">1 fail<", ">0 undecided<"):
        assert part in text
    assert "Controls and our own questions: 2 hold, 0 fail, 0 undecided." in text
    sentence = "3 of the paper&#39;s 3 claims are decided, 3 after Holm&#39;s correction"
    assert sentence in text
    assert "Controls and our own questions: none." in html.answer(pd.DataFrame([CLAIM])).data
    assert ".holds {" in text, "the style of the notebook's tables"


def test_the_cost_of_small_studies_is_shown():
    run = {"grid": "sweep", "parameterisation": "mup", "lr": 0.1, "optimizer": "sgd", "seed": 0}
    run |= {"model": "mlp", "shape.width": 4, "shape.depth": 1, "steps": 6, "status": "finished"}
    text = html.runs_table(pd.DataFrame([{**run, "seconds": 0.15, "flops": 2e9}] * 2)).data
    assert "<td>0.3 s</td><td>0.004</td>" in text
    replay = {"replay": "r", "suite": "s", "task": "t", "group": "g", "method": "random"}
    replay |= {"repeat": 0, "regrets": [0.1, 0.0], "seconds": 1.5}
    text = html.replays_table({"replays": pd.DataFrame([replay] * 2)}).data
    assert "<td>3 s</td>" in text


def test_a_sweep_without_a_common_seed_has_a_row_that_says_so():
    runs = runs_table(rows()).assign(grid="whole", parameterisation="mup")
    kept = runs["lr"].eq(2.0 ** (runs["seed"] - 2))  # another learning rate of each seed
    lacking = runs[kept].assign(grid="lacking")
    text = html.optimum_table(pd.concat([runs, lacking])).data
    assert "no seed was run at every shape.width and lr: give them the same seeds" in text
    assert "-1.00; loss" in text.replace("−", "-")


def test_runs_of_several_devices_are_pointed_out():
    runs = pd.DataFrame({"torch": ["2", "2"], "device": ["cpu", "cpu"]})
    assert "side by side" not in html.provenance_table(runs).data
    runs["device"] = ["cpu", "cuda"]
    assert "side by side" in html.provenance_table(runs).data


def test_headlines_show_each_statement_once_with_claim_rig_and_verdict():
    runs = {"grid": "g", "model": "gpt", "data": "digits", "shape.width": 32, "seed": 0}
    study = {
        "claims": [
            {"id": "x", "measure": "optimum_shift", "where": {"grid": "g"}, "bar": {"min": 0}}
        ],
        "headlines": [
            {"statement": "A < B", "place": "abstract", "claims": ["x", "x"], "measure": "By x."},
            {"statement": "C", "place": "title", "claims": [], "not_here": "Needs a GPU."},
        ],
    }
    tables = {"claims": pd.DataFrame([{**CLAIM, "units": 5}]), "runs": pd.DataFrame([runs])}
    text = html.headlines_table(study, tables).data
    assert text.count("<td>A &lt; B</td><td>abstract</td><td>By x.</td><td>x</td>") == 1
    assert "<td>gpt; on digits; width 32; 5 seeds</td><td>0.12 (0.10 … open); bar ≥ 0</td>" in text
    assert "<td>C</td><td>title</td><td>Needs a GPU.</td><td>none</td>" in text
    assert html.headlines_table({}, tables) is None
