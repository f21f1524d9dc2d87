"""Cached decoding: tokens a second of each kind of attention, and without a cache."""

from __future__ import annotations

import time
from statistics import median

import torch
from tests.benchmarks.rows import row
from tests.support.parts import network as network_of

from hypertransfer.networks.decoder.model import Decoder
from hypertransfer.training.loop import reproducible

WIDTH, DEPTH, HEAD, BATCH, PROMPT, TOKENS, ROUNDS = 512, 4, 64, 8, 512, 8, 7
KINDS = {
    "MHA": {},
    "GQA (2 heads)": {"kv_heads": 2},
    "MQA": {"kv_heads": 1},
    "MLA (r = d/2)": {"attention": "latent", "latent_ratio": 0.5},
}


def run() -> list[dict]:
    """Tokens a second after a prompt, each kind in turns; the rival is multi-head attention."""
    reproducible()
    speeds: dict[str, list[float]] = {name: [] for name in (*KINDS, "no cache")}
    networks = {name: _network(options) for name, options in KINDS.items()}
    prompt = torch.randint(256, (BATCH, PROMPT), generator=torch.Generator().manual_seed(0))
    for _ in range(ROUNDS):
        for name, network in networks.items():
            speeds[name].append(_cached(network, prompt))
        speeds["no cache"].append(_plain(networks["MHA"], prompt))
    each = {name: median(found[1:]) for name, found in speeds.items()}
    rows = [
        row(f"decoding with {name} against MHA", each[name], each["MHA"], None, "tokens/s",
            "decoding")
        for name in KINDS if name != "MHA"
    ]  # fmt: skip
    return [
        row("decoding with MHA against no cache", each["MHA"], each["no cache"], None, "tokens/s",
            "decoding"),
        *rows,
    ]  # fmt: skip


def _network(options: dict) -> Decoder:
    torch.manual_seed(0)
    made = network_of(
        "llama",
        width=WIDTH,
        depth=DEPTH,
        input_shape=(PROMPT,),
        classes=256,
        head_size=HEAD,
        **options,
    )
    for parameter in made.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    return made.eval()


@torch.no_grad()
def _cached(network: Decoder, prompt: torch.Tensor) -> float:
    caches = network.cache(BATCH, PROMPT + TOKENS)
    given = network.step(prompt, caches)[:, -1:].argmax(-1)
    started = time.perf_counter()
    for _ in range(TOKENS):
        given = network.step(given, caches)[:, -1:].argmax(-1)
    return BATCH * TOKENS / (time.perf_counter() - started)


@torch.no_grad()
def _plain(network: Decoder, prompt: torch.Tensor) -> float:
    started = time.perf_counter()
    network(prompt)[:, -1:].argmax(-1)
    return BATCH / (time.perf_counter() - started)
