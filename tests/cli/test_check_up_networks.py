"""`hypertransfer check-up` of networks of unusual form: sound ones pass, and faults are named."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from tests.training.conftest import offer
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hypertransfer.cli.main import main
from hypertransfer.training import data_sets


class Base(nn.Module):
    """A residual block between an input layer and a readout."""

    def __init__(self, width, depth):
        super().__init__()
        self.inp, self.norm = nn.Linear(10, width), nn.LayerNorm(width)
        self.hidden, self.last = nn.Linear(width, width), nn.LayerNorm(width)
        self.out = nn.Linear(width, 5)

    def block(self, x):
        return F.gelu(self.hidden(self.norm(x)))

    def body(self, x):
        x = self.inp(x)
        return self.last(x + self.block(x))

    def forward(self, x):
        return self.out(self.body(x))


class Recomputed(Base):
    """A checkpoint, which calls modules again where derivatives are taken."""

    def body(self, x):
        x = self.inp(x)
        return self.last(x + checkpoint(self.block, x, use_reentrant=False))


class Functional(Base):
    """The readout's matrix is used outside of its module, as by fused losses."""

    def forward(self, x):
        return F.linear(self.body(x), self.out.weight, self.out.bias)


class OwnMatrix(Base):
    """The readout's matrix belongs to the network itself."""

    def __init__(self, width, depth):
        super().__init__(width, depth)
        self.out = None
        self.head = nn.Parameter(torch.randn(5, width) / width**0.5)

    def forward(self, x):
        return F.linear(self.body(x), self.head)


@dataclass
class Output:
    logits: torch.Tensor


class Head(nn.Linear):
    def forward(self, x):
        return Output(super().forward(x))


class Wrapped(Base):
    """The readout returns a dataclass."""

    def __init__(self, width, depth):
        super().__init__(width, depth)
        self.out = Head(width, 5)

    def forward(self, x):
        return super().forward(x).logits


class Attention(nn.Module):
    """Two heads that grow, with logits over the size of a head, and a softmax that is a module."""

    def __init__(self, width):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, x):
        q, k, v = (m(x).unflatten(-1, (2, -1)).transpose(1, 2) for m in (self.q, self.k, self.v))
        weights = self.softmax(q @ k.transpose(-1, -2) / q.shape[-1])
        return self.o((weights @ v).transpose(1, 2).flatten(2))


class Attending(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.token, self.norm = nn.Embedding(12, width), nn.LayerNorm(width)
        self.attention, self.last = Attention(width), nn.LayerNorm(width)
        self.out = nn.Linear(width, 12)

    def forward(self, x):
        x = self.token(x)
        return self.out(self.last(x + self.attention(self.norm(x))))


class TwoParts(Base):
    """A norm of a sum, of which one part vanishes beside the other in wide networks."""

    def __init__(self, width, depth):
        super().__init__(width, depth)
        self.width, self.other = width, nn.Linear(10, width)
        self.norm = self.hidden = None

    def body(self, x):
        return self.last(self.width * self.inp(x) + self.width**0.5 * self.other(x))


class Plain(Base):
    """A factor in a stream whose norms have no parameters."""

    def __init__(self, width, depth):
        super().__init__(width, depth)
        self.width = width
        self.norm, self.last = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))

    def body(self, x):
        x = self.inp(x) * self.width**0.5
        return self.last(x + self.block(x))


def images():
    return torch.randn(4, 10)


def tokens():
    return torch.zeros(4, 6, dtype=torch.long)


SOUND = [Base, Recomputed, Functional, OwnMatrix, Wrapped, Attending]
FAULTY = {TwoParts: ["inp", "other"], Plain: ["inp"]}


@pytest.fixture(autouse=True)
def guests(monkeypatch, tmp_path):
    parts = [*SOUND, *FAULTY, images, tokens]
    offer(monkeypatch, tmp_path, "guests", {part.__name__: part for part in parts})
    (tmp_path / "guests.py").write_text("def __getattr__(name): ...\n")  # read while planning
    data_sets._data.cache_clear()
    yield
    data_sets._data.cache_clear()


def checked(capsys, network):
    inputs = "tokens" if network is Attending else "images"
    code = main(
        [
            "check-up", f"guests:{network.__name__}", "--inputs", f"guests:{inputs}",
            "--table", "mup", "--width", "16", "--batch", "8", "--lr", "0.003",
        ]
    )  # fmt: skip
    return code, capsys.readouterr().out


@pytest.mark.parametrize("network", SOUND)
def test_sound_networks_pass(network, capsys):
    code, out = checked(capsys, network)
    assert code == 0, out
    assert out.startswith(f"pass: all modules of guests:{network.__name__}")


@pytest.mark.parametrize("network", FAULTY)
def test_a_factor_in_a_stream_is_named_with_the_module_in_front(network, capsys):
    code, out = checked(capsys, network)
    assert code == 1, out
    said = [line.partition(":")[0] for line in out.splitlines() if "what lies between" in line]
    assert said == FAULTY[network], out
