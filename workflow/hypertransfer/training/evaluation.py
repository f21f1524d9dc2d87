"""The loss and the accuracy of a network on the test set."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from hypertransfer.data.samples import Samples
from hypertransfer.training import losses
from hypertransfer.training.network_tensors import evaluating

EVAL_BATCH = 2000  # targets in one batch of an evaluation: samples, or tokens of a text


@torch.no_grad()
def evaluate(model: nn.Module, data: Samples, loss_fn: Callable) -> tuple[float, float]:
    """Mean loss and accuracy on the test set.

    The accuracy is 0 if targets are not classes, if outputs have not one entry for each class, and
    under a training step of the user, which returns no outputs.
    """
    loss = correct = 0.0
    targets = data.test_y[0].numel()  # of one sample: 1, or the tokens of a text
    sizes = _parts(len(data.test_y), max(1, EVAL_BATCH // targets))
    with evaluating(model):
        for x, y in zip(data.test_x.split(sizes), data.test_y.split(sizes), strict=True):
            output = losses.outputs(loss_fn, model, x, y)
            losses.check_output(type(model).__name__, loss_fn, output, y, data.classes)
            loss += loss_fn(output, y).item() * y.numel()
            if not y.is_floating_point() and output.shape == (*y.shape, data.classes):
                correct += (output.argmax(-1) == y).sum().item()
    return loss / data.test_y.numel(), correct / data.test_y.numel()


def _parts(n: int, size: int) -> list[int]:
    """The sizes of the batches of n samples, more than one sample in each if n is.

    Batch norm without running statistics cannot normalise a single sample.
    """
    whole, rest = divmod(n, size)
    if rest == 1 and whole:
        return [size] * (whole - 1) + [size + 1]
    return [size] * whole + [rest] * (rest > 0)
