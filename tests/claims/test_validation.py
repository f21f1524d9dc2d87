"""Claims as a config writes them: every problem is named when the workflow is planned."""

import subprocess
import sys

import pytest
from tests.support.claims import INF, make_claim

from hypertransfer.claims import validation


def test_a_claim_as_documented_is_valid():
    control = {"measure": "optimum_shift", "where": {"grid": "width"}, "bar": {"min": 2}}
    full = make_claim(
        control=control, min_seeds=2, unit="octaves", paper_value="≤ 1", options={"signed": True}
    )
    assert validation.validate([make_claim(), {**full, "id": "other"}]) == []


def broken():
    yield {"measure": "optimum_shft"}, "measure: 'optimum_shft' is unknown; known: optimum_shift"
    yield {"options": {"sze": "lr"}}, "options.sze: unknown option of optimum_shift; known: size"
    yield {"options": {"signed": "yes"}}, "options.signed: 'yes' is not true or false"
    yield {"options": {"size": 3}}, "options.size: 3 is not a text"
    yield {"options": {"loss": "train"}}, "options.loss: 'train' is not one of final_loss"
    yield {"options": [1]}, "options: [1] is not a mapping"
    yield {"bar": {}}, "bar: {} is not"
    yield {"bar": {"max": 1, "mx": 2}}, "bar: "
    yield {"bar": {"max": "1"}}, "bar.max: '1' is not a finite number"
    yield {"bar": {"max": True}}, "bar.max: true is not a finite number"
    yield {"bar": {"min": INF}}, "bar.min: inf is not a finite number"
    yield {"bar": {"min": 2, "max": 1}}, "bar: min 2 is above max 1"
    yield {"where": ["mup"]}, "where: ['mup'] is not a mapping"
    yield {"confidence": "H"}, "confidence: 'H' is not one of high, medium, low"
    yield {"paper_value": 4.5}, "paper_value: 4.5 is not a text or null"
    yield {"min_seeds": 0}, "min_seeds: 0 is not a whole number of at least 1"
    yield {"kind": "mine"}, "kind: 'mine' is not one of paper, control, ours"
    yield {"kind": "paper", "source": "Noci et al."}, "source: names no place in the paper: add its"
    yield {"bar_from": " "}, "bar_from: ' ' is not a text"
    yield {"paper_number": "1"}, "paper_number: '1' is not a finite number or null"
    yield {"paper_number": 1}, "bar.max: 1 is the value of the source (paper_number)"
    yield {"paper_number": -1, "bar": {"min": -1, "max": 2}}, "bar.min: -1 is the value of the"
    yield {"sentence": " "}, "sentence: ' ' is not a text"
    yield {"sentense": "x"}, "sentense: unknown key; known: id"
    yield {"unit": 1}, "unit: 1 is not a text"
    yield {"control": "sp"}, "control: 'sp' is not a mapping"
    yield {"control": {"measure": "optimum_shift", "where": {}}}, "control.bar: is missing"
    gap = {"measure": "gap_growth"}
    yield {**gap, "options": {"window": 0}}, "options.window: 0 is not between 1 and 1000000000"
    yield {**gap, "options": {"window": 2.5}}, "options.window: 2.5 is not a whole number"
    yield {**gap, "options": {"burn_in": 1}}, "options.burn_in: 1 is not between 0 and 0.99"
    yield {**gap, "options": {"quantity": "sharpnes"}}, "options.quantity: 'sharpnes' is not one"
    arms = {"base": "a", "joint": "b"}
    for single, words in (
        ("sp, sp", "options.single: 'sp' occurs twice"),
        ("sp, a", "options.single: 'a' is the value of `base`, too"),
        ("b,sp", "options.single: 'b' is the value of `joint`, too"),
    ):
        yield {"measure": "interaction", "options": {**arms, "single": single}}, words
    same = {"base": "a", "joint": "a", "single": "sp"}
    yield {"measure": "interaction", "options": same}, "options.joint: 'a' is the value of `base`"
    twice = {"by": "task,task"}
    yield {"measure": "region_level", "options": twice}, "options.by: 'task' occurs twice"


@pytest.mark.parametrize(("changes", "words"), list(broken()))
def test_a_broken_claim_is_named_with_what_is_known(changes, words):
    (problem,) = validation.validate([make_claim(**changes)])
    assert problem.startswith(f"claim 'mup-width': {words}")


def test_all_problems_of_all_claims_come_at_once():
    missing = {"id": "empty"}
    texts = validation.validate(
        [make_claim(), make_claim(bar={"max": "x"}, measure="no"), missing, 3]
    )
    assert len(texts) == 2 + 8 + 1 + 1
    assert "claim 'mup-width': the id occurs twice; give each claim its own" in texts
    assert "claim 'empty': bar: is missing" in texts
    assert "claim 3: 3 is not a mapping" in texts
    assert list(validation.problems(make_claim())) == []
    assert [problem.path for problem in validation.problems(make_claim(bar={}))] == [("bar",)]


@pytest.mark.parametrize(
    "place",
    ["Fig. 1", "third figure", "Table 2", "§ 3.1", "abstract", "page 33", "Lemma C.6", "notebooks"],
)
def test_a_place_in_a_paper_has_many_names(place):
    claim = make_claim(kind="paper", source=f"Noci et al. 2402.17457, {place}", paper_number=0.7)
    assert validation.validate([claim]) == []


def test_others_than_the_paper_need_no_place():
    for kind in ("control", "ours"):
        assert validation.validate([make_claim(kind=kind, source="Yang et al.")]) == []


def test_whole_numbers_are_numbers_for_options_and_bars():
    claim = make_claim(measure="stable_lr_shift", options={"ceiling": 3}, bar={"min": -1, "max": 2})
    assert validation.validate([claim]) == []


def test_planning_imports_neither_pandas_nor_scipy_nor_torch():
    code = (
        "import sys; from hypertransfer.claims import validation\n"
        "validation.validate([{'id': 'x', 'measure': 'gap_growth', 'options': {'window': 2}}])\n"
        "print([m for m in ('pandas', 'scipy', 'torch', 'pyarrow') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert out.stdout.strip() == "[]"
