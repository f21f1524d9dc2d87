"""Runs that get more seeds: the claims with the highest chance per second, within the budget."""

from __future__ import annotations

import copy
import json

import numpy as np
import pandas as pd
import pytest
from tests.support.claims import make_claim

from hypertransfer.analysis.intervals import mean_over_seeds
from hypertransfer.claims import looks
from hypertransfer.claims.looks import allocate
from hypertransfer.claims.measure import MEASURES, Measure

DEVIATES = np.array([-1.0, -0.4, 0.4, 1.0])  # of the first four seeds, with mean 0
SECONDS = 3.0


@pytest.fixture(autouse=True)
def mean_measure(monkeypatch):
    """A measure: the mean over seeds of the final loss."""

    def mean(tables, level):
        values = tables["runs"].groupby("seed")["final_loss"].mean().to_numpy()
        return mean_over_seeds(values, level=level)

    monkeypatch.setitem(MEASURES, "mean", Measure(mean, ""))


def claim(name, place, **changes):
    return make_claim(
        **{"id": name, "kind": "paper", "measure": "mean", "where": {"place": place},
           "bar": {"max": 1}, **changes},
    )  # fmt: skip


def runs(**means):
    """Four seeds at each place, whose losses have a mean and a standard deviation of about 1."""
    rows = [
        (place, seed, f"{place}{seed}", mean + DEVIATES[seed % 4], SECONDS)
        for place, mean in means.items()
        for seed in range(4)
    ]
    table = pd.DataFrame(rows, columns=["place", "seed", "key", "final_loss", "seconds"])
    return table.assign(grid="g")


def place(name, *claims, seeds=10, seconds=SECONDS):
    listed = [[seed, f"{name}{seed}", seconds] for seed in reversed(range(seeds))]
    return {"grid": "g", "claims": list(claims), "runs": listed}


def parts(claims, places, **changes):
    return {
        "look": 1, "seeds": [4, 10], "budget_seconds": 1000.0, "fixed_seconds": 0.0,
        "claims": claims, "places": places, **changes,
    }  # fmt: skip


def later(name, first=4, last=10):
    return {f"{name}{seed}" for seed in range(first, last)}


def rows_of(found):
    return {row["claim"]: row for row in found["claims"]}


def test_an_undecided_claim_gets_the_next_number_of_seeds():
    found = allocate(parts([claim("c", "a")], [place("a", "c")]), {"runs": runs(a=0.0)})
    assert (found["look"], set(found["keys"])) == (1, later("a"))
    assert found == json.loads(json.dumps(found))
    (row,) = found["claims"]
    assert (row["claim"], row["seeds"], row["seconds"], row["extended"]) == ("c", 4, 18, True)
    assert 0.5 < row["chance"] < 1
    assert row["reason"].endswith(" % with 10 seeds, 0.3 core-minutes")


def test_decided_claims_and_claims_without_a_chance_get_none():
    claims = [claim("sure", "a"), claim("beyond", "b"), claim("open", "c")]
    places = [place("a", "sure"), place("b", "beyond"), place("c", "open")]
    tables = {"runs": runs(a=-9.0, b=9.0, c=1.0)}
    found = allocate(parts(claims, places, seeds=[4, 5]), tables)
    assert rows_of(found)["sure"]["reason"] == "it holds"
    assert rows_of(found)["beyond"]["reason"] == "it fails"
    # On the bar: a fifth seed decides it with some chance, but hardly.
    assert rows_of(found)["open"]["chance"] < 0.2
    assert not {"a4", "b4"} & set(found["keys"])


def test_an_open_interval_has_no_chance_and_says_why(monkeypatch):
    def unbounded(tables, level):
        return MEASURES["mean"].function(tables, 1.0).with_caveats(["the edge of the grid"])

    monkeypatch.setitem(MEASURES, "open", Measure(unbounded, ""))
    found = allocate(
        parts([claim("c", "a", measure="open")], [place("a", "c")]), {"runs": runs(a=0.0)}
    )
    assert found["keys"] == []
    assert found["claims"][0]["chance"] == 0
    assert found["claims"][0]["reason"].endswith("below 1 %; the edge of the grid")


def test_the_budget_goes_to_the_highest_chance_per_second():
    claims = [claim("near", "a"), claim("far", "b")]
    places = [place("a", "near"), place("b", "far")]
    tables = {"runs": runs(a=0.9, b=-0.5)}
    enough_for_one = 8 * SECONDS + 6 * SECONDS
    found = allocate(parts(claims, places, budget_seconds=enough_for_one), tables)
    assert set(found["keys"]) == later("b")
    near, far = (rows_of(found)[name] for name in ("near", "far"))
    assert far["chance"] > near["chance"] > 0
    assert (near["extended"], far["extended"]) == (False, True)
    assert near["reason"].endswith("more than the 0 core-minutes left of the budget")
    both = allocate(parts(claims, places, budget_seconds=2 * enough_for_one), tables)
    assert set(both["keys"]) == later("a") | later("b")
    # Ten times the seconds for the better chance: the other claim has more chance per second.
    costly = [place("a", "near"), place("b", "far", seconds=100 * SECONDS)]
    spent = 4 * SECONDS + 400 * SECONDS
    found = allocate(parts(claims, costly, budget_seconds=spent + 6 * SECONDS), tables)
    assert set(found["keys"]) == later("a")


def test_what_was_spent_counts():
    asked = parts([claim("c", "a")], [place("a", "c")], budget_seconds=10 * SECONDS)
    assert allocate(asked, {"runs": runs(a=0.0)})["keys"]
    assert not allocate({**asked, "fixed_seconds": 0.1}, {"runs": runs(a=0.0)})["keys"]


def test_the_papers_claims_come_before_our_own():
    claims = [claim("ours", "a", kind="ours"), claim("paper", "b")]
    places = [place("a", "ours"), place("b", "paper")]
    budget = 14 * SECONDS
    found = allocate(parts(claims, places, budget_seconds=budget), {"runs": runs(a=0.0, b=0.0)})
    assert set(found["keys"]) == later("b")
    chances = {row["claim"]: row["chance"] for row in found["claims"]}
    assert chances["ours"] == chances["paper"]


def test_gains_of_claims_that_share_their_runs_add_up():
    claims = [claim("one", "a"), claim("x", "b"), claim("y", "b", bar={"max": 1.05})]
    places = [place("a", "one"), place("b", "x", "y")]
    tables = {"runs": runs(a=-0.1, b=0.0)}
    found = allocate(parts(claims, places, budget_seconds=14 * SECONDS), tables)
    assert rows_of(found)["one"]["chance"] > rows_of(found)["x"]["chance"]
    assert set(found["keys"]) == later("b")
    assert [row["extended"] for row in found["claims"]] == [False, True, True]


def test_runs_that_were_chosen_cost_nothing_for_the_next_claim():
    claims = [claim("small", "a"), claim("both", ["a", "b"]), claim("other", "c", kind="ours")]
    places = [place("a", "small", "both"), place("b", "both"), place("c", "other")]
    tables = {"runs": runs(a=0.0, b=0.2, c=0.0)}
    found = allocate(parts(claims, places, budget_seconds=(12 + 12) * SECONDS), tables)
    assert set(found["keys"]) == later("a") | later("b")


def test_runs_of_a_hopeless_claim_that_others_want_are_said_to_be_extended():
    claims = [claim("c", "a"), claim("d", "a", bar={"max": 99})]
    found = allocate(parts(claims, [place("a", "c", "d")]), {"runs": runs(a=0.0)})
    row = rows_of(found)["d"]
    assert (row["extended"], row["reason"]) == (
        True,
        "it holds; its runs get more seeds for other claims",
    )


def test_a_control_that_is_undecided_needs_its_seeds_too():
    control = {"measure": "mean", "where": {"place": "b"}, "bar": {"min": 1}}
    with_control = claim("c", "a", control=control)
    places = [place("a", "c"), place("b", "c")]
    alone = allocate(
        parts([claim("c", "a")], [place("a", "c")]), {"runs": runs(a=-0.2, b=1.5)}
    )["claims"][0]  # fmt: skip
    found = allocate(parts([with_control], places), {"runs": runs(a=-0.2, b=1.5)})
    assert set(found["keys"]) == later("a") | later("b")
    assert 0 < found["claims"][0]["chance"] < alone["chance"]
    # A claim that is decided by itself waits for its control alone.
    waiting = allocate(parts([with_control], places), {"runs": runs(a=-9.0, b=1.5)})["claims"][0]
    assert found["claims"][0]["chance"] < waiting["chance"] < 1
    failed = allocate(parts([with_control], places), {"runs": runs(a=-0.2, b=-9.0)})
    assert failed["keys"] == []


def test_places_that_rounds_did_not_give_the_first_seeds_stay_as_they_are():
    table = runs(a=0.0, edge=5.0)
    table = table[(table["place"] != "edge") | (table["seed"] < 2)]
    found = allocate(
        parts([claim("c", "a")], [place("a", "c"), place("edge", "c")]), {"runs": table}
    )
    assert set(found["keys"]) == later("a")


def test_a_claim_that_an_earlier_look_left_out_stays_out():
    table = runs(a=0.0, b=0.0)
    more = [("a", seed, f"a{seed}", DEVIATES[seed % 4], SECONDS, "g") for seed in range(4, 6)]
    table = pd.concat([table, pd.DataFrame(more, columns=table.columns)])
    asked = parts(
        [claim("c", "a"), claim("d", "b")],
        [place("a", "c", seeds=12), place("b", "d", seeds=12)],
        seeds=[4, 6, 12],
        look=2,
    )
    found = allocate(asked, {"runs": table})
    assert set(found["keys"]) == later("a", 6, 12)
    reason = "its runs have fewer than 6 seeds since an earlier look"
    assert rows_of(found)["d"]["reason"] == reason


def test_a_look_before_the_last_sets_aside_the_seconds_of_later_ones():
    claims = [claim("c", "a", bar={"max": 0.6}), claim("d", "b", bar={"max": 0.6})]
    places = [place("a", "c", seeds=40), place("b", "d", seeds=40)]
    tables = {"runs": runs(a=0.0, b=-0.01)}
    alone = allocate(parts(claims, places, seeds=[4, 5], budget_seconds=99.0), tables)
    asked = parts(claims, places, seeds=[4, 5, 40], budget_seconds=8 * SECONDS + 36 * SECONDS)
    found = allocate(asked, tables)
    # Five seeds hardly decide it, but forty do: the claim with the higher chance gets a fifth seed
    # now, and the other one none, since its later seeds would exceed the budget.
    assert found["keys"] == ["b4"]
    assert rows_of(found)["d"]["chance"] > rows_of(alone)["d"]["chance"]
    assert rows_of(found)["d"]["seconds"] == 36 * SECONDS
    assert "with 40 seeds, 1.8 core-minutes" in rows_of(found)["d"]["reason"]
    assert rows_of(found)["c"]["reason"].endswith("more than the 0 core-minutes left of the budget")
    # A budget that is enough for a fifth seed alone buys nothing.
    assert allocate({**asked, "budget_seconds": 9 * SECONDS}, tables)["keys"] == []


def test_a_claim_that_cannot_be_measured_yet_gets_none():
    found = allocate(
        parts([claim("c", "a", where={"place": "nowhere"})], [place("a", "c")]),
        {"runs": runs(a=0.0)},
    )
    assert found["keys"] == []
    assert found["claims"][0]["reason"].startswith("it cannot be measured: claim 'c': where.place")


def test_two_seeds_have_an_unknown_chance():
    table = runs(a=0.0)
    asked = parts([claim("c", "a", min_seeds=2)], [place("a", "c")], seeds=[2, 10])
    found = allocate(asked, {"runs": table[table["seed"] < 2]})
    assert found["claims"][0]["chance"] == 0.5
    assert set(found["keys"]) == later("a", 2)


def test_claims_of_other_grids_are_no_part_of_the_decision_which_is_the_same_each_time():
    claims = [claim("c", "a"), claim("z", "b")]
    asked = parts(claims, [place("a", "c")])
    tables = {"runs": runs(a=0.0, b=0.0)}
    first = allocate(asked, tables)
    assert [row["claim"] for row in first["claims"]] == ["c"]
    asked = copy.deepcopy(asked)
    asked["places"][0]["runs"].reverse()
    assert allocate(asked, {"runs": tables["runs"].iloc[::-1]}) == first


def test_a_part_with_listed_seeds_gets_none_and_buys_none():
    control = {"measure": "mean", "where": {"place": "b"}, "bar": {"min": 1}}
    tables = {"runs": runs(a=-0.2, b=1.5)}
    for listed, of in (("claim", claim("c", "a")), ("control", claim("c", "a", control=control))):
        places = [place("a", "c")]
        (free,) = allocate(parts([of], places), tables)["claims"]
        found = allocate(parts([of], places, listed={"c": [listed]}), tables)
        (row,) = found["claims"]
        assert (free["chance"] > 0, row["chance"], found["keys"]) == (True, 0, [])
        assert row["reason"] == f"its {listed} read runs whose seeds are listed"


def test_a_control_with_listed_seeds_that_holds_is_no_reason(monkeypatch):
    control = {"measure": "mean", "where": {"place": "b"}, "bar": {"min": 1}}
    listed, tables = {"c": ["control"]}, {"runs": runs(a=-0.2, b=99.0)}
    held = parts([claim("c", "a", control=control)], [place("a", "c")], listed=listed)
    assert set(allocate(held, tables)["keys"]) == later("a")

    def unbounded(tables, level):
        return MEASURES["mean"].function(tables, 1.0).with_caveats(["the edge of the grid"])

    monkeypatch.setitem(MEASURES, "open", Measure(unbounded, ""))
    open_claim = claim("c", "a", measure="open", control=control)
    (row,) = allocate(parts([open_claim], [place("a", "c")], listed=listed), tables)["claims"]
    assert row["reason"].endswith("below 1 %; the edge of the grid")


def test_the_number_of_seeds_that_is_shown_has_the_highest_chance_for_the_fewest_seconds():
    options = (looks.Option(6, 0.5, {("g", "a"): 1.0}), looks.Option(
        12, 0.5, {("g", "a"): 1.0, ("g", "b"): 5.0}))  # fmt: skip
    prospect = looks.Prospect(looks.Claim.parse(claim("c", "a")), 4, options)
    assert looks._choose([prospect], 100.0) == ({("g", "a")}, 99.0)
    for chosen in (set(), {("g", "a"), ("g", "b")}):
        assert prospect.row(chosen, 0.0)["seconds"] == 1.0


def test_what_adds_no_chance_is_not_bought():
    assert allocate(parts([], [place("a")]), {"runs": runs(a=0.0)})["keys"] == []


def test_runs_that_another_grid_trained_are_no_runs_of_a_place_and_cost_nothing():
    """The grid `along` ran a value with all seeds, which rounds of the grid `g` did not choose."""
    table = runs(a=0.0)
    along = pd.DataFrame(
        [("x", seed, f"x{seed}", 0.0, SECONDS, "along") for seed in range(10)],
        columns=["place", "seed", "key", "final_loss", "seconds", "grid"],
    )
    shared = place("x", "c")
    places = [place("a", "c"), shared, {**shared, "grid": "along", "claims": []}]
    of = parts([claim("c", "a")], places)
    found = allocate(of, {"runs": pd.concat([table, along])})
    assert found["grids"] == {"g": sorted(later("a"))}
    first = along[along["seed"] < 4].assign(grid="g")  # rounds chose the value as well
    chosen = allocate(of, {"runs": pd.concat([table, along, first])})
    assert set(chosen["grids"]["g"]) == later("a") | later("x")
    assert chosen["claims"][0]["seconds"] == found["claims"][0]["seconds"] == 6 * SECONDS
