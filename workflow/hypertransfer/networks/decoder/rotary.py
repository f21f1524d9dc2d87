"""Rotary positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BASE = 10_000.0  # Su et al. 2104.09864


class Rotary(nn.Module):
    """Rotates pairs of a head's entries by angles that grow with the place; Su et al. 2104.09864.

    Entry i is paired with entry i + E/2, as in GPT-NeoX.
    """

    def __init__(self, tokens: int, head_size: int) -> None:
        super().__init__()
        self.head_size = head_size
        cos, sin = self._tables(tokens)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def _tables(self, tokens: int) -> tuple[Tensor, Tensor]:
        frequencies = BASE ** (-torch.arange(0, self.head_size, 2) / self.head_size)
        angles = torch.outer(torch.arange(tokens), frequencies).repeat(1, 2)
        return angles.cos(), angles.sin()

    def forward(self, x_BHTE: Tensor, start: int = 0) -> Tensor:
        """Same shape out as in; the first place given is `start`."""
        places = slice(start, start + x_BHTE.shape[-2])
        if places.stop > len(self.cos):  # in generation, beyond what it was made for
            self.cos, self.sin = (one.to(x_BHTE) for one in self._tables(2 * places.stop))
        first, second = x_BHTE.chunk(2, dim=-1)
        turned = torch.cat([-second, first], dim=-1)
        return x_BHTE * self.cos[places] + turned * self.sin[places]


class Unmoved(nn.Module):
    """In place of rotary positions: nothing."""

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """The input."""
        return x
