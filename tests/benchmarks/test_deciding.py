"""The two forms of the study whose decided claims a benchmark compares."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
import yaml
from tests.benchmarks import deciding, verdicts

from hypertransfer.studies.study import load_study


@pytest.mark.parametrize("listed", [None, *deciding.TIMES])
def test_all_forms_are_sound_and_have_the_papers_claims(tmp_path, listed):
    study = deciding.paper_study(listed)
    (tmp_path / "super_consistency.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    loaded = load_study("super_consistency", "desk", tmp_path)
    assert {claim.kind for claim in loaded.claims} == {"paper"}
    assert (loaded.spending is None) == bool(listed)


def test_the_forms_differ_in_axes_alone():
    ours, listed = (deciding.paper_study(times) for times in (None, 1))
    assert ours["grids"].keys() == listed["grids"].keys()
    assert [(c["id"], c["measure"], c["bar"]) for c in ours["claims"]] == [
        (c["id"], c["measure"], c["bar"]) for c in listed["claims"]
    ]
    for name, grid in ours["grids"].items():
        rest = {key: value for key, value in grid.items() if key not in ("axes", "overrides")}
        assert rest.items() <= listed["grids"][name].items()


def test_listed_seeds_are_multiplied_and_nothing_else():
    once, twice = (deciding.paper_study(times)["grids"] for times in (1, 2))
    parts = [(once[name], twice[name]) for name in once]
    parts += [
        pair
        for one, two in parts
        for pair in zip(*(p["overrides"] for p in (one, two)), strict=True)
    ]
    seeds = [
        part["axes"].pop("seed")["range"]
        for pair in parts
        for part in pair
        if "seed" in part["axes"]
    ]
    assert once == twice
    assert seeds[1::2] == [2 * number for number in seeds[::2]]


def test_claims_per_hour_count_what_holds_or_fails():
    spent = deciding.Spent({"a": "holds", "b": "fails", "c": "undecided"}, {}, 1800)
    assert (spent.decided, spent.per_hour) == (2, 4)


@pytest.mark.parametrize("change", [deciding.OTHER_SEEDS, deciding.OTHER_ROUNDING])
def test_changes_replace_a_text_that_is_there_once(change):
    text = (deciding.LIBRARY / change.module).read_text()
    assert text.count(change.old) == 1
    compile(text.replace(change.old, change.new), change.module, "exec")


def test_other_instructions_round_differently():
    if torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        pytest.skip("torch uses no vector instructions of this processor")
    code = "import torch; torch.manual_seed(0); print(torch.randn(999).exp().tolist())"

    def values(**environment):
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, check=True, capture_output=True).stdout

    assert values(ATEN_CPU_CAPABILITY="default") != values()


def test_agreement_is_of_claims_that_both_decide():
    ours = {"a": "holds", "b": "fails", "c": "undecided", "d": "holds", "e": "holds"}
    again = {"a": "holds", "b": "holds", "c": "fails", "d": "undecided", "e": "holds"}
    values = {**dict.fromkeys(ours, 1.0), "d": math.nan}
    rows = verdicts.agreement(
        deciding.Spent(ours, values, 1),
        deciding.Spent(again, {**values, "c": 2.0, "d": float("nan")}, 1),
        "x",
    )
    moved, decided, both, equal = rows
    assert (moved["ours"], decided["ours"], decided["rival"], both["ours"]) == (1, 4, 4, 3)
    assert equal["ours"] == pytest.approx(200 / 3)
    assert equal["target"] == 98
