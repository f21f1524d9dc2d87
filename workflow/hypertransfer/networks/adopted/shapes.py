"""The shapes of a network's parameters at several widths and depths."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import nn

from hypertransfer.networks.adopted.inferred import Shape
from hypertransfer.networks.growth import LEAST, MOST
from hypertransfer.networks.growth import _without_memory as without_memory
from hypertransfer.networks.tagged import RoleError

Build = Callable[[int, int], nn.Module]  # the network of a width and a depth
WIDER, DEEPER = 4, 2  # ratios of the widths and of the depths that are compared


def built(build: Build, width: int, depth: int, *, meta: bool = False) -> nn.Module:
    """The network of a width and a depth; on the device `meta` without memory for parameters."""
    try:
        with torch.random.fork_rng(devices=[]):
            network = _made(build, width, depth) if meta else build(width, depth)
    except Exception as error:
        raise RoleError(
            f"the network of width {width} and depth {depth} cannot be built: {error!r}; widths "
            f"are compared in steps of {WIDER}, and depths in steps of {DEEPER}: let what must "
            "divide the width grow with it, such as a number of heads (width // 16), or choose a "
            "base at which all of them can be built"
        ) from error
    if not isinstance(network, nn.Module):
        raise RoleError(
            f"the builder returns a {type(network).__name__}, and not a torch.nn.Module"
        )
    return network


def _made(build: Build, width: int, depth: int) -> nn.Module:
    """The network without memory for its parameters, unless it reads them while it is made."""
    try:
        return without_memory(lambda w: build(w, depth), width)
    except Exception:  # of a network that computes with its weights
        return build(width, depth)


def shapes_of(network: nn.Module) -> dict[str, Shape]:
    """The shape of each parameter, by its first name."""
    return {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}


def refuse_constant(
    shapes: Sequence[Mapping[str, Shape]], widths: Sequence[int], name: str
) -> None:
    """Refuse the network `name` if its shapes are equal at all widths.

    Raises:
        RoleError: with the widths.
    """
    if all(found == shapes[0] for found in shapes):
        listed = ", ".join(map(str, widths))
        raise RoleError(
            f"no dimension of any parameter of {name} grows with the width: the network is the "
            f"same at the widths {listed}; let the builder use its width, and say which argument "
            "this is if it has another name (--width-name, or width in adopt)"
        )


def stacks_of(shallow: Iterable[str], deep: Iterable[str]) -> tuple[str, ...]:
    """The paths of modules with numbered parts of which a deeper network has more."""
    known = set(shallow)
    inside = {
        name[: place + 1] for name in known for place, letter in enumerate(name) if letter == "."
    }
    stacks = []
    for name in deep:
        parts = name.split(".") if name not in known else []
        for place, part in enumerate(parts):
            if f"{'.'.join(parts[: place + 1])}." not in inside:
                stacks += [".".join(parts[:place])] if part.isdecimal() else []
                break  # parts of a new block have no number of their own
    return tuple(dict.fromkeys(stacks))


def grows(dimension: int, widths: Sequence[int], sizes: Sequence[int]) -> bool:
    """Whether a dimension grows in proportion to the width, but for a constant.

    Raises:
        RoleError: it changes otherwise.
    """
    changes = [more - less for less, more in itertools.pairwise(sizes)]
    if not any(changes):
        return False
    steps = [more / less for less, more in itertools.pairwise(widths)]
    if min(changes) > 0:
        power = math.log(changes[-1] / changes[0]) / math.log(steps[-1])
        if LEAST < power < MOST:
            return True
    sizes_text, widths_text = (", ".join(map(str, part)) for part in (sizes, widths))
    raise RoleError(
        f"its dimension {dimension} is {sizes_text} at the widths {widths_text}, which is neither "
        "in proportion to the width, but for a constant, nor constant"
    )
