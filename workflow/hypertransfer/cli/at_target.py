"""What a table makes of the network at the size that `recommend` is asked for."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import nn

from hypertransfer.cli.errors import CommandError
from hypertransfer.cli.explain import shape_of
from hypertransfer.networks.adopted.overrides import pattern_of
from hypertransfer.networks.adopted.scaling import MOST_NOISE
from hypertransfer.networks.adopted.shapes import without_memory
from hypertransfer.networks.resolve import ParameterRow, is_bias_of_layer
from hypertransfer.networks.tagged import named_roles
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.recommendation import exports
from hypertransfer.runs.ratios import ratios
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import build, imports, randomness
from hypertransfer.training.adopted import Adopted


class Scaled(NamedTuple):
    """What a table makes of the network of the target.

    Attributes:
        rows: the hyperparameters of each parameter, at the recommended learning rate.
        factors: other factors than 1, by what they multiply (see `exports.python`).
        initial: how the weights of the network begin.
        zeros: the names of the parameters that begin at zero.
    """

    rows: Sequence[ParameterRow]
    factors: Mapping[str, exports.Factor]
    initial: exports.Initial = exports.Initial.SCALED
    zeros: Collection[str] = ()

    def python(self, about: str) -> str:
        """The hyperparameters as a Python module, whose docstring says what they are of."""
        rows = [row.plain() for row in self.rows]
        return exports.python(rows, about, self.factors, self.initial, self.zeros)


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
        if table.keeps_values:  # then rows have the values that the network draws
            with randomness.seeded(f"{target.seed}/modules"):
                network = build.model(target, *shapes)
        else:
            network = without_memory(lambda _: build.model(target, *shapes), size)
        scheme = build.scheme(target, network, table, shapes)
        rows = pooled(scheme) if isinstance(scheme, Adopted) else scheme.rows
        zeros = () if isinstance(scheme, Adopted) else _zeros(network, rows)
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
    factors = {n: one for n, one in found.items() if one.value != 1.0 and one.modules}
    return Scaled(rows, factors, _initial(target, scheme), zeros)


def _initial(target: RunSpec, scheme: build.Scheme) -> exports.Initial:
    """How the weights of the target begin."""
    if isinstance(scheme, Adopted):
        return exports.Initial.SCALED
    return exports.Initial.OTHER if target.weights == "boundary" else exports.Initial.DRAWN


def _zeros(network: nn.Module, rows: Sequence[ParameterRow]) -> set[str]:
    """The parameters that `resolve.apply` sets to zero in a network that states its roles."""
    drawn = {row.name for row in rows if row.init_std > 0}
    return {
        one.name
        for one in named_roles(network)
        if one.parameter.requires_grad
        and one.name not in drawn
        and (one.is_weight or is_bias_of_layer(one))
    }


def pooled(scheme: Adopted) -> list[ParameterRow]:
    """The rows of a scheme; those that differ in nothing but a draw have a common `init_std`.

    The deviations of an adopted network are measured on one draw. Those of matrices of one module,
    or of the same module in several blocks, that have one shape and equal other hyperparameters,
    such as the matrices of a recurrent layer, count as equal if they differ by at most `MOST_NOISE`
    standard errors; their common value is the root of the mean square.
    """
    factors = {one.name: one.init_std for one in scheme.scaling.factors}
    alike: dict[tuple, list[ParameterRow]] = {}
    for row in scheme.rows:
        if row.init_std > 0:
            module = pattern_of(row.name).rpartition(".")[0]
            key = replace(row, name=module, init_std=0.0), factors[row.name]
            alike.setdefault(key, []).append(row)
    common: dict[str, float] = {}
    for members in alike.values():
        members.sort(key=lambda row: row.init_std)
        noise = MOST_NOISE / math.sqrt(scheme.at_base[members[0].name].entries)
        while members:
            least = members[0].init_std
            near = [row for row in members if math.log(row.init_std / least) <= noise]
            members = members[len(near) :]
            mean = math.sqrt(math.fsum(row.init_std**2 for row in near) / len(near))
            differ = near[-1].init_std > least
            common |= {row.name: mean if differ else least for row in near}
    return [replace(row, init_std=common.get(row.name, row.init_std)) for row in scheme.rows]
