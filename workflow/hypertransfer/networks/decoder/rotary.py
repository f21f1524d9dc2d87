"""Rotary position embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BASE = 10_000.0  # Su et al. 2104.09864


class Rotary(nn.Module):
    """Rotates pairs of a head's entries by angles proportional to the position.

    Pair i of a head of size E turns by position · 10000^(−2i/E) (Su et al. 2104.09864). Entry i is
    paired with entry i + E/2, as in GPT-NeoX. Tables hold the cosines and sines of `tokens`
    positions, and are extended if a later position occurs.
    """

    def __init__(self, tokens: int, head_size: int) -> None:
        super().__init__()
        self.head_size = head_size
        cos, sin = self._tables(tokens)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def _tables(self, tokens: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the angles, each of shape (tokens, E)."""
        frequencies = BASE ** (-torch.arange(0, self.head_size, 2) / self.head_size)
        angles = torch.outer(torch.arange(tokens), frequencies).repeat(1, 2)
        return angles.cos(), angles.sin()

    def forward(self, x_BHTE: Tensor, start: int = 0) -> Tensor:
        """The rotated tensor, of the shape of the input; its first token has position `start`."""
        positions = slice(start, start + x_BHTE.shape[-2])
        if positions.stop > len(self.cos):  # generation beyond the tables
            self.cos, self.sin = (table.to(x_BHTE) for table in self._tables(2 * positions.stop))
        first, second = x_BHTE.chunk(2, dim=-1)
        turned = torch.cat([-second, first], dim=-1)
        return x_BHTE * self.cos[positions] + turned * self.sin[positions]


class NoRotary(nn.Module):
    """The identity, for attention without rotary positions."""

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """The input, unchanged."""
        return x
