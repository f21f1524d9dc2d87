"""The cache of a decoder's attention layer, so that generation processes each token once.

Dimensions: B batch, G key heads, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Cache:
    """Named tensors of shape (B, G, T, size) that grow along T, up to `tokens`.

    Memory for all `tokens` is allocated at once. `sizes` gives the number of heads G and the size
    of each tensor by name; dtype and device are those of `like`.
    """

    def __init__(
        self, batch: int, tokens: int, sizes: Mapping[str, tuple[int, int]], like: Tensor
    ) -> None:
        self.length, self.tokens = 0, tokens
        self._tensors = {
            name: like.new_empty(batch, heads, tokens, size)
            for name, (heads, size) in sizes.items()
        }

    @property
    def bytes(self) -> int:
        """Size of the allocated tensors in bytes."""
        return sum(t.element_size() * t.nelement() for t in self._tensors.values())

    def append(self, **new: Tensor) -> tuple[Tensor, ...]:
        """Append tokens to every tensor; return the cached tensors, in the order of `new`.

        `new` are tensors of shape (B, G, T added, size) by name.

        Raises:
            ValueError: the cache would hold more than `tokens` tokens.
        """
        added = next(iter(new.values())).shape[2]
        end = self.length + added
        if end > self.tokens:
            raise ValueError(
                f"the cache has room for {self.tokens} tokens and holds {self.length}: {added} "
                "more do not fit; create the cache with a larger 'tokens', or append fewer tokens"
            )
        for name, tensor in new.items():
            self._tensors[name][:, :, self.length : end] = tensor
        self.length = end
        return tuple(self._tensors[name][:, :, :end] for name in new)


def visible(added: int, length: int, device: torch.device) -> Tensor | None:
    """The causal mask (added, length) of the last `added` of `length` tokens; True is visible.

    None if `added` is 1: the last token sees all tokens, and attention needs no mask.
    """
    if added == 1:
        return None
    return torch.ones(added, length, dtype=torch.bool, device=device).tril(length - added)
