"""Seeds as needed: the values of their axis, and what a study with spending cannot ask for."""

from __future__ import annotations

import copy

import pytest
import yaml
from tests.support import configs
from tests.support.configs import load, study_file
from tests.support.project import STUDY

from hypertransfer.studies import study as studies_study
from hypertransfer.studies.spending import Spending, is_sure, places

CLAIM = {
    "id": "gain",
    "sentence": "The wider one is better.",
    "kind": "ours",
    "source": "nobody",
    "confidence": "low",
    "bar_from": "ours",
    "measure": "transfer_gain",
    "where": {"grid": "sweep"},
    "bar": {"min": 0},
}


def study(**spending) -> dict:
    """The small study over two widths with seeds as needed, and a claim on it."""
    made = copy.deepcopy(STUDY)
    made["grids"]["sweep"]["axes"] |= {"shape.width": [4, 8], "seed": "as_needed"}
    made["grids"]["sweep"]["inner"] = ["lr", "seed"]
    made["spending"] = {"core_minutes": 2, "seeds": [2, 4], **spending}
    made["claims"] = [copy.deepcopy(CLAIM)]
    made["scales"] = {}
    return made


def problems(tmp_path, change=lambda made: None, **spending) -> list[str]:
    made = study(**spending)
    change(made)
    return configs.problems(tmp_path, made)


def test_the_axis_holds_all_seeds_that_may_run_and_the_first_are_sure(tmp_path):
    loaded = load(tmp_path, study())
    runs, grid = loaded.runs["sweep"], loaded.grids["sweep"]
    assert loaded.spending == Spending(core_minutes=2, seeds=[2, 4])
    assert sorted({run.spec.seed for run in runs}) == [0, 1, 2, 3]
    assert {run.spec.seed for run in runs if is_sure(grid, run.point)} == {0, 1}
    found = places(grid, runs)
    assert len(found) == 2 * 2  # widths and learning rates
    assert all(
        [runs[index].spec.seed for index in place.indices] == [0, 1, 2, 3] for place in found
    )


def test_an_override_lists_the_seeds_of_some_points(tmp_path):
    made = study()
    made["grids"]["sweep"]["overrides"] = [{"when": {"lr": 0.2}, "axes": {"seed": [1]}}]
    loaded = load(tmp_path, made)
    grid, runs = loaded.grids["sweep"], loaded.runs["sweep"]
    sure = {(run.spec.lr, run.spec.seed) for run in runs if is_sure(grid, run.point)}
    assert sure == {(0.1, 0), (0.1, 1), (0.2, 1)}
    assert {tuple(place.numbers) for place in places(grid, runs)} == {(2, 4), ()}


def test_an_override_can_ask_for_seeds_as_needed(tmp_path):
    made = study()
    made["grids"]["sweep"]["axes"]["seed"] = [0]
    made["grids"]["sweep"]["overrides"] = [{"when": {"lr": 0.2}, "axes": {"seed": "as_needed"}}]
    made["claims"] = []
    seeds = {}
    for run in load(tmp_path, made).runs["sweep"]:
        seeds.setdefault(run.spec.lr, set()).add(run.spec.seed)
    assert seeds == {0.1: {0}, 0.2: {0, 1, 2, 3}}


def test_a_scale_replaces_the_spending_and_the_axis(tmp_path):
    made = study()
    made["scales"] = {
        "paper": {"spending": {"core_minutes": 60, "seeds": [3, 5, 9]}},
        "smoke": {"spending": None, "grids": {"sweep": {"axes": {"seed": [0]}}}},
    }
    file = study_file(tmp_path / "studies", yaml.safe_dump(made))
    at = {s: studies_study.load_study("mine", s, file.parent) for s in ("paper", "smoke")}
    assert at["paper"].spending == Spending(60, [3, 5, 9])
    assert {run.spec.seed for run in at["paper"].runs["sweep"]} == set(range(9))
    assert at["smoke"].spending is None
    assert {run.spec.seed for run in at["smoke"].runs["sweep"]} == {0}


def test_the_study_as_plain_values_is_read_back(tmp_path):
    loaded = load(tmp_path, study())
    again = studies_study.Study.parse(loaded.plain(), "desk")
    assert again.spending == loaded.spending
    assert again.runs == loaded.runs


def drop_spending(made):
    del made["spending"]


def list_seeds(made):
    made["grids"]["sweep"]["axes"]["seed"] = [0, 1]


def need_rates(made):
    made["grids"]["sweep"]["axes"]["lr"] = "as_needed"


@pytest.mark.parametrize(
    ("change", "key", "text"),
    [
        (drop_spending, "grids.sweep.axes.seed", "takes the numbers of seeds from `spending`"),
        (list_seeds, "spending", "no grid has the axis `seed: as_needed`"),
        (need_rates, "grids.sweep.axes.lr", "only the axis seed can be as_needed"),
    ],
)
def test_seeds_and_spending_belong_together(tmp_path, change, key, text):
    found = problems(tmp_path, change)
    assert any("mine.yaml:" in one and f" {key}: " in one and text in one for one in found), found


@pytest.mark.parametrize(
    ("spending", "key"),
    [
        ({"seeds": [4, 2]}, "spending.seeds"),
        ({"seeds": [4, 4]}, "spending.seeds"),
        ({"seeds": [4]}, "spending.seeds"),
        ({"seeds": [0, 4]}, "spending.seeds.0"),
        ({"core_minutes": 0}, "spending.core_minutes"),
        ({"core_minutes": -1}, "spending.core_minutes"),
        ({"hours": 1}, "spending.hours"),
    ],
)
def test_spending_that_cannot_be_meant(tmp_path, spending, key):
    assert any(f" {key}: " in one for one in problems(tmp_path, **spending))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"inner": ["lr"]}, "inner"),
        ({"zip": [["lr", "seed"]]}, "zip"),
        ({"exclude": [{"seed": 3}]}, "exclude.0"),
        ({"only": [{"seed": [0, 1]}]}, "only.0"),
    ],
)
def test_seeds_as_needed_stand_in_a_cell_and_in_no_filter(tmp_path, changes, key):
    def change(made):
        made["grids"]["sweep"] |= changes

    assert any(f"grids.sweep.{key}: " in one for one in problems(tmp_path, change))


@pytest.mark.parametrize("wanted", [2, [0, 3], {"min": 2}])
@pytest.mark.parametrize("part", ["claim", "control", "figure", "probe"])
def test_conditions_name_seeds_that_surely_run(tmp_path, part, wanted):
    def change(made):
        where = {"grid": "sweep", "seed": wanted}
        if part == "claim":
            made["claims"][0]["where"] = where
        elif part == "control":
            control = {"measure": "transfer_gain", "where": where, "bar": {"max": 0}}
            made["claims"][0]["control"] = control
        elif part == "figure":
            made["figures"][0]["where"] = where
        else:
            made["grids"]["sweep"]["probes"]["sharpness"]["where"] = {"seed": wanted}

    found = problems(tmp_path, change)
    assert any("may never run: name seeds below 2, which always run" in one for one in found), found


@pytest.mark.parametrize("wanted", [1, [0, 1], {"max": 3}])
def test_conditions_on_sure_seeds_are_accepted(tmp_path, wanted):
    def change(made):
        made["figures"][0]["where"] = {"seed": wanted}
        made["grids"]["sweep"]["probes"]["sharpness"]["where"] = {"seed": wanted}

    assert problems(tmp_path, change) == []


@pytest.mark.parametrize(("asked", "refused"), [(2, False), (3, True)])
def test_a_claim_asks_for_no_more_seeds_than_surely_run(tmp_path, asked, refused):
    def change(made):
        made["claims"][0]["min_seeds"] = asked

    found = problems(tmp_path, change)
    assert any("claims.0.min_seeds" in one and "surely run" in one for one in found) is refused
    assert bool(found) is refused


def test_a_suite_takes_no_runs_of_a_grid_with_seeds_as_needed(tmp_path):
    def change(made):
        made["suites"] = {"own": {"grids": ["sweep"]}}

    found = problems(tmp_path, change)
    assert any("suites.own" in one for one in found)


@pytest.mark.parametrize(
    ("seeds", "refused"), [([0, 1], False), ([1, 3], True), ("as_needed", False)]
)
def test_another_grid_lists_no_run_whose_seed_is_as_needed(tmp_path, seeds, refused):
    def change(made):
        axes = {"shape.width": [4], "lr": [0.1], "seed": seeds}
        made["figures"] = []
        made["grids"]["fixed"] = {"base": made["grids"]["sweep"]["base"], "axes": axes}

    found = problems(tmp_path, change)
    assert (
        any(
            "grids.sweep.axes.seed" in one
            and "the grid fixed lists the same run with the seed 3" in one
            for one in found
        )
        is refused
    )
    assert bool(found) is refused


@pytest.mark.parametrize(
    ("axes", "override", "key"),
    [
        ("as_needed", [0, 2], "overrides.0.axes.seed"),
        ("as_needed", {"range": 3}, "overrides.0.axes.seed"),
        ([0, 1, 2], "as_needed", "axes.seed"),
        ("as_needed", [0, 1], None),
    ],
)
def test_seeds_that_are_listed_beside_needed_ones_surely_run(tmp_path, axes, override, key):
    def change(made):
        made["grids"]["sweep"]["axes"]["seed"] = axes
        made["grids"]["sweep"]["overrides"] = [{"when": {"lr": 0.2}, "axes": {"seed": override}}]

    found = problems(tmp_path, change)
    text = f" grids.sweep.{key}: lists the seed 2 beside seeds that are as_needed: list only seeds"
    assert len(found) == (key is not None), found
    assert all("mine.yaml:" in one and text in one for one in found), found
