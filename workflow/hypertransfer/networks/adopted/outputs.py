"""The predictions in what the forward pass of a network of another author returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from hypertransfer.networks.tagged import RoleError


def predictions(output: Any, network: nn.Module) -> Tensor:
    """The tensor of predictions in what a forward pass returns; a single number is a loss.

    Raises:
        RoleError: there is none.
    """
    if isinstance(output, Mapping):
        named = [output[key] for key in ("logits", "last_hidden_state") if key in output]
        output = named or list(output.values())
    named = getattr(output, "logits", None)
    leaves = tree_leaves(named if isinstance(named, Tensor) else output)
    for leaf in leaves:
        if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.dim():
            return leaf
    raise RoleError(
        f"the forward pass of {type(network).__name__} returns no tensor of predictions, "
        f"but {type(output).__name__}: wrap it in a module whose forward pass returns one"
    )
