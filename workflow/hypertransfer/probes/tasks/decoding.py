"""The decoding probe: what a cache holds, and how quickly tokens follow one another with it."""

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
    """Cached decoding after a prompt, each token the most likely one.

    `cache_bytes` is the size of the cache's tensors for one token of one sequence, and
    `cache_formula` what DeepSeek-V2 (2405.04434, Table 1) gives for it; `cache_reduction` is what
    is saved of multi-head attention's, in per cent. `decoded_per_second` counts tokens of all
    sequences: the median of `repeats` times `tokens` tokens, one after another, after as many that
    do not count; their spread over it is the `error`.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.batch, self.prompt = int(settings["batch"]), int(settings["prompt"])
        self.tokens, self.repeats = int(settings["tokens"]), int(settings["repeats"])

    @torch.no_grad()
    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        network = view.network
        assert isinstance(network, Decoder)
        places = self.prompt + (1 + self.repeats) * self.tokens
        caches = network.cache(self.batch, places)
        speeds = self._speeds(network, view, caches)[1:]
        measured = sum(cache.bytes for cache in caches) / (self.batch * places)
        number = len(network.blocks) * network.embedding.weight.element_size()
        usual = {**network.parts, "attention": "multi_head", "kv_heads": None}
        whole = decoder_sizes.cached(usual, network.width) * number
        speed = median(speeds)
        return {
            "decoded_per_second": speed,
            "cache_bytes": measured,
            "cache_formula": decoder_sizes.cached(network.parts, network.width) * number,
            "cache_reduction": 100 * (1 - measured / whole),
            "error": (max(speeds) - min(speeds)) / speed,
            "converged": True,
            "products": 0,
        }

    def _speeds(self, network: Decoder, view: View, caches: list[Cache]) -> list[float]:
        """Tokens a second in one stretch after another, behind a prompt from the text."""
        text = view.train_x.flatten()[: self.batch * self.prompt].view(self.batch, self.prompt)
        given = network.step(text, caches)[:, -1:].argmax(-1)
        out = []
        for _ in range(1 + self.repeats):
            watch = Stopwatch(given.device)
            with watch("tokens"):
                for _ in range(self.tokens):
                    given = network.step(given, caches)[:, -1:].argmax(-1)
            out.append(self.batch * self.tokens / watch.seconds()["tokens"])
        return out
