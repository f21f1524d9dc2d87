"""Tasks and groups of suites that planning knows, and the bars that their number decides."""

from __future__ import annotations

from tests.support.planned import claim
from tests.support.specs import VALID

from hypertransfer.claims.claim import Claim
from hypertransfer.studies import claim_checks, replays
from hypertransfer.studies.grid import Grid, runs
from hypertransfer.studies.planned import Planned
from hypertransfer.studies.planned_tasks import planned_tasks, tasks_of
from hypertransfer.studies.replays import Replay, Suite

SEEDS = {"sweep": runs(Grid(VALID, {"shape.width": [8, 16], "lr": [0.1, 0.2], "seed": [0, 1, 2]}))}
ABOUT = {
    "task": ["shape.width", "seed"],
    "group": "seed",
    "loss": "final_loss",
    "dimensions": {"lr": {"low": 0.01, "high": 1, "log": True}},
}
OF_RUNS = Suite(source="runs", grids=["sweep"], about=ABOUT)


def replay(suite="s", **changes):
    written = {"suite": suite, "budget": 4, "repeats": 1, "methods": {
        "random": {"searcher": "random"}, "box": {"searcher": "random", "region": "box"}},
        "regions": {"box": {"shape": "box"}}}  # fmt: skip
    return Replay.parse({**written, **changes})


def groups(tasks):
    return [task["group"] for task in tasks]


def test_tasks_of_packages_and_live_suites_are_declared():
    ridge = tasks_of(Suite(source="sgd_ridge", points=4), {})
    assert len(ridge) == 23
    assert set(groups(ridge)) >= {"diabetes", "wine", "iris", "cancer", "digits", "glass"}
    assert len(tasks_of(Suite(source="hpobench", split=["width"]), {})) == 8
    assert len(tasks_of(Suite(source="xgboost"), {})) == 10
    assert tasks_of(Suite(source="table", file="mine.csv", about=ABOUT), {}) == []


def test_tasks_of_runs_have_the_group_of_their_runs():
    tasks = tasks_of(OF_RUNS, SEEDS)
    assert [task["task"] for task in tasks] == ["8, 0", "8, 1", "8, 2", "16, 0", "16, 1", "16, 2"]
    assert groups(tasks) == ["0", "1", "2"] * 2
    alone = Suite(
        source="runs", grids=["sweep"], about={k: ABOUT[k] for k in ABOUT if k != "group"}
    )
    assert groups(tasks_of(alone, SEEDS)) == [task["task"] for task in tasks]


def test_targets_meet_the_condition_of_their_replay():
    suites = {"s": OF_RUNS, "mlp": Suite(source="hpobench")}
    wide = replay(targets={"shape.width": 16})
    cars = replay("mlp", targets={"data": ["car", "kc1"], "width": 1024})
    tasks = planned_tasks(suites, {"wide": wide, "cars": cars}, SEEDS)
    assert [task["task"] for task in tasks["replay", "wide"]] == ["16, 0", "16, 1", "16, 2"]
    assert groups(tasks["replay", "cars"]) == ["car", "kc1"], "width is not known yet"
    assert len(tasks["suite", "s"]) == 6


def problems(suite, written, **changes):
    of_suite, of_replay = {"s": suite}, {"r": replay(**written)}
    rows = replays.planned_rows(of_suite, of_replay)
    tasks = planned_tasks(of_suite, of_replay, SEEDS)
    planned = Planned(SEEDS, rows, tasks=tasks)
    options = {"of": "box", "over": "random"}
    parsed = Claim.parse(claim(**{"where": {"replay": "r"}, "options": options, **changes}))
    return [problem.text for problem in claim_checks.reach_problems(parsed, planned)]


def test_a_bar_that_no_number_of_planned_groups_can_meet():
    mlp = Suite(source="hpobench")
    share = {"measure": "tasks_improved", "bar": {"min": 80}}
    assert problems(mlp, {}, **share) == [
        "it cannot hold: the greatest measurable value is 63.06 % of groups; the bar is ≥ 80 % of "
        "groups: 8 groups of tasks are planned, so choose another bar or measure, or plan "
        "more groups"
    ]
    assert problems(mlp, {}, **{**share, "bar": {"min": 50}}) == []
    few = {"targets": {"data": ["car", "kc1", "phoneme", "segment"]}}
    (text,) = problems(mlp, few, measure="regret_p_value", bar={"max": 0.05})
    assert text.startswith("it cannot hold: the least measurable value is 0.0625 p")
    assert problems(mlp, {}, measure="regret_p_value", bar={"max": 0.05}) == []


def test_groups_of_runs_are_counted():
    mean = {"measure": "regret_ratio", "bar": {"max": 1}}
    assert problems(OF_RUNS, {"targets": {"shape.width": 16}}, **mean) == []
    (text,) = problems(OF_RUNS, {"targets": {"seed": [0, 1]}}, **mean)
    assert text.startswith("it can neither hold nor fail: both ends of the interval are open")
    assert "2 groups of tasks are planned" in text
    slope = {"measure": "winner_slope", "options": {"size": "shape.width"}, "bar": {"max": 0}}
    assert problems(OF_RUNS, {}, where={"suite": "s"}, **slope) == []
    (text,) = problems(OF_RUNS, {}, where={"suite": "s", "seed": 0}, **slope)
    assert "1 group of tasks is planned" in text


def test_a_table_of_the_user_bounds_nothing():
    table = Suite(source="table", file="mine.csv", about=ABOUT)
    assert problems(table, {}, measure="tasks_improved", bar={"min": 80}) == []
