"""A trial pass of a network before its training: its operations, and whether it can be trained."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hypertransfer.data.samples import Samples
from hypertransfer.networks.tagged import RoleError, named_roles
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.training import losses, randomness
from hypertransfer.training.network_tensors import same, unchanged

log = logging.getLogger(__name__)
ROUNDING = 1e-4  # of outputs on a GPU, relative to the largest; on a CPU there is none


def step_flops(
    model: nn.Module,
    data: Samples,
    loss_fn: Callable,
    samples: int,
    *,
    of_user: bool,
    readout: float = 1.0,
) -> int:
    """Floating-point operations of a forward and a backward pass of a batch, as torch counts them.

    The batch has the first `samples` training samples. The network and the global random
    generators stay as they were. A network of the user (`of_user`) is checked further: its outputs
    are computed again and compared, and parameters without a gradient are named in a warning.
    `readout` is the table's multiplier of readouts.

    Raises:
        RoleError: the network makes parameters in its first forward pass, or computes with a weight
            without its multiplier.
        ValueError: the outputs do not fit the targets, or the seed does not decide them.
    """
    x, y = data.train_x[:samples], data.train_y[:samples]
    counter = FlopCounterMode(display=False)
    with _spare(model) as spare, randomness.seeded("flops"), counter:
        before = {name for name, _ in spare.named_parameters()}
        output = spare(x)
        made = sorted({name for name, _ in spare.named_parameters()} - before)
        if made:
            raise RoleError(
                f"{type(model).__name__} makes parameters in forward: {', '.join(made)}; "
                "make them in __init__"
            )
        losses.check_output(type(model).__name__, output, y, data.classes)
        loss_fn(output, y).backward()
    if of_user:
        _warn_of_untrained(spare)
    if of_user and spare is not model:
        _check_repeatable(model, x, output)
        _check_multipliers(model, x, readout, output.shape[-1])
    return counter.get_total_flops()


@torch.no_grad()
def _check_repeatable(model: nn.Module, x: Tensor, output: Tensor) -> None:
    """Check that another copy of the network gives the outputs that one gave in `step_flops`.

    Only on a CPU, where operations are deterministic.

    Raises:
        ValueError: the outputs differ.
    """
    if x.device.type != "cpu":
        return
    with _spare(model) as spare, randomness.seeded("flops"):
        again = spare(x)
    if not same(output, again):
        raise ValueError(
            f"{type(model).__name__} returns other outputs each time from one seed, so that a run "
            "would depend on what ran before it: in forward draw from the global generators of "
            "torch, numpy or Python, or from a generator that __init__ makes and seeds, and change "
            "nothing outside the network"
        )


def _warn_of_untrained(spare: nn.Module) -> None:
    """Names the parameters that got no gradient in the trial pass; some are used later only."""
    named = spare.named_parameters()
    if untrained := [name for name, p in named if p.requires_grad and p.grad is None]:
        log.warning(
            "no gradient reaches %s of %s from the loss of the first batch, so that it is not "
            "trained, unless later batches or a penalty use it; see that forward calls its layer, "
            "and not under torch.no_grad()",
            ", ".join(untrained),
            type(spare).__name__,
        )


@torch.no_grad()
def _check_multipliers(model: nn.Module, x: Tensor, readout: float, outputs: int) -> None:
    """Check that the network computes with its weights as its layers scale them.

    Outputs stay the same if weights are doubled and their multipliers halved, which is exact, but
    not if a weight is used without its multiplier. An embedding of as many rows as the network has
    outputs, if used outside its layer, is most likely a readout, so it is checked where readouts
    have a multiplier.

    Raises:
        RoleError: a weight is used without its multiplier.
    """
    scaled = []
    for tagged in named_roles(model):
        modules = (tagged.module, *(module for module, _ in tagged.sharers))
        tied = tagged.role is Role.INPUT and tagged.parameter.requires_grad and readout != 1.0
        tied = tied and len(tagged.parameter) == outputs
        if tagged.is_weight and (tied or any(module.multiplier != 1.0 for module in modules)):
            scaled.append(tagged.name)
    if not scaled:
        return
    expected = _with_doubled(model, x, ())
    if _alike(expected, _with_doubled(model, x, scaled)):
        return
    raw = [n for n in scaled if not _alike(expected, _with_doubled(model, x, (n,)))]
    raise RoleError(
        f"{type(model).__name__} computes with {' and '.join(raw or scaled)} outside the layer's "
        "forward pass, and so without the table's multiplier: use layer.scaled_weight() instead of "
        "layer.weight, and for a tied readout TiedLinear of hypertransfer.networks.layers"
    )


def _with_doubled(model: nn.Module, x: Tensor, doubled: Collection[str]) -> Tensor:
    """Outputs of a copy with some weights doubled and their multipliers halved.

    Weights that begin at zero, which would hide what other weights do, are drawn.
    """
    with _spare(model) as spare, randomness.seeded("flops"):
        for tagged in named_roles(spare):
            if tagged.is_weight and not tagged.parameter.any():
                tagged.parameter.normal_(std=max(tagged.module.fan_in, 1) ** -0.5)
            if tagged.name in doubled:
                tagged.parameter.mul_(2)
                for module in (tagged.module, *(module for module, _ in tagged.sharers)):
                    module.multiplier /= 2
        return spare(x)


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether outputs are equal but for rounding."""
    largest = float(one.abs().nan_to_num(0.0, 0.0, 0.0).max())
    return torch.allclose(one, other, rtol=0.0, atol=ROUNDING * largest, equal_nan=True)


@contextmanager
def _spare(model: nn.Module) -> Iterator[nn.Module]:
    """A network for a trial pass: a copy, or else the network itself, which is then restored."""
    try:
        spare = copy.deepcopy(model)
    except Exception as error:  # an object that cannot be copied may raise anything
        log.warning(
            "%s cannot be copied (%s): operations are counted on the network itself, which may "
            "change what its attributes hold",
            type(model).__name__,
            error,
        )
        with unchanged(model):
            yield model
    else:
        yield spare
