"""Checks of how a config adopts a network that was not written for the library."""

from __future__ import annotations

from collections.abc import Iterator

from hypertransfer.catalogue.lookup import objection
from hypertransfer.catalogue.options import Validator, problem
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.runs.adoption import OPTION, adoption
from hypertransfer.runs.problem import Problem
from hypertransfer.runs.spec import Component, RunSpec

AS_BUILT = "as_built"  # the table that keeps what a builder draws
ARGUMENT = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "expected": "an argument"}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "width": ARGUMENT,
        "depth": ARGUMENT,
        "inputs": {"type": "string", "pattern": ":", "expected": "an import path, module:function"},
        "roles": {
            "type": "object",
            "additionalProperties": {"enum": [role.value for role in Role]},
        },
    },
}


def option_problems(model: Component) -> Iterator[Problem]:
    """Problems of the option `adopt` of a network."""
    if OPTION not in model.options:
        return
    errors = list(Validator(SCHEMA).iter_errors(model.options[OPTION]))
    yield from (problem(error, "model", OPTION) for error in errors)
    if errors:
        return
    how = adoption(model)
    if how.width == how.depth:
        yield Problem(("model", OPTION, "depth"), how.depth, "another argument than the width's")
    if how.inputs and (text := objection("model", how.inputs)):
        yield Problem(("model", OPTION, "inputs"), how.inputs, text)


def problems(spec: RunSpec) -> Iterator[Problem]:
    """Settings of a run that need a network which states its roles itself, or one that does not."""
    if OPTION not in spec.model.options:
        if spec.parameterisation == AS_BUILT:
            expected = "usable without an adopted network (model.adopt), which draws its own values"
            yield Problem(("parameterisation",), spec.parameterisation, expected)
        return
    if spec.weights != "fan_in":
        expected = "fan_in with an adopted network, whose initial values its builder draws"
        yield Problem(("weights",), spec.weights, expected)
    if max(spec.shape.granularity, spec.base.granularity) > 1:
        expected = "1 with an adopted network, which is called with a width and a depth"
        yield Problem(("shape", "granularity"), spec.shape.granularity, expected)
