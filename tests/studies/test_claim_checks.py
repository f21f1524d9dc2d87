"""Claims and controls: names in options, and the runs and rows that measures read."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from tests.support import planned_tables
from tests.support.planned import PROBED, PROBES, ROWS, RUNS, claim
from tests.support.specs import VALID

from hypertransfer.catalogue.run_identity import RunIdentities
from hypertransfer.claims import verdicts
from hypertransfer.claims.claim import Claim, Control
from hypertransfer.studies import claim_checks
from hypertransfer.studies import scale_values as values_at_scale
from hypertransfer.studies.grid import Grid, Probe, runs
from hypertransfer.studies.planned import Planned, ScaleValues
from hypertransfer.studies.scale_values import scale_values


def claim_problems(planned=PROBED, **changes):
    parsed, asked = Claim.parse(claim(**changes)), "min_seeds" in changes
    problems = claim_checks.claim_problems(parsed, planned, asks_for_seeds=asked)
    return [(p.key, p.text) for p in problems]


def test_two_runs_that_a_measure_cannot_tell_apart():
    twice = Planned({**RUNS, "other": RUNS["sweep"]})
    assert claim_problems(twice) == []
    steps = Planned({"sweep": runs(Grid(VALID, {"steps": [5, 10], "lr": [0.1], "seed": [0]}))})
    text = (
        "several runs at shape.width 8, lr 0.1, seed 0: they differ in steps: 5, 10; narrow the "
        "condition to one of them: add `steps: 5` to where"
    )
    assert claim_problems(steps) == [("where", text)]
    chosen = {"grid": "sweep", "steps": 5}
    assert claim_problems(steps, where=chosen) == []
    control = Control(measure="optimum_shift", where={"grid": "sweep"}, bar={"min": 1})
    wrong = claim_problems(steps, where=chosen, control=control.plain())
    assert wrong == [("control.where", text)]


def test_a_run_that_two_grids_have_with_other_checkpoints_is_one_run():
    later = [replace(r, spec=replace(r.spec, checkpoints=(3,))) for r in RUNS["sweep"]]
    both = Planned({**RUNS, "other": later})
    assert claim_problems(both, where={"grid": ["sweep", "other"]}) == []


def test_a_run_that_another_grid_measures_is_measured():
    of_both = {**SHARPNESS, "where": {"grid": ["sweep", "again"], "lr": 0.1}}
    both = Planned({**RUNS, "again": RUNS["sweep"]}, ROWS, {**PROBES, "again": {}})
    assert claim_problems(both, **of_both) == []
    other = runs(Grid(VALID, {"shape.width": [8, 16], "lr": [0.1], "seed": [0, 1, 2]}))
    wider = Planned({**RUNS, "again": other}, ROWS, {**PROBES, "again": {}})
    ((_, text),) = claim_problems(wider, **of_both)
    assert text.startswith("no probe measures scaled_sharpness in 2 of the 10 selected runs")


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
@pytest.mark.parametrize("wider", [False, True])
def test_grids_that_share_runs_have_probes_of_their_own(order, wider):
    """Planning accepts the probe of one grid if it measures every run, in any order of the grids.

    The job then measures the claim. If the other grid has more runs, the probe lacks these.
    """
    axes = {"shape.width": [8, 16], "lr": [0.1], "seed": [0, 1]}
    shared, more = (runs(Grid(VALID, {**axes, "lr": lrs})) for lrs in ([0.1], [0.1, 0.2]))
    placed = {"one": shared, "two": more if wider else shared}
    probes = {"one": {"a": Probe("hessian", [0])}, "two": {"b": Probe("hessian", [0])}}
    planned = Planned({name: placed[name] for name in order}, {}, probes)
    changes = {**SHARPNESS, "where": {"grid": ["one", "two"]}, "options": {"probe": "a"}}
    found = claim_problems(planned, **changes)
    if wider:
        text = (
            "the probe a does not measure scaled_sharpness in the grid two, where another probe "
            "does: select other grids in where"
        )
        assert found == [("options.probe", text)]
        changes = {**changes, "where": {"grid": "one"}}
        assert claim_problems(planned, **changes) == []
    else:
        assert found == []
    verdict = verdicts.check(claim(**changes, bar={"max": 1000}), planned_tables.tables(planned))
    assert math.isfinite(verdict.estimate.value)


def test_each_unmeasured_run_is_not_compared_with_each_measured_run(monkeypatch):
    """Planning grew with the square of the runs: two grids of 8,000 runs took two minutes."""
    count, of = 0, RunIdentities.of

    def counted(self, spec):
        nonlocal count
        count += 1
        return of(self, spec)

    monkeypatch.setattr(RunIdentities, "of", counted)
    many = runs(Grid(VALID, {"shape.width": [8, 16], "lr": [0.1], "seed": [*range(100)]}))
    probes = {"sweep": {"p": Probe("hessian", [0])}, "again": {}}
    both = Planned({"sweep": many, "again": many}, ROWS, probes)
    where = {"grid": ["sweep", "again"]}
    assert claim_problems(both, measure="sharpness_spread", where=where) == []
    assert 0 < count < 10 * len(many)


def test_the_run_that_is_measured_is_proposed_among_runs_of_one_place():
    later = Planned(RUNS, ROWS, {"sweep": {"p": Probe("hessian", [0], {"lr": 0.2})}})
    quantity = {"measure": "sharpness_spread", "options": {"quantity": "train_loss"}}
    ((_, text),) = claim_problems(later, **quantity)
    assert text.startswith("several runs at shape.width 8, seed 0: they differ in lr: 0.1, 0.2;")
    assert text.endswith("add `lr: 0.1` to where")
    assert claim_problems(later, **quantity, where={"grid": "sweep", "lr": 0.2}) == []


SHARPNESS = {"measure": "sharpness_spread", "where": {"grid": "sweep", "lr": 0.1}}
ARMS = {"grid": "sweep", "lr": 0.1, "shape.width": 8}


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"measure": "advantage", "options": {"of": "mupp", "over": "mup"}}, "options.of",
         "no parameterisation 'mupp'; known: mup; did you mean 'mup'?"),
        ({"options": {"size": "shape.wdith"}}, "options.size", "no column 'shape.wdith'; known: "),
        ({"options": {"size": "optimizer"}}, "options.size",
         "'optimizer' holds 'sgd', which is not a positive number; known: shape.width"),
        ({"measure": "advantage", "options": {"of": "mup", "tuned_at": "shape.wdith"}},
         "options.tuned_at", "no column 'shape.wdith'"),
        ({"measure": "interaction", "options": {"base": "sweep", "joint": "sweep",
          "single": "sweep, swep"}}, "options.single", "no grid 'swep'; known: sweep"),
        ({"options": {"axis": "weight_decay"}}, "options.axis", "no column 'weight_decay'"),
        ({**SHARPNESS, "options": {"probe": "sharpnes"}}, "options.probe",
         "no probe 'sharpnes' of the selected runs measures scaled_sharpness; known: sharp"),
        ({**SHARPNESS, "options": {"quantity": "trace"}}, "options.quantity",
         "trace needs a probe of the kind trace, and no selected run has one"),
        ({**SHARPNESS, "where": {"grid": "sweep", "lr": 0.2}}, "options.quantity",
         "scaled_sharpness needs a probe of the kind hessian, and no selected run has one; grids "
         "with one: sweep"),
        ({**SHARPNESS, "where": {"grid": "sweep"}}, "options.quantity",
         "no probe measures scaled_sharpness in 4 of the 8 selected runs: add `lr: 0.1` to where"),
        ({"measure": "arms_ratio", "where": ARMS,
          "options": {"of": "0", "over": "1", "column": "seed", "loss": "ntk"}}, "options.loss",
         "ntk needs a probe of the kind ntk, and no selected run has one"),
        ({"measure": "arms_range", "where": {"grid": "sweep"}, "options": {"best": True}}, "where",
         "several runs at parameterisation mup, lr 0.1, seed 0: they differ in shape.width: 8, 16"),
        ({"measure": "arms_range", "where": {"grid": "sweep", "shape.width": 8}}, "where",
         "a comparison needs two values of parameterisation; only mup is selected"),
        ({"measure": "advantage", "where": {"grid": "sweep"},
          "options": {"of": "8", "over": "16", "column": "shape.width"}}, "where",
         "8 has several learning rates: set best: true"),
        ({"min_seeds": 50}, "min_seeds",
         "50 seeds are asked for, and at most 2 seeds are planned at a scale"),
        ({"measure": "regret_ratio", "where": {},
          "options": {"of": "boxx", "over": "random", "at": 4}},
         "options.of", "no method 'boxx'; known: random, box; did you mean 'box'?"),
        ({"measure": "regret_ratio", "where": {},
          "options": {"of": "box", "over": "random", "at": 30}}, "options.at",
         "30 is beyond the budget of the replay r: 4 evaluations"),
        ({"measure": "evaluations_to", "where": {}, "options": {"of": "box"}}, "options.at",
         "30 is beyond the budget of the replay r: 4 evaluations"),
        ({"measure": "regret_ratio", "where": {},
          "options": {"of": "box", "over": "random", "at": 4, "by": "grup"}}, "options.by",
         "no column 'grup'; known: replay, suite, task, group"),
        ({"measure": "winner_slope", "where": {}, "options": {"size": "shape.wdith"}},
         "options.size", "no column 'shape.wdith'; known: suite, task, group, dimension"),
        ({"measure": "winner_slope", "where": {}, "options": {"size": "data"}}, "options.size",
         "'data' holds no numbers in the suite s"),
        ({"measure": "region_ratio", "where": {"region": "box"},
          "options": {"of": "r", "over": "q"}}, "options.over", "no replay 'q'; known: r"),
    ],
)  # fmt: skip
def test_what_claims_and_controls_name_is_planned(changes, key, text):
    ((first, found), *others) = claim_problems(**changes)
    assert (first, others) == (key, [])
    assert found.startswith(text)
    if key != "min_seeds":
        control = {name: changes[name] for name in ("measure", "options") if name in changes}
        control = {"measure": "optimum_shift", "where": {"grid": "sweep"}, "bar": {"min": 1}} | {
            **control, **({"where": changes["where"]} if "where" in changes else {})
        }  # fmt: skip
        ((first, found),) = claim_problems(control=control)
        assert first == f"control.{key}"
        assert found.startswith(text)


@pytest.mark.parametrize(
    "changes",
    [
        SHARPNESS,
        {**SHARPNESS, "options": {"probe": "sharp"}},
        {"measure": "arms_ratio", "where": ARMS,
         "options": {"of": "0", "over": "1", "column": "seed"}},
        {"measure": "advantage", "where": {"grid": "sweep"},
         "options": {"of": "8", "over": "16", "column": "shape.width", "best": True}},
        {"measure": "regret_ratio", "where": {},
         "options": {"of": "box", "over": "random", "at": 4, "by": "replay, task"}},
        {"measure": "winner_slope", "where": {"width": 8}, "options": {"size": "width"}},
        {"measure": "region_level", "where": {"region": "box"}},
        {"min_seeds": 2},
    ],
)  # fmt: skip
def test_claims_on_what_is_planned(changes):
    assert claim_problems(**changes) == []


def test_a_method_of_two_replays_is_of_one_of_them():
    rows = {**ROWS, "replays": [*ROWS["replays"], {"replay": "q", "suite": "s", "method": "box"}]}
    options = {"of": "box", "over": "random", "at": 4}
    ((key, text),) = claim_problems(
        Planned(RUNS, rows), measure="regret_ratio", where={}, options=options
    )
    assert key == "where"
    assert text == "several replays have the method 'box', r, q: add `replay: r` to where"


def test_more_seeds_than_this_scale_plans_may_be_asked_for_another_scale():
    paper = {"sweep": {"seed": list(range(50)), "lr": [0.1]}}
    planned = Planned(RUNS, ROWS, PROBES, lambda: [ScaleValues(paper, {})])
    assert claim_problems(planned, min_seeds=50) == []
    ((key, _),) = claim_problems(planned, min_seeds=51)
    assert key == "min_seeds"


def test_a_number_of_seeds_is_asked_for_also_if_it_is_the_default():
    text = "3 seeds are asked for, and at most 2 seeds are planned at a scale"
    ((key, found),) = claim_problems(min_seeds=3)
    assert key == "min_seeds"
    assert found.startswith(text)


def test_the_seeds_of_the_default_are_not_asked_for():
    assert claim_problems(where={"grid": "sweep", "seed": 0}) == []


REGIONS = [{"replay": "r", "suite": "s", "region": name} for name in ("box", "ball")] + [
    {"replay": "q", "suite": "s", "region": "box"}
]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"measure": "region_level", "where": {"replay": "r"}},
         "several values of region are selected, box, ball: add `region: box` to where"),
        ({"measure": "region_level", "where": {"region": "box"}},
         "several values of replay are selected, r, q: add `replay: r` to where"),
        ({"measure": "region_ratio", "where": {}, "options": {"of": "r", "over": "q"}},
         "several values of region are selected, box, ball: add `region: box` to where"),
        ({"measure": "region_ratio", "where": {"region": "box"},
          "options": {"of": "r", "over": "q"}}, ""),
        ({"measure": "region_level", "where": {"replay": "r"},
          "options": {"by": "task, region"}}, ""),
        ({"measure": "winner_slope", "where": {}, "options": {"size": "width"}},
         "several values of dimension are selected, lr, wd: add `dimension: lr` to where"),
        ({"measure": "winner_slope", "where": {"dimension": "wd"},
          "options": {"size": "width"}}, ""),
    ],
)  # fmt: skip
def test_regions_and_winners_of_several_kinds_are_not_averaged(changes, text):
    winners = [{"suite": "s", "dimension": name} for name in ("lr", "wd")]
    planned = Planned(RUNS, {**ROWS, "regions": REGIONS, "winners": winners})
    assert claim_problems(planned, **changes) == ([("where", text)] if text else [])


SEEDS = {"seed": {"range": 3}}
FEWER = [
    ({"only": [{"seed": [0, 1]}]}, 2),
    ({"exclude": [{"seed": 2}]}, 2),
    ({"exclude": [{"seed": {"min": 1}}]}, 1),
    ({"overrides": [{"when": {"shape.width": [8, 16]}, "axes": {"seed": [0, 1]}}]}, 2),
    ({"exclude": [{"seed": 2, "shape.width": 8}], "where": {"shape.width": 8}}, 2),
    ({"zip": [["seed", "order_seed"]], "exclude": [{"order_seed": 2}]}, 2),
    ({"exclude": [{"lr": 0.1}]}, 3),
    ({"exclude": [{"seed": 2, "shape.width": 8}]}, 3),
]


@pytest.mark.parametrize(("changes", "there"), FEWER)
def test_seeds_that_filters_and_overrides_leave_out_are_not_planned(changes, there):
    """The study is planned at a scale with one seed; the other scale has those of the grid."""
    changes = dict(changes)
    where = {"grid": "sweep", **changes.pop("where", {})}
    axes = {"shape.width": [8, 16], "lr": [0.1, 0.2], **SEEDS}
    if "zip" in changes:
        axes["order_seed"] = {"range": 3}
    written = {"grids": {"sweep": {"base": VALID, "axes": axes, **changes}}}
    small = runs(Grid(VALID, {"shape.width": [8, 16], "lr": [0.1], "seed": [0]}))
    planned = Planned({"sweep": small}, {}, {"sweep": {}}, lambda: [scale_values(written)])
    asked = {"measure": "optimum_shift", "where": where}
    assert not [p for p in claim_problems(planned, **asked, min_seeds=there) if "seed" in p[0]]
    found = dict(claim_problems(planned, **asked, min_seeds=there + 1))
    noun = "seed is" if there == 1 else "seeds are"
    assert found["min_seeds"].startswith(
        f"{there + 1} seeds are asked for, and at most {there} {noun} planned"
    )


def test_points_are_read_only_where_a_filter_names_the_seed(monkeypatch):
    """Planning a grid of 100,000 points would take seconds for each scale."""
    read = []
    monkeypatch.setattr(values_at_scale, "remaining_points", lambda grid: read.append(grid) or [])
    axes = {"lr": [0.1, 0.2], **SEEDS}
    grids = {
        "plain": {"base": VALID, "axes": axes, "exclude": [{"lr": 0.1}]},
        "filtered": {"base": VALID, "axes": axes, "exclude": [{"seed": 1}]},
    }
    scale = scale_values({"grids": grids})
    assert scale.seeded_points("plain") is None
    assert not read
    assert scale.seeded_points("filtered") == scale.seeded_points("filtered") == []
    assert len(read) == 1  # however many claims ask


def reach_problems(adaptive=None, **changes):
    parsed = Claim.parse(claim(**changes))
    return [(p.key, p.text) for p in claim_checks.reach_problems(parsed, SWEPT, adaptive)]


# The optimum of each width is known to half an octave, between 2^-3.5 and 2^-0.5.
SWEPT = Planned(
    {
        "sweep": runs(
            Grid(
                VALID,
                {
                    "shape.width": [8, 16],
                    "lr": [0.0625, 0.125, 0.25, 0.5, 1],
                    "seed": [0, 1],
                },
            )
        )
    }
)


def test_a_bar_that_the_grid_can_meet_and_violate():
    assert reach_problems() == []
    assert reach_problems(bar={"min": 1}) == []
    assert reach_problems(bar={"min": 2.9}) == []


def test_a_bar_that_the_grid_cannot_violate():
    ((key, text),) = reach_problems(bar={"max": 3})
    assert key == "bar"
    assert text == (
        "it cannot fail: the measurable values are 0 to 3 octaves; the bar is ≤ 3 octaves: widen "
        "the grid's axis, or choose another measure"
    )


def test_a_bar_that_the_grid_cannot_meet():
    ((_, text),) = reach_problems(bar={"min": 3})
    assert text.startswith("it cannot hold: the greatest measurable value is 3 octaves; the bar is")
    stable = {"measure": "stable_lr_shift", "bar": {"max": 1}}
    ((_, text),) = reach_problems(**stable)
    assert text.startswith("it cannot hold: the least measurable value is 1 octaves")


def test_the_bar_of_a_control_is_checked_too():
    control = {"measure": "optimum_shift", "where": {"grid": "sweep"}, "bar": {"min": 4}}
    ((key, text),) = reach_problems(control=control)
    assert key == "control.bar"
    assert text.startswith("it cannot hold")


def test_rows_that_a_condition_leaves_out_do_not_count():
    few = {"grid": "sweep", "lr": [0.125, 0.25, 0.5]}
    ((_, text),) = reach_problems(where=few)
    assert text.startswith("it cannot fail: the measurable values are 0 to 1 octaves")


def test_an_axis_that_is_found_bounds_nothing():
    assert reach_problems(bar={"max": 3}, adaptive={"sweep": ["lr"]}) == []
    for other in ({"sweep": ["weight_decay"]}, {"other": ["lr"]}):
        assert len(reach_problems(bar={"max": 3}, adaptive=other)) == 1


def test_a_measure_bounds_its_values_without_a_grid():
    claims = {"measure": "tasks_improved", "where": {}, "options": {"of": "box", "over": "random"}}
    ((_, text),) = reach_problems(**claims, bar={"min": 100})
    assert text.startswith("it cannot hold: the greatest measurable value is 100 % of groups")
    assert reach_problems(**claims, bar={"min": 80}) == []
