"""The decoding probe: size of the key-value cache, and speed of greedy generation."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import torch

from hypertransfer.catalogue.cards import decoder_sizes
from hypertransfer.networks.decoder.model import Decoder
from hypertransfer.probes.turns import Rival, Turn, relative_range
from hypertransfer.training.stopwatch import Stopwatch


class Probe:
    """Greedy generation with a cache, for `batch` sequences after a prompt of `prompt` tokens.

    The probe is timed: its runs are measured in turns with those of the same seed in the grid.
    `decoded_per_second` is the number of tokens of all sequences per second, the median over
    `repeats` pairs of turns. A turn decodes a stretch of `tokens` tokens after those of the turn
    before; one further turn comes first, and does not count. `error` is the range over the pairs
    divided by the median. The range contains the growth of the cache from turn to turn, which makes
    later turns slower. `cache_bytes` is the number of allocated bytes of cache for each token of a
    sequence, and `cache_formula` the number by DeepSeek-V2 (2405.04434, Table 1). `cache_reduction`
    is the reduction against multi-head attention, in per cent. Attention uses the fastest
    implementation of torch, as in training.
    """

    @torch.no_grad()
    def __init__(self, rival: Rival, step: int) -> None:
        settings = rival.settings
        self.batch, self.tokens = int(settings["batch"]), int(settings["tokens"])
        prompt = int(settings["prompt"])
        self.all_tokens = prompt + (1 + 2 * int(settings["repeats"])) * self.tokens
        view = rival.view(step)
        assert isinstance(view.network, Decoder)
        self.network = view.network
        self.caches = self.network.cache(self.batch, self.all_tokens)
        prompt_BT = view.train_x.flatten()[: self.batch * prompt].view(self.batch, prompt)
        self.token_B1 = self.network.step(prompt_BT, self.caches)[:, -1:].argmax(-1)

    @torch.no_grad()
    def turn(self) -> Turn:
        """Seconds of the next stretch."""
        watch = Stopwatch(self.token_B1.device)
        with watch("tokens"):
            for _ in range(self.tokens):
                self.token_B1 = self.network.step(self.token_B1, self.caches)[:, -1:].argmax(-1)
        return {"decoding_seconds": watch.seconds()["tokens"]}

    def row(self, pairs: Sequence[Turn]) -> dict[str, Any]:
        """One row of the probe's table."""
        network = self.network
        speeds = [self.batch * self.tokens / pair["decoding_seconds"] for pair in pairs]
        cached_bytes = sum(cache.bytes for cache in self.caches) / (self.batch * self.all_tokens)
        bytes_per_entry = len(network.blocks) * network.embedding.weight.element_size()
        multi_head = {**network.parts, "attention": "multi_head", "kv_heads": None}
        multi_head_bytes = decoder_sizes.cached(multi_head, network.width) * bytes_per_entry
        return {
            "decoded_per_second": median(speeds),
            "cache_bytes": cached_bytes,
            "cache_formula": decoder_sizes.cached(network.parts, network.width) * bytes_per_entry,
            "cache_reduction": 100 * (1 - cached_bytes / multi_head_bytes),
            "error": relative_range(speeds, median(speeds)),
            "converged": True,
            "products": 0,
        }
