"""The two forms of the study whose decided claims a benchmark compares."""

from __future__ import annotations

import pytest
import yaml
from tests.benchmarks import deciding

from hypertransfer.studies.study import load_study


@pytest.mark.parametrize("found", [True, False])
def test_both_forms_are_sound_and_have_the_papers_claims(tmp_path, found):
    study = deciding.paper_study(found)
    (tmp_path / "super_consistency.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    loaded = load_study("super_consistency", "desk", tmp_path)
    assert {claim.kind for claim in loaded.claims} == {"paper"}
    assert (loaded.spending is not None) == found


def test_the_forms_differ_in_axes_alone():
    ours, listed = (deciding.paper_study(found) for found in (True, False))
    assert ours["grids"].keys() == listed["grids"].keys()
    assert [(c["id"], c["measure"], c["bar"]) for c in ours["claims"]] == [
        (c["id"], c["measure"], c["bar"]) for c in listed["claims"]
    ]
    for name, grid in ours["grids"].items():
        rest = {key: value for key, value in grid.items() if key not in ("axes", "overrides")}
        assert rest.items() <= listed["grids"][name].items()


def test_claims_per_hour_count_what_holds_or_fails():
    spent = deciding.Spent({"a": "holds", "b": "fails", "c": "undecided"}, 1800)
    assert (spent.decided, spent.per_hour) == (2, 4)
