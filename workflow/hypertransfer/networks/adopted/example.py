"""Example inputs for the forward pass of a network of another author, guessed from its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from hypertransfer.networks.tagged import RoleError

SAMPLES, TOKENS, PIXELS = 2, 8, 32


def example_inputs(network: nn.Module) -> dict[str, Any] | list[Any]:
    """The arguments of a forward pass for two samples of zeros.

    A network with a config, as those of Hugging Face have, gets tokens if the config has a size of
    the vocabulary, and images if it has a size of images. Other networks get the input of their
    first embedding, linear layer or convolution: 8 tokens for an embedding, 32 pixels along each
    side for a convolution.

    Raises:
        RoleError: the network has none of these.
    """
    config = getattr(network, "config", None)
    if isinstance(getattr(config, "image_size", None), int):
        side, channels = config.image_size, getattr(config, "num_channels", 3)
        return {"pixel_values": torch.zeros(SAMPLES, channels, side, side)}
    if isinstance(getattr(config, "vocab_size", None), int):
        return {"input_ids": torch.zeros(SAMPLES, TOKENS, dtype=torch.long)}
    for module in network.modules():
        if isinstance(module, nn.Embedding):
            return [torch.zeros(SAMPLES, TOKENS, dtype=torch.long)]
        if isinstance(module, nn.Linear):
            return [torch.zeros(SAMPLES, module.in_features)]
        if isinstance(module, _ConvNd):
            sides = [PIXELS] * len(module.kernel_size)
            return [torch.zeros(SAMPLES, module.in_channels, *sides)]
    raise RoleError(
        f"no inputs can be guessed for {type(network).__name__}: name a function that returns the "
        "arguments of its forward pass (`--inputs MODULE:FUNCTION`)"
    )


def forward_arguments(inputs: Any) -> Mapping[str, Any] | Sequence[Any]:
    """The arguments of a forward pass, from a tensor, several, or a function that returns them."""
    if callable(inputs) and not isinstance(inputs, torch.Tensor):
        inputs = inputs()
    return inputs if isinstance(inputs, Mapping | list | tuple) else [inputs]
