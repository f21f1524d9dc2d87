"""What a decoder keeps of the tokens that it has read, so that each is read once."""

# B batch, G key heads, T tokens

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Cache:
    """Tensors of shape (B, G, T, size) that grow along T, up to `tokens` places, set aside at once.

    `sizes` gives heads and size of each by name. All have the type and place of `like`.
    """

    def __init__(
        self, batch: int, tokens: int, sizes: Mapping[str, tuple[int, int]], like: Tensor
    ) -> None:
        self.length, self.tokens = 0, tokens
        self._kept = {
            name: like.new_empty(batch, heads, tokens, size)
            for name, (heads, size) in sizes.items()
        }

    @property
    def bytes(self) -> int:
        """Bytes of the tensors, of all places that were set aside."""
        return sum(one.element_size() * one.nelement() for one in self._kept.values())

    def append(self, **new: Tensor) -> tuple[Tensor, ...]:
        """Add places to every tensor, and give back all that is kept by now, in the order given.

        Raises:
            ValueError: there is no room.
        """
        added = next(iter(new.values())).shape[2]
        end = self.length + added
        if end > self.tokens:
            raise ValueError(
                f"the cache holds {self.tokens} tokens, {self.length} are read, and {added} more "
                "do not fit: make it for more, or read less"
            )
        for name, tensor in new.items():
            self._kept[name][:, :, self.length : end] = tensor
        self.length = end
        return tuple(self._kept[name][:, :, :end] for name in new)


def visible(added: int, length: int, device: torch.device) -> Tensor | None:
    """Which of `length` places the last `added` see, as (added, length); None: all see all."""
    if added == 1:
        return None
    return torch.ones(added, length, dtype=torch.bool, device=device).tril(length - added)
