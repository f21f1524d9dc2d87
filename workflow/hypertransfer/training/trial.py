"""A trial pass of a network before its training: its operations, and whether it can be trained."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hypertransfer.data.samples import Samples
from hypertransfer.networks.tagged import RoleError
from hypertransfer.training import losses, randomness
from hypertransfer.training.network_tensors import same, unchanged

log = logging.getLogger(__name__)


def step_flops(
    model: nn.Module, data: Samples, loss_fn: Callable, samples: int, *, repeat: bool
) -> int:
    """Floating-point operations of a forward and a backward pass of a batch, as torch counts them.

    The batch has the first `samples` training samples. The network and the global random
    generators stay as they were. With `repeat`, the outputs are computed twice and compared, which
    networks of the library do not need.

    Raises:
        RoleError: the network makes parameters in its first forward pass.
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
    if repeat and spare is not model:
        _check_repeatable(model, x, output)
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
