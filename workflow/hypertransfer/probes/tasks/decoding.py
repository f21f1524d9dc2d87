"""The decoding probe: size of the key-value cache, and speed of greedy generation."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

import torch

from hypertransfer.catalogue.cards import decoder_sizes
from hypertransfer.networks.decoder.kv_cache import Cache
from hypertransfer.networks.decoder.model import Decoder
from hypertransfer.probes.checkpoint import View
from hypertransfer.training.stopwatch import Stopwatch


class Probe:
    """Greedy generation with a cache, for `batch` sequences after a prompt of `prompt` tokens.

    `decoded_per_second` is the number of tokens of all sequences per second, the median over
    `repeats` stretches of `tokens` tokens each, after one stretch of warm-up; `error` is the range
    over the stretches divided by the median. `cache_bytes` is the number of allocated bytes of
    cache for each token of a sequence, and `cache_formula` the number by DeepSeek-V2 (2405.04434,
    Table 1). `cache_reduction` is the reduction against multi-head attention, in per cent.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.batch, self.prompt = int(settings["batch"]), int(settings["prompt"])
        self.tokens, self.repeats = int(settings["tokens"]), int(settings["repeats"])

    @torch.no_grad()
    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        network = view.network
        assert isinstance(network, Decoder)
        tokens = self.prompt + (1 + self.repeats) * self.tokens
        caches = network.cache(self.batch, tokens)
        speeds = self._speeds(network, view, caches)[1:]
        cached_bytes = sum(cache.bytes for cache in caches) / (self.batch * tokens)
        bytes_per_entry = len(network.blocks) * network.embedding.weight.element_size()
        multi_head = {**network.parts, "attention": "multi_head", "kv_heads": None}
        multi_head_bytes = decoder_sizes.cached(multi_head, network.width) * bytes_per_entry
        speed = median(speeds)
        return {
            "decoded_per_second": speed,
            "cache_bytes": cached_bytes,
            "cache_formula": decoder_sizes.cached(network.parts, network.width) * bytes_per_entry,
            "cache_reduction": 100 * (1 - cached_bytes / multi_head_bytes),
            "error": (max(speeds) - min(speeds)) / speed,
            "converged": True,
            "products": 0,
        }

    def _speeds(self, network: Decoder, view: View, caches: list[Cache]) -> list[float]:
        """Tokens per second in consecutive stretches, after a prompt from the training text."""
        prompt_BT = view.train_x.flatten()[: self.batch * self.prompt].view(self.batch, self.prompt)
        token_B1 = network.step(prompt_BT, caches)[:, -1:].argmax(-1)
        speeds = []
        for _ in range(1 + self.repeats):
            watch = Stopwatch(token_B1.device)
            with watch("tokens"):
                for _ in range(self.tokens):
                    token_B1 = network.step(token_B1, caches)[:, -1:].argmax(-1)
            speeds.append(self.batch * self.tokens / watch.seconds()["tokens"])
        return speeds
