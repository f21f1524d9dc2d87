"""The memory probe: bytes of tensors that training and generation keep."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from hypertransfer.networks.decoder.model import Decoder
from hypertransfer.probes.checkpoint import View
from hypertransfer.training.extensions import Extensions


class Probe:
    """Bytes of the weights, of what training keeps beside them, and of caches in generation.

    `weight_bytes` counts all parameters. `training_bytes` counts the parameters, their gradients
    and the tensors of the optimizer's state after one step on `samples` training samples; the
    activations are not counted. `generation_bytes` counts the parameters and the allocated caches
    of `batch` sequences of `tokens` tokens; a network that is no decoder has no caches. Exact.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.batch, self.tokens = int(settings["batch"]), int(settings["tokens"])

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        weights = total_bytes(view.network.parameters())
        return {
            "weight_bytes": float(weights),
            "training_bytes": float(weights + _beside_weights(view)),
            "generation_bytes": float(weights + self._cached(view)),
            "error": 0.0,
            "converged": True,
            "products": 0,
        }

    def _cached(self, view: View) -> int:
        """Bytes of the caches of all blocks."""
        network = view.network
        if not isinstance(network, Decoder):
            return 0
        return sum(cache.bytes for cache in network.cache(self.batch, self.tokens))


def _beside_weights(view: View) -> int:
    """Bytes of gradients and of the optimizer's state after one step of a copy of the network.

    The step is that of the training loop: an optimizer may evaluate the loss before it or in it.
    """
    network = copy.deepcopy(view.network).train()
    optimizer = view.make_optimizer(network)
    extensions = Extensions.of(network, optimizer)
    extensions.train()
    if extensions.observe:
        extensions.observe(0, network, view.loss, view.x, view.y, 0)

    @torch.enable_grad()
    def backward() -> Tensor:
        loss = replace(view, network=network).mean_loss(view.x, view.y)
        extensions.zero_grad()
        objective = loss + extensions.penalty()
        objective.backward()
        return objective.detach()

    backward()
    optimizer.step(*([backward] if extensions.needs_closure else []))
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return total_bytes([*gradients, *_tensors(optimizer.state)])


def _tensors(values: object) -> Iterable[Tensor]:
    """All tensors in nested mappings and sequences, without those of a single number."""
    if isinstance(values, Tensor):
        yield from [values] if values.numel() > 1 else []
    elif isinstance(values, Mapping):
        for value in values.values():
            yield from _tensors(value)
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _tensors(value)


def total_bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the entries of all tensors; tensors that share their memory count once."""
    distinct = {tensor.data_ptr(): tensor for tensor in tensors}
    return sum(tensor.numel() * tensor.element_size() for tensor in distinct.values())
