"""What work costs, before it is done: operations from shapes, minutes from operations.

The formulas count the multiply-adds of the matrix products, twice each, as torch's counter
does; a test holds them to it. They decide how cells are cut into jobs, so they depend on the
config alone: a job is cut the same way whatever the store holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from hypertransfer import datasets
from hypertransfer.spec import RunSpec

T = TypeVar("T")

# One core of a small machine on small networks, seen on an AMD EPYC: 15–40 GFLOP/s on the
# widest nets of the desk scale, and about a millisecond of overhead for each step.
OPERATIONS_PER_SECOND = 2.5e10
SECONDS_PER_STEP = 1.5e-3
FORWARD_AND_BACKWARD = 3  # a backward pass costs two forward passes


def _conv(spec: RunSpec, channels: int, side: int, classes: int) -> float:
    n = spec.shape.width
    side = (side - 1) // 2 + 1
    first = side**2 * 9 * channels * n
    side = (side // 2 - 1) // 4 + 1
    return first + side**2 * 9 * n * n + (side // 2) ** 2 * n * classes


def _residual_conv(spec: RunSpec, channels: int, side: int, classes: int) -> float:
    n, layers = spec.shape.width, spec.model.options.get("layers_per_block", 1)
    side = (side - 1) // 2 + 1
    total = float(side**2 * 9 * channels * n)
    for stage in range(3):
        total += side**2 * 9 * n * n * layers * spec.shape.depth / 3
        side //= 2
        total += side**2 * 9 * n * n * (stage < 2)
    return total + side**2 * n * classes


def _residual_mlp(spec: RunSpec, channels: int, side: int, classes: int) -> float:
    n, layers = spec.shape.width, spec.model.options.get("layers_per_block", 1)
    return channels * side**2 * n + spec.shape.depth * layers * n * n + n * classes


def _linear(spec: RunSpec, channels: int, side: int, classes: int) -> float:
    return (channels * side**2 + classes) * spec.shape.width


_FORWARD: Mapping[str, Callable[[RunSpec, int, int, int], float]] = {
    "conv": _conv,
    "residual_conv": _residual_conv,
    "residual_mlp": _residual_mlp,
    "linear": _linear,
}


def forward_flops(spec: RunSpec) -> float:
    """Operations of one sample's forward pass; a rough power law for models of one's own."""
    if spec.model.name not in _FORWARD or ":" in spec.data.name:
        return 20.0 * spec.shape.width**2 * spec.shape.depth
    card = datasets.card(spec.data.name)
    channels, side = card.input_shape[0], card.input_shape[1]
    return 2 * _FORWARD[spec.model.name](spec, channels, side, card.classes)


def train_seconds(spec: RunSpec) -> float:
    """Estimated seconds of one run on one core."""
    flops = FORWARD_AND_BACKWARD * forward_flops(spec) * spec.batch_size * spec.steps
    return flops / OPERATIONS_PER_SECOND + spec.steps * SECONDS_PER_STEP


PRODUCTS_PER_CHECKPOINT = 12  # Hessian-vector products, from a warm start


def probe_seconds(spec: RunSpec, settings: Mapping[str, Any]) -> float:
    """Estimated seconds of one probe on one core; a product costs two gradients."""
    samples = settings.get("samples", 256)
    gradient = FORWARD_AND_BACKWARD * forward_flops(spec) * samples / OPERATIONS_PER_SECOND
    products = PRODUCTS_PER_CHECKPOINT * len(settings["checkpoints"])
    return products * 2 * (gradient + SECONDS_PER_STEP)


def shards(items: Sequence[T], seconds: Sequence[float], limit: float) -> list[list[T]]:
    """Cut items, in their order, into as few pieces of about equal cost as the limit asks for.

    The mean cost of the pieces stays below the limit where items are cheaper than that; a piece
    holds at least one item and costs at most the mean and its dearest item together.
    """
    count = max(1, min(len(items), -(-sum(seconds) // limit).__int__())) if items else 0
    share = sum(seconds) / count if count else 0.0
    out: list[list[T]] = [[] for _ in range(count)]
    spent = 0.0
    for item, cost in zip(items, seconds, strict=True):
        out[min(int((spent + cost / 2) / share), count - 1) if share else 0].append(item)
        spent += cost
    return [piece for piece in out if piece]
