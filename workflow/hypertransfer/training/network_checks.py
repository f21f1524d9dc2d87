"""Checks of a network when it is built, in words that name the network or the tensor."""

from __future__ import annotations

import logging
from dataclasses import fields

from torch import nn

from hypertransfer.parameterisation.algebra import Parameterisation
from hypertransfer.training.network_tensors import same, tensors_of
from hypertransfer.training.state import why_no_file

log = logging.getLogger(__name__)


def refuse_tensors_of_no_file(network: nn.Module) -> None:
    """Refuses tensors that the file of a run's weights cannot hold.

    Raises:
        ValueError: with the tensor's name.
    """
    for name, tensor in tensors_of(network).items():
        if reason := why_no_file(tensor):
            raise ValueError(f"{name} {reason}")


def refuse_common_parameters(name: str, network: nn.Module, again: nn.Module) -> None:
    """Refuses a builder that returns a network, or parts with parameters, that it returned before.

    Raises:
        ValueError: two networks are one, or have a parameter in common.
    """
    first = {id(parameter): path for path, parameter in network.named_parameters()}
    common = [first[id(p)] for p in again.parameters() if id(p) in first]
    if common or again is network:
        parts = f"the same {', '.join(common)}" if common else "the same network"
        raise ValueError(
            f"{name} returns {parts} each time it is called, so that a run would go on from what "
            "ran before it: make new modules at each call, without a cache"
        )


def check_alike(name: str, network: nn.Module, again: nn.Module) -> None:
    """Check that the network of a seed has the same values when it is built again.

    Raises:
        ValueError: a parameter or buffer differs.
    """
    first, second = tensors_of(network), tensors_of(again)
    if unlike := [n for n in sorted({*first, *second}) if not same(first.get(n), second.get(n))]:
        raise ValueError(
            f"{name} has other values of {', '.join(unlike)} each time it is built from one seed, "
            "so that a run would depend on what ran before it: draw from the global generators of "
            "torch, numpy or Python, or from a generator that __init__ makes and seeds, and fill "
            "what torch.empty makes"
        )


def warn_without_branch(name: str, table: Parameterisation) -> None:
    """Warns of a table with powers of the depth, which a network without branches cannot apply."""
    if scales_depth(table):
        log.warning(
            "%s has no residual branch (Branch), and the table %s applies powers of the depth to "
            "residual branches alone",
            name,
            table.name,
        )


def scales_depth(table: Parameterisation) -> bool:
    """Whether a table has powers of the depth."""
    rules = (getattr(rule, f.name) for rule in table.rules.values() for f in fields(rule))
    return any(power.depth for power in (table.residual_multiplier, *rules))
