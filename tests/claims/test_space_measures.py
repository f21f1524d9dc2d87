"""Measures of learned spaces, on tables whose answers are known."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.claims import space_measures, validation, verdicts
from hypertransfer.claims.families import measures
from hypertransfer.claims.measure import ClaimError
from hypertransfer.spaces import replay

CURVES = {  # method → per task the regrets after each evaluation
    "random": [[1.0, 0.8, 0.6, 0.4], [1.0, 0.6, 0.4, 0.2], [1.0, 0.7, 0.5, 0.3]],
    "box": [[0.5, 0.4, 0.3, 0.2], [0.5, 0.3, 0.2, 0.1], [0.8, 0.75, 0.7, 0.6]],
}


def replays():
    return pd.DataFrame(
        {
            "replay": "r",
            "suite": "s",
            "task": f"t{t}",
            "group": "g" if t < 2 else "h",
            "method": method,
            "repeat": repeat,
            "regrets": [max(x + 0.1 * (2 * repeat - 1), 0) for x in curve],
        }
        for method, curves in CURVES.items()
        for t, curve in enumerate(curves)
        for repeat in (0, 1)
    )


def measured(name, table, frame, **options):
    return measures()[name].function({table: frame}, LEVEL, **options)


def test_regret_ratio_is_of_means_over_groups():
    found = measured("regret_ratio", "replays", replays(), of="box", over="random", at=2)
    assert found.value == pytest.approx((0.35 + 0.75) / (0.7 + 0.7))
    assert (found.low, found.high) == (-math.inf, math.inf), "two groups say nothing of others"
    assert (found.count, found.over) == (2, "groups")


def test_groups_are_resampled_as_a_whole():
    found = measured(
        "regret_ratio", "replays", replays(), of="box", over="random", at=2, by="group"
    )
    assert (found.count, found.over) == (2, "groups")
    assert found.value == pytest.approx((0.35 + 0.75) / (0.7 + 0.7))


def test_tasks_improved_in_per_cent():
    found = measured("tasks_improved", "replays", replays(), of="box", over="random", at=3)
    assert found.value == pytest.approx(100 * 1 / 2)
    assert (found.low, found.high) == pytest.approx((1.258, 98.742), abs=0.001)


def test_wilcoxon_over_groups():
    found = measured("regret_p_value", "replays", replays(), of="box", over="random", at=1)
    assert found.value == pytest.approx(1 / 4), "both lower: the least p of two pairs"
    same = measured("regret_p_value", "replays", replays(), of="box", over="box", at=1)
    assert same.value == 1


def test_evaluations_to_a_regret():
    found = measured("evaluations_to", "replays", replays(), of="box", over="random", at=2)
    # random's mean after 2 is 0.7; the box's means are 0.6, …: there after the first
    assert found.value == 1
    never = measured("evaluations_to", "replays", replays(), of="random", over="box", at=4)
    assert never.value == 4, "0.3 against 0.3"
    worse = replays()
    worse.loc[worse["method"] == "random", "regrets"] = pd.Series(
        [[1.0] * 4] * 6, index=worse.index[worse["method"] == "random"]
    )
    assert measured("evaluations_to", "replays", worse, of="random", over="box", at=4).value == (
        math.inf
    )


def test_errors_name_what_is_there():
    with pytest.raises(
        AnalysisError, match="no method 'sphere' in these replays; known: random, box"
    ):
        measured("regret_ratio", "replays", replays(), of="sphere", over="box")
    with pytest.raises(AnalysisError, match="at: 9 is not among the evaluations 1 to 4"):
        measured("regret_ratio", "replays", replays(), of="box", over="random", at=9)
    two = pd.concat([replays(), replays().assign(replay="other")])
    with pytest.raises(AnalysisError, match="several replays have the method 'box'"):
        measured("regret_ratio", "replays", two, of="box", over="random")


def regions():
    return pd.DataFrame([
        {"replay": replay, "region": "box", "task": task, "group": task, "repeat": repeat,
         "volume": volume, "inflation": inflation}
        for replay, rows in {"sp": [(0.4, 2.0), (0.2, 3.0), (0.1, 9.0)],
                             "mup": [(0.1, 1.0), (0.1, 0.5), (0.1, 0.9)]}.items()
        for task, (volume, inflation) in zip("abc", rows, strict=True) for repeat in (0, 1)
    ])  # fmt: skip


def test_region_level_and_ratio():
    sp = regions()[regions()["replay"] == "sp"]
    found = measured("region_level", "regions", sp, quantity="inflation", statistic="median")
    assert found.value == 3.0
    ratio = measured("region_ratio", "regions", regions(), of="mup", over="sp")
    assert ratio.value == pytest.approx((0.25 * 0.5 * 1.0) ** (1 / 3))
    with pytest.raises(ClaimError, match="no region has replay 'ntp'; there is mup, sp"):
        measured("region_ratio", "regions", regions(), of="ntp", over="sp")
    moved = regions().assign(task=lambda f: f["replay"] + f["task"])
    with pytest.raises(AnalysisError, match="mup and sp have different tasks, such as mupa"):
        measured("region_ratio", "regions", moved, of="mup", over="sp")


@pytest.mark.parametrize(
    ("place", "changes", "by", "text"),
    [
        (("mup", "a"), {"task": "d", "group": "d"}, "task", "different tasks, such as a"),
        (("mup", "a"), {"group": "d"}, "group", "different groups, such as a"),
        (("mup", "a"), {"task": "d"}, "group", "different tasks, such as a"),
        (
            ("mup", "a"),
            {"group": "b"},
            "task, group",
            "different values of task, group, such as a, a",
        ),
        (("sp", "b"), {"task": "d", "group": "c"}, "group", "different groups, such as b"),
    ],
)
def test_two_regions_or_methods_have_the_same_tasks_in_each_group(place, changes, by, text):
    """A mean over other tasks of a group would compare tasks, and not the regions."""
    table = regions()
    where = (table["replay"] == place[0]) & (table["task"] == place[1])
    table.loc[where, list(changes)] = list(changes.values())
    with pytest.raises(AnalysisError, match=f"^mup and sp have {text}: choose common "):
        measured("region_ratio", "regions", table, of="mup", over="sp", by=by)
    searched = table.assign(method=table["replay"], regrets=[[0.5]] * len(table))
    with pytest.raises(AnalysisError, match=f"^mup and sp searched {text}: choose common "):
        measured("regret_ratio", "replays", searched, of="mup", over="sp", by=by, at=1)


def test_groups_of_the_same_tasks_are_compared():
    """The ratios of tasks are 1/4, 1/2 and 1; the first two tasks are one group."""
    table = regions().assign(group=lambda f: f["task"].replace("a", "b"))
    found = measured("region_ratio", "regions", table, of="mup", over="sp", by="group")
    assert (found.count, found.over) == (2, "groups")
    assert found.value == pytest.approx(((0.25 * 0.5) ** 0.5 * 1.0) ** 0.5)


def test_winner_slope_by_groups():
    frame = pd.DataFrame(
        [
            {
                "suite": "s",
                "task": f"{group}{width}",
                "group": group,
                "dimension": "lr",
                "seed": seed,
                "width": width,
                "winner": -slope * math.log2(width) + seed,
            }
            for group, slope in (("a", 1.0), ("b", 0.5), ("c", 0.75))
            for width in (16, 64, 256)
            for seed in (0, 1)
        ]
    )
    found = measured("winner_slope", "winners", frame, size="width")
    assert found.value == pytest.approx(-0.75)
    half = 4.3027 * 0.25 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((-0.75 - half, -0.75 + half), abs=1e-4)
    each = measured("winner_slope", "winners", frame, size="width", by="group, seed")
    assert (each.count, each.over) == (3, "groups"), "seeds of a group are no units"
    with pytest.raises(AnalysisError, match="no group has winners at two values of width"):
        measured("winner_slope", "winners", frame[frame["width"] == 16], size="width")


def test_regions_and_winners_are_not_averaged_over_what_a_claim_does_not_choose():
    box, three = regions(), []
    for name, factor in (("box", 1), ("ball", 5), ("cloud", 6)):
        three.append(box.assign(region=name, volume=box["volume"] * factor))
    all_three = pd.concat(three)
    own = all_three[all_three["replay"] == "mup"]
    text = "several values of region are selected, box, ball, cloud: add `region: box` to where"
    with pytest.raises(AnalysisError, match=text):
        measured("region_level", "regions", own)
    alone = measured("region_level", "regions", own[own["region"] == "box"])
    assert alone.value == pytest.approx(0.1)
    with pytest.raises(AnalysisError, match="several values of replay are selected, sp, mup"):
        measured("region_level", "regions", regions())
    with pytest.raises(AnalysisError, match="several values of region are selected"):
        measured("region_ratio", "regions", all_three, of="mup", over="sp")
    apart = measured("region_level", "regions", own, by="task,region")
    assert (apart.count, apart.value) == (3, pytest.approx(0.1 * (1 + 5 + 6) / 3))
    winners = pd.DataFrame(
        [
            {"suite": "s", "task": f"{g}{w}", "group": g, "dimension": name, "width": w,
             "winner": slope * math.log2(w)}
            for name, slope in (("lr", 1.0), ("wd", -3.0)) for g in "abc" for w in (16, 64)
        ]
    )  # fmt: skip
    with pytest.raises(AnalysisError, match="several values of dimension are selected, lr, wd"):
        measured("winner_slope", "winners", winners)
    chosen = winners[winners["dimension"] == "lr"]
    assert measured("winner_slope", "winners", chosen).value == pytest.approx(1.0)


def claim(**changes):
    return {
        "id": "c",
        "sentence": "s",
        "source": "t",
        "kind": "ours",
        "confidence": "low",
        "bar_from": "ours",
        "measure": "regret_ratio",
        "where": {"replay": "r"},
        "options": {"of": "box", "over": "random", "at": 1},
        "bar": {"max": 1},
        **changes,
    }


def test_a_claim_selects_from_its_measures_own_table():
    apart = replays().assign(group=lambda table: table["task"])
    tables = {"runs": pd.DataFrame({"grid": ["x"]}), "replays": apart}
    verdict = verdicts.check(claim(bar={"max": 2}), tables)
    assert verdict.verdict == "holds"
    assert "over 3 groups" in verdict.reason
    with pytest.raises(ClaimError, match="the table 'replays' is needed"):
        verdicts.check(claim(), {"runs": pd.DataFrame({"grid": ["x"]})})
    with pytest.raises(ClaimError, match=r"where.replay: no row has 'q'.*there is r"):
        verdicts.check(claim(where={"replay": "q"}), {"replays": replays()})


def test_options_are_checked_by_the_measures_own_choices():
    wrong = claim(measure="region_level", options={"quantity": "sharpness"})
    (text,) = validation.validate([wrong])
    assert "options.quantity: 'sharpness' is not one of volume, share, inflation" in text
    few = claim(min_seeds=4)
    verdict = verdicts.check(few, {"replays": replays()})
    assert (verdict.verdict, verdict.reason) == ("undecided", "2 groups ran, and 4 are asked for")
    assert verdict.cause == "too few groups"


def test_quantities_of_regions_are_columns_of_their_table():
    assert set(space_measures.QUANTITIES) <= set(replay.REGIONS.names)
