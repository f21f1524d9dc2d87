"""A transformer's training step against a small GPT written by hand, and the machine's peak."""

from __future__ import annotations

import itertools

import torch
from tests.benchmarks.bench_train import matmul_peak, timed
from tests.benchmarks.rows import row
from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.catalogue import complete, lookup
from hypertransfer.data.samples import batches
from hypertransfer.planning import flops
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import data_sets
from hypertransfer.training.loop import reproducible, train

SHAPES = ((128, 4), (256, 4))  # width, depth
CONTEXT, BATCH, HEAD, STEPS, ROUNDS = 128, 8, 32, 60, 4
BETAS, LR = (0.9, 0.95), 2**-8


class HandAttention(nn.Module):
    """Causal attention with one matrix for queries, keys and values."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape out as in."""
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).split(width, dim=2)
        q, k, v = (y.view(n, tokens, -1, HEAD).transpose(1, 2) for y in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(n, tokens, width))


class HandBlock(nn.Module):
    """Attention and feed-forward with skips."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = HandAttention(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape out as in."""
        x = x + self.attention(self.first(x))
        return x + self.down(F.gelu(self.up(self.second(x))))


class HandGPT(nn.Module):
    """What a researcher would write for a quick run."""

    def __init__(self, width: int, depth: int, vocabulary: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(*(HandBlock(width) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        h = self.tokens(x) + self.positions(torch.arange(x.shape[1]))
        return self.head(self.norm(self.blocks(h)))


def spec_of(width: int, depth: int) -> RunSpec:
    """The run that both train."""
    return complete.run_spec(
        {
            "model": {"name": "gpt", "head_size": HEAD},
            "data": {"name": "state_of_the_union", "context": CONTEXT, "test": 16},
            "base": {"width": width, "depth": depth},
            "shape": {"width": width, "depth": depth},
            "parameterisation": "completed_p",
            "optimizer": {"name": "adamw", "betas": list(BETAS)},
            "lr": LR,
            "weight_decay": 0.1,
            "batch_size": BATCH,
            "steps": STEPS,
            "seed": 0,
            "log_every": 10,
        }
    )


def run() -> list[dict]:
    """Seconds a step of ours and of the rival, in turns; and floating-point rates."""
    reproducible()
    rows, peak = [], matmul_peak()
    for width, depth in SHAPES:
        spec = spec_of(width, depth)
        table = lookup.table(spec)
        train(spec, table)
        ours, rival = [], []
        for _ in range(ROUNDS):  # in turns, so that the machine's moods hit both alike
            ours.append(timed(lambda spec=spec, table=table: train(spec, table)))
            rival.append(timed(lambda spec=spec: by_hand(spec)))
        a, b = min(ours) / STEPS * 1e3, min(rival) / STEPS * 1e3
        name = f"GPT of width {width}, depth {depth}"
        rows.append(row(f"step of a {name} against one by hand", a, b, 1.05, "ms", "decoder"))
        rate = flops.train_flops(spec) / min(ours) / 1e9
        metric = f"achieved FLOP rate of a {name} against the peak matrix-product rate"
        rows.append(row(metric, rate, peak, 0.55, "GFLOP/s", "decoder", "rate"))
    return rows


def by_hand(spec: RunSpec) -> float:
    """The same steps in plain PyTorch, on the same windows, with the same two evaluations."""
    data = data_sets.samples(spec)
    torch.manual_seed(0)
    model = HandGPT(spec.shape.width, spec.shape.depth, data.classes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=BETAS, weight_decay=0.1)
    total, last = 0.0, 0.0
    order = batches(len(data.train_y), spec.batch_size, spec.seed)
    for step, index in enumerate(itertools.islice(order, spec.steps)):
        logits = model(data.train_x[index])
        loss = F.cross_entropy(logits.view(-1, logits.shape[-1]), data.train_y[index].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
        if (step + 1) % spec.log_every == 0:
            last, total = float(total), 0.0
    for _ in range(2):
        with torch.no_grad():
            logits = model(data.test_x)
            last = float(F.cross_entropy(logits.flatten(0, 1), data.test_y.flatten()))
    return last
