"""Replays: what is earlier, what is paired, what regions say of a target they do not know."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.support import spaces

from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.learning import Space
from hypertransfer.spaces.replay import ReplayError, run
from hypertransfer.spaces.tasks.task import Task

DOMAIN = Domain.parse({"lr": {"low": 1e-4, "high": 1, "log": True}, "decay": {"low": 0, "high": 1}})
GRID = np.array([(a, b) for a in np.linspace(0, 1, 21) for b in np.linspace(0, 1, 21)])


def task(name, best, group="all", **place):
    losses = ((GRID - best) ** 2).sum(axis=1)
    return Task(name, group, GRID, losses, {"data": name, **place})


TASKS = [
    task("a", (0.5, 0.5), "one", width=8.0),
    task("b", (0.55, 0.45), "one", width=16.0),
    task("c", (0.5, 0.6), "two", width=32.0),
    task("d", (0.45, 0.5), "two", width=256.0),
]
VALUES = {
    "repeats": 2,
    "budget": 8,
    "regions": {"box": {"shape": "box"}, "ellipsoid": {"shape": "ellipsoid"}},
    "methods": {
        "random": {"searcher": "random"},
        "box": {"searcher": "random", "region": "box"},
        "again": {"searcher": "random", "region": "box"},
        "warm": {"searcher": "random", "warm": True},
    },
}


def replay(tasks=TASKS, **values):
    return spaces.replay("r", DOMAIN, tasks, **{**VALUES, **values})


def frames(replayed, part=0, parts=1):
    regrets, regions = run(replayed, part, parts)
    return regrets.to_pandas(), regions.to_pandas()


def names(tasks):
    return [task.name for task in tasks]


def test_a_target_is_never_among_what_is_earlier():
    for target in TASKS:
        assert target.name not in names(replay().priors(target))
        assert len(replay().priors(target)) == 3


def test_groups_places_and_what_is_the_same():
    a = TASKS[0]
    assert names(replay(leave_out="group").priors(a)) == ["c", "d"]
    assert names(replay(priors={"width": {"max": 32}}).priors(a)) == ["b", "c"]
    assert names(replay(targets={"width": 256}).targets) == ["d"]
    twins = [
        task("x", (0.5, 0.5), seed=0),
        task("y", (0.5, 0.5), seed=1),
        task("z", (0, 0), seed=0),
    ]
    assert names(replay(twins, same=["seed"]).priors(twins[0])) == ["z"]


def test_what_has_nothing_to_learn_from_or_to_aim_at_is_named():
    with pytest.raises(ReplayError, match="d has no earlier tasks"):
        run(replay(TASKS[3:]), 0, 1)
    with pytest.raises(ReplayError, match="replay r: no task is a target"):
        run(replay(targets={"width": 7}), 0, 1)


def test_parts_make_the_whole():
    whole = frames(replay(prior=30))[0]
    parts = [frames(replay(prior=30), part, 3)[0] for part in range(3)]
    for one in (whole, *parts):
        one["regrets"] = one["regrets"].map(tuple)
    key = ["task", "method", "repeat"]
    together = {
        tuple(row[k] for k in key): row["regrets"]
        for one in parts
        for row in one.to_dict("records")
    }
    assert together == {tuple(r[k] for k in key): r["regrets"] for r in whole.to_dict("records")}


def test_methods_are_compared_in_pairs():
    found = frames(replay())[0]
    box, again = (np.stack(found[found["method"] == name]["regrets"]) for name in ("box", "again"))
    assert (box == again).all(), "the same searcher in the same region draws the same rows"


def test_what_is_seen_of_earlier_tasks_is_the_same_whatever_else_is_replayed():
    one = frames(replay(prior=20))[1]
    other = frames(replay(prior=20, methods={"random": {"searcher": "random"}}))[1]
    assert one["volume"].tolist() == other["volume"].tolist()
    assert one["volume"].nunique() > 4, "repeats see different evaluations"


def test_regions_around_the_winners_help_and_say_so():
    regrets, regions = frames(replay(repeats=20))
    mean = {name: np.stack(p["regrets"]).mean(axis=0) for name, p in regrets.groupby("method")}
    assert mean["box"][3] < 0.3 * mean["random"][3]
    assert mean["warm"][2] < mean["random"][2]
    d = regions[(regions["task"] == "d") & (regions["region"] == "box")].iloc[0]
    # Winners of a, b, c: lr 0.5 to 0.55, floor 0.05 → 0.475 to 0.575; decay 0.45 to 0.6.
    assert d["volume"] == pytest.approx(0.1 * 0.15)
    assert d["inflation"] == pytest.approx(0.075 / 0.05), "d is best at lr 0.45"
    assert d["covered"] == 0.0
    assert d["points"] == 3


def test_the_picture_is_of_the_first_repeat_and_can_be_read():
    regions = frames(replay())[1]
    assert regions[regions["repeat"] == 0]["picture"].notna().all()
    assert regions[regions["repeat"] == 1]["picture"].isna().all()
    picture = json.loads(regions["picture"].iloc[0])
    assert Space.from_plain(picture).volume == pytest.approx(regions["volume"].iloc[0])
    assert len(picture["won"]) == 3


def test_a_planted_outlier_spoils_the_tight_box_and_not_the_one_with_slack():
    tasks = [task(f"t{i}", (0.2 + 0.02 * i, 0.2)) for i in range(10)]
    values = {
        "planted": 1,
        "repeats": 6,
        "regions": {"box": {"shape": "box"}, "slack": {"shape": "box", "slack": 0.1}},
    }
    regions = frames(replay(tasks, **values, methods={"random": {"searcher": "random"}}))[1]
    tight, slack = (regions[regions["region"] == name] for name in ("box", "slack"))
    assert (tight["planted_out"] == 0).all()
    assert (slack["planted_out"] == 1).all()
    assert (tight["volume"] > 0.5).all()
    # Where λw, the price of width, is 1/(2n), that of one more point outside: w = 1/(2·9·0.1).
    assert slack["volume"].to_numpy() == pytest.approx((1 / 1.8) ** 2, rel=1e-3)


def test_drift_follows_the_size_of_the_target():
    tasks = [task(f"w{w}", (x, 0.5), width=float(w)) for w, x in ((8, 0.8), (16, 0.7), (32, 0.6))]
    target = task("w256", (0.3, 0.5), width=256.0)
    drifting = {"shape": "box", "drift": "width", "drifting": ["lr"]}
    one = replay(
        [*tasks, target],
        targets={"width": 256},
        size="width",
        regions={"box": {"shape": "box"}, "drift": drifting},
    )
    regions = frames(one)[1].set_index(["region", "repeat"])
    assert regions.loc[("box", 0), "inflation"] == pytest.approx(0.4 / 0.1)
    assert regions.loc[("drift", 0), "inflation"] == pytest.approx(0, abs=1e-6)
    assert regions.loc[("drift", 0), "size"] == 256
