"""Cached decoding as in the study `muon_mla_moe`: tokens a second of each kind of attention."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from tests.benchmarks.rows import row
from tests.benchmarks.specs import STUDIES
from tests.support.parts import network as network_of

from hypertransfer.networks.decoder.model import Decoder
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies.grid import runs
from hypertransfer.studies.study import load_study
from hypertransfer.training.loop import reproducible

# The attention of the study that each kind has, and its heads of keys and values; None: as many as
# of queries.
KINDS = {
    "MHA": ("multi_head", None),
    "GQA (2 heads)": ("multi_head", 2),
    "MQA": ("multi_head", 1),
    "MLA (r = d/2)": ("latent", None),
}


def setting() -> tuple[dict[str, RunSpec], Mapping[str, Any]]:
    """A run of each kind of attention at the study's sizes, and its decoding probe's settings."""
    grid = load_study("muon_mla_moe", "desk", STUDIES).grids["cache"]
    of = {run.point["model.attention"]: run.spec for run in runs(grid)}
    specs = {kind: with_heads(of[attention], heads) for kind, (attention, heads) in KINDS.items()}
    return specs, grid.probes["decoding"].settings


def with_heads(spec: RunSpec, heads: int | None) -> RunSpec:
    """The run with as many heads of keys and values."""
    options = {**spec.model.options, "kv_heads": heads}
    return replace(spec, model=replace(spec.model, options=options))


def run() -> list[dict]:
    """Tokens a second after a prompt, each kind in turns; the rival is multi-head attention."""
    reproducible()
    specs, probe = setting()
    batch, prompt_length, tokens = (probe[name] for name in ("batch", "prompt", "tokens"))
    speeds: dict[str, list[float]] = {name: [] for name in (*KINDS, "no cache")}
    networks = {name: _network(spec, prompt_length) for name, spec in specs.items()}
    generator = torch.Generator().manual_seed(0)
    prompt = torch.randint(256, (batch, prompt_length), generator=generator)
    for _ in range(1 + 2 * probe["repeats"]):
        for name, network in networks.items():
            speeds[name].append(_cached(network, prompt, tokens))
        speeds["no cache"].append(_plain(networks["MHA"], prompt))
    each = {name: median(found[1:]) for name, found in speeds.items()}
    pairs = [("MHA", "no cache"), *((name, "MHA") for name in KINDS if name != "MHA")]
    length = f"{tokens} tokens after {prompt_length}"
    return [
        row(f"decoding {length} with {name} against {rival}", each[name], each[rival], None,
            "tokens/s", "decoding", "rate")
        for name, rival in pairs
    ]  # fmt: skip


def _network(spec: RunSpec, prompt_length: int) -> Decoder:
    torch.manual_seed(0)
    made = network_of(
        **spec.plain()["model"],
        width=spec.shape.width,
        depth=spec.shape.depth,
        input_shape=(prompt_length,),
        classes=256,
    )
    for parameter in made.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    return made.eval()


@torch.no_grad()
def _cached(network: Decoder, prompt: torch.Tensor, tokens: int) -> float:
    batch, length = prompt.shape
    caches = network.cache(batch, length + tokens)
    given = network.step(prompt, caches)[:, -1:].argmax(-1)
    started = time.perf_counter()
    for _ in range(tokens):
        given = network.step(given, caches)[:, -1:].argmax(-1)
    return batch * tokens / (time.perf_counter() - started)


@torch.no_grad()
def _plain(network: Decoder, prompt: torch.Tensor) -> float:
    started = time.perf_counter()
    network(prompt)[:, -1:].argmax(-1)
    return len(prompt) / (time.perf_counter() - started)
