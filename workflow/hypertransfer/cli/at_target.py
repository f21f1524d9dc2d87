"""What a table makes of the network at the size that `recommend` is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hypertransfer.cli.errors import CommandError
from hypertransfer.cli.explain import shape_of
from hypertransfer.networks.adopted.shapes import without_memory
from hypertransfer.networks.resolve import ParameterRow
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.recommendation import exports
from hypertransfer.runs.ratios import ratios
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import build, imports


class Scaled(NamedTuple):
    """What a table makes of the network of the target.

    Attributes:
        rows: the hyperparameters of each parameter, at the recommended learning rate.
        factors: other factors than 1, by what they multiply (see `exports.python`).
    """

    rows: Sequence[ParameterRow]
    factors: Mapping[str, exports.Factor]


def scaled(target: RunSpec) -> Scaled:
    """The target under its table.

    Raises:
        CommandError: the network of this size cannot be built, or the table not be applied.
    """
    table = imports.table(target)
    table = table.unit() if target.weights == "unit" else table
    try:
        shapes = shape_of(target)
        size = target.shape.width
        network = without_memory(lambda _: build.model(target, *shapes), size)
        scheme = build.scheme(target, network, table, shapes)
        rows = scheme.rows
    except Exception as error:
        text = f"the network cannot be built at the target: {type(error).__name__}: {error}"
        raise CommandError("--to", text) from error
    at = ratios(target)
    readout = table.rules[Role.OUTPUT].multiplier.at(at)
    found = {
        "RESIDUAL": exports.Factor(
            table.residual_multiplier.at(at), "the outputs of residual branches", scheme.branch_ends
        ),
        "READOUT": exports.Factor(
            readout, "the inputs of readouts that share the weights of an embedding", scheme.tied
        ),
    }
    return Scaled(rows, {n: one for n, one in found.items() if one.value != 1.0 and one.modules})
