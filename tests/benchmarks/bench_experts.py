"""A mixture of experts against a loop over its experts, forward and backward."""

from __future__ import annotations

import time
from statistics import median

import torch
from tests.benchmarks.rows import row
from torch import Tensor
from torch.nn import functional as F

from hypertransfer.networks.decoder.feed_forward import MixtureOfExperts, Routing
from hypertransfer.training.loop import reproducible

# width, inner size of an expert, experts, chosen
SHAPES = ((64, 64, 8, 2), (64, 16, 32, 8), (256, 256, 8, 2), (256, 64, 64, 8))
TOKENS, ROUNDS = 1024, 15


def run() -> list[dict]:
    """Milliseconds of a forward and backward pass of 1,024 tokens, in turns."""
    reproducible()
    rows = []
    for width, inner, experts, chosen in SHAPES:
        torch.manual_seed(0)
        made = MixtureOfExperts(
            width=width,
            inner=inner,
            activation="swiglu",
            experts=experts,
            shared=0,
            routing=Routing(top_k=chosen, score="sigmoid", gates="normalised"),
        )
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
        x = torch.randn(TOKENS, width, requires_grad=True)
        torch.testing.assert_close(made(x), loop(made, x), rtol=1e-3, atol=1e-4)
        times: dict[str, list[float]] = {"ours": [], "loop": []}
        for _ in range(ROUNDS):
            times["ours"].append(_seconds(lambda: made(x)))  # noqa: B023
            times["loop"].append(_seconds(lambda: loop(made, x)))  # noqa: B023
        a, b = (1e3 * median(times[name]) for name in ("ours", "loop"))
        text = f"{chosen} of {experts} experts of {inner}, width {width}, against a loop"
        rows.append(row(text, a, b, 1.0, "ms", "experts"))
    return rows


def loop(made: MixtureOfExperts, x_SN: Tensor) -> Tensor:
    """What one writes first: each expert on the tokens that chose it."""
    scores = made.router(x_SN).sigmoid()
    gates, chosen = scores.topk(made.routing.top_k)
    gates = gates / gates.sum(dim=1, keepdim=True)
    out = torch.zeros_like(x_SN)
    for expert in range(made.experts):
        tokens, rank = torch.where(chosen == expert)
        given = x_SN[tokens]
        hidden = F.silu(given @ made.gate.weight[expert].T) * (given @ made.up.weight[expert].T)
        done = hidden @ made.down.weight[expert].T
        out = out.index_add(0, tokens, gates[tokens, rank, None] * done)
    return out


def _seconds(forward) -> float:
    started = time.perf_counter()
    forward().square().mean().backward()
    return time.perf_counter() - started
