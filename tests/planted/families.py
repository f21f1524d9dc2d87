"""Three families of networks with random settings, as other authors write them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TOKENS, CONTEXT, FEATURES = 40, 8, 10
ACTIVATIONS = (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh)


@dataclass(frozen=True)
class Settings:
    """A random configuration of a network and its training."""

    activation: Callable[[], nn.Module]
    normed: bool
    classes: int
    heads: int
    base: int
    depth: int
    lr: float
    weight_decay: float
    samples: int
    table: str
    frozen: bool = False  # the inner size of the second block does not grow
    root: bool = False  # logits of attention are divided by √d
    tied: bool = False  # the readout of the decoder shares the embedding's weights
    loud: str = ""  # what the network multiplies by √width: `embedding`, `branch` or `logits`

    @classmethod
    def drawn(cls, seed: int) -> Settings:
        """The configuration of a seed."""
        rng = random.Random(seed)
        return cls(
            activation=rng.choice(ACTIVATIONS),
            normed=rng.random() < 0.5,
            classes=rng.choice([3, 5, 10]),
            heads=rng.choice([2, 4]),
            base=rng.choice([16, 32]),
            lr=2 ** rng.uniform(-12, -6),
            weight_decay=rng.choice([0.0, 0.01, 0.1]),
            depth=rng.choice([2, 3]),
            samples=rng.choice([2, 4]),
            table=rng.choice(["completed_p", "mup", "completep"]),
        )


class Times(nn.Module):
    """What modules return, times a factor."""

    def __init__(self, factor: float, *modules: nn.Module) -> None:
        super().__init__()
        self.inside, self.factor = nn.Sequential(*modules), factor

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x) * self.factor


def loud(part: str, module: nn.Module, width: int, of: Settings) -> nn.Module:
    """The module, which a planted factor wraps if it is this part."""
    return Times((width / of.base) ** 0.5, module) if of.loud == part else module


class Residual(nn.Module):
    def __init__(self, width: int, inner: int, of: Settings) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width) if of.normed else nn.Identity()
        self.up, self.act = nn.Linear(width, inner), of.activation()
        self.down = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.act(self.up(self.norm(x))))


def inner(width: int, times: int, number: int, of: Settings) -> int:
    """The inner size of a block, which a planted fault keeps at that of the base."""
    return 2 * of.base if of.frozen and number == 1 else times * width


class MLP(nn.Module):
    """A residual perceptron."""

    def __init__(self, width: int, depth: int, of: Settings) -> None:
        super().__init__()
        sizes = (inner(width, 2, number, of) for number in range(depth))
        self.inp = nn.Linear(FEATURES, width)
        self.blocks = nn.ModuleList(Residual(width, size, of) for size in sizes)
        self.blocks[1].down = loud("branch", self.blocks[1].down, width, of)
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, of.classes)
        self.out = loud("logits", self.out, width, of)
        self.factor = width**0.5 if of.loud == "embedding" else 1.0

    def forward(self, x: Tensor) -> Tensor:
        x = self.inp(x) * self.factor
        for block in self.blocks:
            x = x + block(x)
        return self.out(self.norm(x))


class Attention(nn.Module):
    """Causal attention whose number of heads is fixed, so that heads grow."""

    def __init__(self, width: int, of: Settings) -> None:
        super().__init__()
        self.heads, size = of.heads, width // of.heads
        self.scale = size**-0.5 if of.root else (of.base // of.heads) ** 0.5 / size
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        parts = self.qkv(x).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*parts, is_causal=True, scale=self.scale)
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    def __init__(self, width: int, size: int, of: Settings) -> None:
        super().__init__()
        self.n1, self.n2, self.attn = nn.LayerNorm(width), nn.LayerNorm(width), Attention(width, of)
        self.mlp = nn.Sequential(nn.Linear(width, size), of.activation(), nn.Linear(size, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.n1(x))
        return x + self.mlp(self.n2(x))


class GPT(nn.Module):
    """A decoder with learned positions."""

    def __init__(self, width: int, depth: int, of: Settings) -> None:
        super().__init__()
        sizes = (inner(width, 4, number, of) for number in range(depth))
        self.tok, self.pos = nn.Embedding(TOKENS, width), nn.Embedding(CONTEXT, width)
        self.blocks = nn.ModuleList(Block(width, size, of) for size in sizes)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, TOKENS, bias=False)
        if of.tied:
            self.head.weight = self.tok.weight
        self.blocks[1].mlp[2] = loud("branch", self.blocks[1].mlp[2], width, of)
        self.head = loud("logits", self.head, width, of)
        self.factor = width**0.5 if of.loud == "embedding" else 1.0

    def forward(self, x: Tensor) -> Tensor:
        x = self.tok(x) * self.factor + self.pos(torch.arange(x.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class ConvBlock(nn.Module):
    def __init__(self, width: int, of: Settings, bias: bool = False) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.c2 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.b1, self.b2, self.act = nn.BatchNorm2d(width), nn.BatchNorm2d(width), of.activation()

    def forward(self, x: Tensor) -> Tensor:
        return self.b2(self.c2(self.act(self.b1(self.c1(x)))))


class Conv(nn.Module):
    """A residual ConvNet with batch normalisation."""

    def __init__(self, width: int, depth: int, of: Settings) -> None:
        super().__init__()
        self.inp = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(ConvBlock(width, of) for _ in range(depth))
        self.blocks[1].b2 = loud("branch", self.blocks[1].b2, width, of)
        self.out = loud("logits", nn.Linear(width, of.classes), width, of)
        self.factor = width**0.5 if of.loud == "embedding" else 1.0

    def forward(self, x: Tensor) -> Tensor:
        x = self.inp(x) * self.factor
        for block in self.blocks:
            x = x + block(x)
        return self.out(x.mean((2, 3)))


def biased(width: int, depth: int, of: Settings) -> nn.Module:
    """The ConvNet with biases in front of norms, which have no gradient."""
    network = Conv(width, depth, of)
    network.blocks = nn.ModuleList(ConvBlock(width, of, bias=True) for _ in range(depth))
    return network


def chain(width: int, depth: int, of: Settings) -> nn.Module:
    """The same layers in a row, without residual branches."""
    layers: list[nn.Module] = []
    for number in range(depth + 1):
        layers.append(nn.Conv2d(width if number else 3, width, 3, padding=1))
        layers += [nn.BatchNorm2d(width), of.activation()]
    pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, *pooled, nn.Linear(width, of.classes))


class Embedded(nn.Module):
    """Pre-norm blocks behind an embedding, whose updates fall with the width for long."""

    def __init__(self, width: int, depth: int, of: Settings) -> None:
        super().__init__()
        of = replace(of, normed=True)
        self.emb = nn.Embedding(TOKENS, width)
        self.blocks = nn.ModuleList(Residual(width, 4 * width, of) for _ in range(depth))
        self.out = nn.Linear(width, TOKENS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.emb(x)
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)


FAMILIES: Mapping[str, Callable[[int, int, Settings], nn.Module]] = {
    "mlp": MLP,
    "gpt": GPT,
    "conv": Conv,
}
SOUND: Mapping[str, Callable[[int, int, Settings], nn.Module]] = {  # without planted faults
    "biased": biased,
    "chain": chain,
    "embedded": Embedded,
}
