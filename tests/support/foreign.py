"""Networks as other authors write them: torch's modules alone, and no word of roles."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = 5


def perceptron(width, depth):
    hidden = [part for _ in range(depth) for part in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(nn.Linear(10, width), nn.ReLU(), *hidden, nn.Linear(width, CLASSES))


class BasicBlock(nn.Module):
    """A block of a ResNet, whose sum is in place; a wider one has a projection."""

    def __init__(self, channels, wider):
        super().__init__()
        stride = 1 if wider == channels else 2
        self.conv1 = nn.Conv2d(channels, wider, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(wider)
        self.conv2 = nn.Conv2d(wider, wider, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(wider)
        self.relu = nn.ReLU(inplace=True)
        projection = nn.Conv2d(channels, wider, 1, stride, bias=False), nn.BatchNorm2d(wider)
        self.downsample = nn.Sequential(*projection) if stride > 1 else None

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    """Two stages of `depth` blocks, with batch normalisation."""

    def __init__(self, width, depth):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(*(BasicBlock(width, width) for _ in range(depth)))
        later = (BasicBlock(2 * width, 2 * width) for _ in range(depth - 1))
        self.layer2 = nn.Sequential(BasicBlock(width, 2 * width), *later)
        self.fc = nn.Linear(2 * width, CLASSES)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return self.fc(self.layer2(self.layer1(x)).mean((2, 3)))


class Attention(nn.Module):
    """Causal attention with one matrix for queries, keys and values."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        parts = self.qkv(x).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(*parts, is_causal=True)
        return self.proj(y.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    """A pre-norm block of a transformer."""

    def __init__(self, width):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, width // 8)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.5)
        )

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class Transformer(nn.Module):
    """A small language model; its embedding can be the readout as well."""

    def __init__(self, width, depth, *, tied=False):
        super().__init__()
        self.token = nn.Embedding(50, width)
        self.position = nn.Parameter(torch.zeros(8, width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 50, bias=False)
        if tied:
            self.head.weight = self.token.weight

    def forward(self, tokens):
        x = self.token(tokens) + self.position[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def tied(width, depth):
    return Transformer(width, depth, tied=True)


class Recurrent(nn.Module):
    """Recurrent layers over tokens, of which the last one reads out all positions.

    Args:
        width: the size of the embedding and of hidden states.
        depth: the number of layers.
        layer: the class of layers, such as `nn.LSTM`.
        sides: the number of directions, 1 or 2.
        stacked: whether each layer is a module of its own.
        residual: whether the output of each module is added to its input.
    """

    def __init__(self, width, depth, layer, *, sides=1, stacked=False, residual=False):
        super().__init__()
        self.embedding = nn.Embedding(50, width)
        options = {"batch_first": True, "bidirectional": sides == 2}
        layers = [1] * depth if stacked else [depth]
        self.layers = nn.ModuleList(layer(width, width, count, **options) for count in layers)
        self.readout = nn.Linear(sides * width, 50)
        self.residual = residual

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.layers:
            y, _ = layer(x)
            x = x + y if self.residual else y
        return self.readout(x)


TOKENS = torch.zeros(2, 8, dtype=torch.long)
IMAGES = torch.zeros(2, 3, 8, 8)
FEATURES = torch.zeros(2, 10)
