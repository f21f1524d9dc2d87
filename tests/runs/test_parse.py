"""Parsing a run's spec: plain values, defaults, and every problem at once."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.specs import VALID

from hypertransfer.runs import parse
from hypertransfer.runs.canonical import canonical, digest
from hypertransfer.runs.problem import Problem, ProblemError
from hypertransfer.runs.spec import LOSSES, WEIGHTS

SEEDED = settings(derandomize=True, deadline=None)  # the same cases on every machine

names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
options = st.one_of(
    st.booleans(), st.integers(-9, 9), st.floats(allow_nan=False, allow_infinity=False), names
)
components = st.one_of(
    names,
    st.builds(
        lambda name, more: {**more, "name": name},
        names,
        st.dictionaries(names.filter(lambda n: n != "name"), options, max_size=3),
    ),
)
counts = st.integers(1, 10**6)
shapes = st.fixed_dictionaries({"width": counts, "depth": counts})
positive = st.floats(min_value=1e-12, max_value=1e12)
plain_specs = st.fixed_dictionaries(
    {
        "model": components,
        "shape": shapes,
        "base": shapes,
        "parameterisation": names,
        "optimizer": components,
        "lr": positive,
        "data": components,
        "batch_size": counts,
        "steps": counts,
        "seed": st.integers(0, 99),
        "log_every": counts,
    },
    optional={
        "weights": st.sampled_from(WEIGHTS),
        "weight_decay": st.floats(0, 10),
        "schedule": st.fixed_dictionaries({}, optional={"warmup": st.integers(0, 99)}),
        "loss": st.sampled_from(LOSSES),
        "base_batch_size": counts,
        "order_seed": st.none() | st.integers(0, 99),
        "eval_every": counts,
        "divergence": st.floats(1.5, 1e6),
        "checkpoints": st.lists(st.integers(0, 999)),
    },
)


@SEEDED
@given(plain_specs)
def test_plain_values_read_back(values):
    spec = parse.run_spec(values)
    assert parse.run_spec(spec.plain()) == spec
    through_json = json.loads(canonical(spec.plain()))
    assert parse.run_spec(through_json) == spec


@SEEDED
@given(plain_specs, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_count(values, random):
    def shuffled(value):
        if not isinstance(value, dict):
            return value
        items = [(key, shuffled(inner)) for key, inner in value.items()]
        random.shuffle(items)
        return dict(items)

    first, second = parse.run_spec(values), parse.run_spec(shuffled(values))
    assert first == second
    assert canonical(first.plain()) == canonical(second.plain())


@pytest.mark.parametrize(
    "field", ["lr", "weight_decay", "divergence", "steps", "batch_size", "seed"]
)
def test_whole_numbers_may_be_written_with_a_point(field):
    texts = {canonical(parse.run_spec({**VALID, field: value}).plain()) for value in (2, 2.0, 2e0)}
    assert len(texts) == 1


def test_checkpoints_are_a_set_of_steps():
    spec = parse.run_spec({**VALID, "checkpoints": [4, 0, 4.0]})
    assert spec.checkpoints == (0, 4)


def test_defaults_follow_other_fields():
    spec = parse.run_spec({**VALID, "batch_size": 48, "steps": 7})
    assert (spec.base_batch_size, spec.eval_every) == (48, 7)
    assert spec.weights == "fan_in"
    assert spec.order_seed is None


BAD = {
    "model": 3,
    "shape": {"width": 0, "depth": 1},
    "base": {"width": 4},
    "parameterisation": "",
    "weights": "fanin",
    "optimizer": {"momentum": 0.9},
    "lr": -0.1,
    "weight_decay": math.nan,
    "schedule": {"warm_up": 3},
    "data": {"name": "digits", "train": math.inf},
    "loss": ["mse"],
    "batch_size": 2.5,
    "base_batch_size": True,
    "steps": math.inf,
    "seed": -1,
    "order_seed": "x",
    "log_every": 0,
    "eval_every": None,
    "divergence": 1,
    "checkpoints": 5,
}


def test_every_bad_field_is_named_at_once():
    with pytest.raises(ProblemError) as caught:
        parse.run_spec({**BAD, "learning_rate": 1, True: 2})
    roots = [problem.path[0] for problem in caught.value.problems]
    assert sorted(roots) == sorted([*BAD, "learning_rate", "True"])
    assert all(isinstance(problem, Problem) for problem in caught.value.problems)
    assert "lr: -0.1 is not above 0" in str(caught.value)


@pytest.mark.parametrize("field", BAD)
def test_each_bad_field_is_refused_by_itself(field):
    with pytest.raises(ProblemError) as caught:
        parse.run_spec({**VALID, field: BAD[field]})
    (problem,) = caught.value.problems
    assert problem.path[0] == field
    assert problem.expected


@pytest.mark.parametrize("field", VALID)
def test_what_has_no_default_is_needed(field):
    with pytest.raises(ProblemError) as caught:
        parse.run_spec({name: value for name, value in VALID.items() if name != field})
    (problem,) = caught.value.problems
    assert problem.path == (field,)
    assert "needs it" in str(problem)


def test_options_of_a_component_must_have_a_canonical_text():
    for option in (math.nan, math.inf, {1, 2}, object()):
        with pytest.raises(ProblemError, match=r"model\.strength"):
            parse.component(("model",), {"name": "conv", "strength": option})
    with pytest.raises(ProblemError, match=r"model\.1"):
        parse.component(("model",), {"name": "conv", 1: 2})


@SEEDED
@given(plain_specs, plain_specs)
def test_different_specs_have_different_digests(first, second):
    one, other = parse.run_spec(first), parse.run_spec(second)
    same = canonical(one.plain()) == canonical(other.plain())
    assert (digest(one.plain()) == digest(other.plain())) == same


def test_the_digest_of_a_spec_is_stable():
    # Another digest would make every stored run another run.
    assert digest(parse.run_spec(VALID).plain()) == "ff85ab706623b1d7c69c2c7a"


def test_a_warm_up_is_a_number_of_steps_or_a_share():
    with pytest.raises(ProblemError) as raised:
        parse.schedule(("schedule",), {"warmup": 1.5})
    words = "schedule.warmup: 1.5 is not a whole number of steps, or a share below 1"
    assert str(raised.value) == words
