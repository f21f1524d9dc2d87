"""The grid language: axes, overrides, filters, cells, and paths made of values."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.specs import VALID

from hypertransfer.catalogue import complete
from hypertransfer.runs import parse
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.problem import ProblemError
from hypertransfer.studies import grid
from hypertransfer.studies.grid import Grid

SEEDED = settings(derandomize=True, deadline=None)  # the same cases on every machine


def made(axes, **more):
    return Grid.parse({"base": VALID, "axes": axes, **more})


def points(axes, **more):
    return [tuple(point.values()) for point, _ in grid.points(made(axes, **more))]


def problems(axes, **more):
    return [str(error) for error in grid.problems(made(axes, **more))]


def test_the_last_axis_varies_fastest():
    assert points({"lr": [1, 2], "seed": [0, 1]}) == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_dotted_axes_reach_into_the_spec():
    axes = {"shape.width": [16], "optimizer.momentum": [0.9], "model": [{"name": "linear"}]}
    (run,) = grid.runs(made(axes))
    assert run.spec.shape.width == 16
    assert run.spec.shape.depth == 1
    assert run.spec.optimizer.plain() == {"name": "sgd", "momentum": 0.9, "nesterov": False}
    assert run.spec.model.name == "linear"


SHARED = {
    "whole components": {"optimizer": ["sgd", {"name": "adamw", "eps": 1e-6}], "lr": [1, 2]},
    "dotted options": {"optimizer.momentum": [0, 0.5], "model": ["conv", "linear"]},
    "followers": {"steps": [4, 8], "batch_size": [8, 16]},
    "followers given": {"base_steps": [2, 4], "steps": [4, 8], "eval_every": [1, 4]},
    "nested": {"shape": [{"width": 8, "depth": 1}, {"width": 16, "depth": 1}], "shape.depth": [1]},
    "whole numbers": {"lr": [1, 2.0, 0.5], "weight_decay": [0, 1.0, 0.1]},
    "multipliers": {"multipliers": [{}, {"lr": {"depth": [2.0]}}], "seed": [0, 1]},
}  # values of the last axis return after others


@pytest.mark.parametrize("case", SHARED)
def test_specs_that_share_parts_are_those_parsed_alone(case):
    """Parts are parsed and completed once for many points, and no value stays behind."""
    for axes in (SHARED[case], dict(reversed(SHARED[case].items()))):
        written = made(
            axes, overrides=[{"when": {next(iter(axes)): _last(axes)}, "set": {"log_every": 1}}]
        )
        alone = [complete.run_spec(values) for _, values in grid.points(written)]
        assert [run.spec for run in grid.runs(written)] == alone
        texts = [canonical(spec.plain()) for spec in alone]
        assert [canonical(run.spec.plain()) for run in grid.runs(written)] == texts


def _last(axes):
    return next(iter(axes.values()))[-1]


def test_a_spec_after_one_that_is_refused_is_parsed_anew():
    last = parse.Parsed()
    with pytest.raises(ProblemError):
        parse.fields_of_run({**VALID, "lr": -1, "seed": 5}, last)
    fields = parse.fields_of_run({**VALID, "lr": 0.25}, last)
    assert (fields["lr"], fields["seed"]) == (0.25, VALID["seed"])


def test_mappings_that_only_python_holds_equal_are_parsed_each():
    earlier = parse.Parsed()
    for _ in range(2):
        for depth, wrong in ((1, 0), (True, 1), (1.0, 0)):
            values = {**VALID, "shape": {"width": 8, "depth": depth}}
            if wrong:
                with pytest.raises(ProblemError):
                    parse.fields_of_run(values, earlier)
            else:
                assert parse.fields_of_run(values, earlier) == parse.fields_of_run(values)


def test_expansion_leaves_the_config_alone():
    written = made({"shape.width": [16, 32], "optimizer.momentum": [0.5]})
    before = canonical(written.plain())
    list(grid.points(written))
    assert canonical(written.plain()) == before


def test_zipped_axes_move_together():
    axes = {"lr": [1, 2], "seed": [0, 1, 2], "batch_size": [8, 16]}
    found = points(axes, zip=[["lr", "batch_size"]])
    assert len(found) == 6
    assert {(lr, size) for lr, size, _ in found} == {(1, 8), (2, 16)}


def test_zipped_axes_have_equally_many_values():
    with pytest.raises(ProblemError, match="equally many"):
        points({"lr": [1, 2], "seed": [0, 1, 2]}, zip=[["lr", "seed"]])


def test_overrides_replace_axes_where_they_hold():
    found = points(
        {"parameterisation": ["mup", "sp"], "lr": [1, 2], "seed": [0]},
        overrides=[{"when": {"parameterisation": "sp"}, "axes": {"lr": [3, 4, 5]}}],
    )
    assert [lr for name, lr, _ in found if name == "mup"] == [1, 2]
    assert [lr for name, lr, _ in found if name == "sp"] == [3, 4, 5]


def test_the_last_override_that_holds_wins():
    found = points(
        {"shape.width": [8, 16, 32], "lr": [1]},
        overrides=[
            {"when": {"shape.width": {"min": 16}}, "axes": {"lr": [2]}},
            {"when": {"shape.width": [32, 64]}, "axes": {"lr": [3]}},
        ],
    )
    assert found == [(8, 1), (16, 2), (32, 3)]


def test_overrides_set_values_of_the_spec():
    runs = grid.runs(
        made(
            {"parameterisation": ["mup", "sp"]},
            overrides=[
                {
                    "when": {"parameterisation": "sp"},
                    "set": {"weights": "unit", "optimizer.momentum": 0.9, "schedule.warmup": 3},
                }
            ],
        )
    )
    assert [run.spec.weights for run in runs] == ["fan_in", "unit"]
    assert [run.spec.optimizer.plain().get("momentum") for run in runs] == [0.0, 0.9]
    assert [run.spec.schedule.warmup for run in runs] == [0, 3]


def test_exclude_and_only():
    axes = {"lr": [1, 2, 3], "seed": [0, 1]}
    assert points(axes, exclude=[{"lr": 2}, {"lr": 3, "seed": 1}]) == [(1, 0), (1, 1), (3, 0)]
    assert points(axes, only=[{"lr": {"max": 2}, "seed": 1}]) == [(1, 1), (2, 1)]


def test_flags_are_not_numbers_in_conditions():
    assert points({"model.skip": [True, False], "seed": [1]}, only=[{"model.skip": 1}]) == []
    assert points({"model.skip": [True], "seed": [1]}, only=[{"seed": True}]) == []


def test_references_to_unknown_axes_are_all_named():
    found = problems(
        {"lr": [1]},
        inner=["sed"],
        zip=[["lr", "sed"]],
        overrides=[{"when": {"wdth": 1}, "axes": {"l": [1]}}],
        exclude=[{"a": 1}],
        only=[{"b": 1}],
        probes={"p": {"probe": "hessian", "checkpoints": [0], "where": {"c": 1}}},
    )
    places = [text.split(":")[0] for text in found]
    assert places == [
        "inner",
        "zip.0",
        "overrides.0.when",
        "overrides.0.axes",
        "exclude.0",
        "only.0",
        "probes.p.where",
    ]
    assert all("known: lr" in text for text in found)


def test_every_axis_that_cannot_be_meant_is_named():
    found = problems(
        {"lr": [1, 1], "shape.width": []},
        overrides=[{"when": {"lr": 1}, "axes": {"shape.width": [2, 2]}}],
    )
    places = [text.split(":")[0] for text in found]
    assert places == ["axes.lr", "axes.shape.width", "overrides.0.axes.shape.width"]


def test_an_override_decides_on_earlier_axes_only():
    override = {"when": {"seed": 1}, "axes": {"lr": [3]}}
    (found,) = problems({"lr": [1], "seed": [0, 1]}, overrides=[override])
    assert "'seed' is not written before the axis lr" in found
    assert problems({"seed": [0, 1], "lr": [1]}, overrides=[override]) == []


def test_an_override_cannot_decide_within_axes_that_are_zipped():
    axes = {"seed": [0, 1], "steps": [5, 6], "lr": [1, 2]}
    override = {"when": {"steps": 5}, "axes": {"lr": [3, 4]}}
    assert problems(axes, overrides=[override]) == []
    (found,) = problems(axes, zip=[["seed", "lr"]], overrides=[override])
    assert "'steps' is not written before" in found


def test_an_axis_cannot_be_set():
    override = {"when": {"seed": 1}, "set": {"lr": 3}}
    (found,) = problems({"seed": [0, 1], "lr": [1]}, overrides=[override])
    assert "use 'axes'" in found


small_axes = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.lists(st.floats(1e-4, 10), min_size=1, max_size=4, unique=True),
        "seed": st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
        "shape.width": st.lists(st.integers(1, 64), min_size=1, max_size=3, unique=True),
        "parameterisation": st.lists(
            st.sampled_from(["mup", "sp", "ntp"]), min_size=1, max_size=3, unique=True
        ),
    },
)


@SEEDED
@given(small_axes)
def test_the_number_of_runs_is_the_product(axes):
    runs = grid.runs(made(axes))
    assert len(runs) == math.prod(len(values) for values in axes.values())
    assert len({canonical(run.spec.plain()) for run in runs}) == len(runs)


@SEEDED
@given(small_axes, st.lists(st.sampled_from(["lr", "seed", "shape.width"]), unique=True))
def test_cells_partition_the_runs(axes, inner):
    written = made(axes, inner=inner)
    runs = grid.runs(written)
    cells = grid.cells("sweep", written, runs)
    assert sorted(id(run) for cell in cells for run in cell.runs) == sorted(map(id, runs))
    assert len({cell.path for cell in cells}) == len(cells)
    for cell in cells:
        assert not set(cell.outer) & set(inner)
        assert all(cell.outer.items() <= dict(run.point).items() for run in cell.runs)


def test_learning_rate_and_seed_are_inside_a_cell_by_default():
    written = made({"shape.width": [8, 16], "lr": [1, 2], "seed": [0, 1]})
    cells = grid.cells("sweep", written, grid.runs(written))
    assert [cell.path for cell in cells] == ["sweep/shape.width~8", "sweep/shape.width~16"]
    assert [len(cell.runs) for cell in cells] == [4, 4]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@SEEDED
@given(json_values | st.sampled_from(["..", ".", "", "a/b", "a b", "-", "../x", "~", "a\n", "{a}"]))
def test_labels_are_safe_parts_of_a_path(value):
    label = grid.label(value)
    assert re.fullmatch(r"[\w.+-]{1,40}", label)
    assert not label.startswith(".")
    assert set(label) != {"."}


def test_labels_tell_long_values_apart():
    assert grid.label("x" * 41) != grid.label("x" * 42)
    assert grid.label({"name": "conv"}) != grid.label({"name": "mlp"})


@pytest.mark.parametrize(
    ("written", "steps"),
    [
        ([0, 3, 10], [0, 3, 10]),
        ([10, 0, 0, 3], [0, 3, 10]),
        ({"every": 4}, [0, 4, 8, 10]),
        ({"every": 5}, [0, 5, 10]),
        ({"count": 2}, [0, 10]),
        ({"count": 3}, [0, 5, 10]),
        ({"count": 100}, list(range(11))),
    ],
)
def test_schedules_of_probes(written, steps):
    assert grid.checkpoints(written, 10) == steps


def test_a_probe_does_not_look_beyond_the_run():
    probes = {"sharp": {"probe": "hessian", "checkpoints": [0, 11]}}
    with pytest.raises(ProblemError, match=r"probes.sharp.checkpoints: \[11\] is not within"):
        grid.runs(made({"seed": [0]}, probes=probes))


def test_runs_keep_their_weights_where_probes_look():
    probes = {
        "a": {"probe": "hessian", "checkpoints": [0, 2], "where": {"seed": 0}},
        "b": {"probe": "hessian", "checkpoints": {"every": 5}},
    }
    first, second = grid.runs(made({"seed": [0, 1]}, probes=probes))
    assert first.spec.checkpoints == (0, 2, 5, 10)
    assert second.spec.checkpoints == (0, 5, 10)


def test_columns_of_a_design_are_zipped_into_points():
    values = {
        "base": {},
        "axes": {
            "lr": {"sobol": {"from": 1e-4, "to": 1, "points": 8, "column": 0}},
            "weight_decay": {"sobol": {"from": 0, "to": 1, "points": 8, "column": 1, "log": False}},
        },
        "zip": [["lr", "weight_decay"]],
    }
    found = [point for point, _ in grid.points(Grid.parse(values))]
    assert len(found) == 8
    places = sorted(math.log(point["lr"] / 1e-4) / math.log(1e4) for point in found)
    assert places == pytest.approx([(i + 0.5) / 8 for i in range(8)])
    assert sorted(p["weight_decay"] for p in found) == pytest.approx(
        [(i + 0.5) / 8 for i in range(8)]
    )


def test_values_of_zipped_axes_may_repeat_and_points_may_not():
    axes = {"lr": [0.1, 0.2, 0.3], "batch_size": [8, 8, 16]}
    pairs = [["lr", "batch_size"]]
    found = [p for p, _ in grid.points(made(axes, zip=pairs))]
    assert [p["batch_size"] for p in found] == [8, 8, 16]
    assert list(grid.problems(made(axes, zip=pairs))) == []
    with pytest.raises(ProblemError, match="8 occurs twice"):
        list(grid.points(made(axes)))
    twins = {"lr": [0.1, 0.1], "batch_size": [8, 8]}
    with pytest.raises(ProblemError, match="free of points that occur twice"):
        list(grid.points(made(twins, zip=pairs)))


OPTIONS_BEFORE = {
    "optimizer": {"optimizer.momentum": [0, 0.9], "optimizer": ["sgd"]},
    "model": {"model.skip": [True, False], "model": ["residual_mlp"]},
    "schedule": {"schedule.warmup": [1, 2], "schedule": [{"name": "linear"}]},
}


@pytest.mark.parametrize("component", OPTIONS_BEFORE)
def test_an_axis_of_an_option_applies_before_or_after_that_of_its_component(component):
    axes = OPTIONS_BEFORE[component]
    option = next(iter(axes))
    for order in (axes, dict(reversed(axes.items()))):
        found = [
            values[component][option.partition(".")[2]] for _, values in grid.points(made(order))
        ]
        assert found == axes[option]


def test_an_option_that_an_override_sets_stays_on_an_axis_of_its_component():
    axes = {"optimizer": ["sgd"], "seed": [0, 1]}
    override = {"when": {"seed": 1}, "set": {"optimizer.momentum": 0.9}}
    runs = grid.runs(made(axes, overrides=[override]))
    assert [run.spec.optimizer.options["momentum"] for run in runs] == [0.0, 0.9]


def test_a_later_override_replaces_what_earlier_ones_set_in_a_component():
    overrides = [
        {"when": {"seed": [0, 1]}, "set": {"optimizer.momentum": 0.9}},
        {"when": {"seed": 1}, "set": {"optimizer": "sgd"}},
    ]
    first, second = grid.runs(made({"seed": [0, 1]}, overrides=overrides))
    assert first.spec.optimizer.options["momentum"] == 0.9
    assert second.spec.optimizer.options["momentum"] == 0.0


def test_an_override_that_changes_nothing_is_refused():
    (found,) = problems({"seed": [0, 1]}, overrides=[{"when": {"seed": 1}, "set": {}}])
    assert found == "overrides.0: has no effect: give other values as axes or set"
