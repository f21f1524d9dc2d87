"""The feed-forward part of a decoder's block: dense, or a mixture of experts."""

# B batch, T tokens, S tokens of all sequences, N width, X experts, K chosen of them, C places of an
# expert, I inner size

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.networks.layers import Experts, Linear
from hypertransfer.parameterisation.algebra import Role


def _relu2(x: Tensor) -> Tensor:
    """So et al. 2109.08668."""
    return F.relu(x).square()


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu, "relu": F.relu, "relu2": _relu2, "swiglu": F.silu,
}  # fmt: skip


class FeedForward(nn.Module):
    """Up, an activation, down; with `swiglu` the activation is gated (Shazeer 2002.05202)."""

    def __init__(self, *, width: int, inner: int, activation: str, bias: bool) -> None:
        super().__init__()
        self.up = Linear(width, inner, role=Role.HIDDEN, bias=bias)
        gated = activation == "swiglu"
        self.gate = Linear(width, inner, role=Role.HIDDEN, bias=bias) if gated else None
        self.down = Linear(inner, width, role=Role.HIDDEN, bias=bias)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x_BTN: Tensor) -> Tensor:
        """Same shape out as in."""
        if self.gate is None:
            return self.down(self.activation(self.up(x_BTN)))
        return self.down(self.activation(self.gate(x_BTN)) * self.up(x_BTN))


@dataclass(frozen=True)
class Routing:
    """How tokens choose experts, and what is added to the loss so that they choose evenly.

    `score` is `softmax` over all experts, or `sigmoid` of each. The `top_k` experts of largest
    score are chosen, and their outputs are weighted by their scores as they are (`raw`), over the
    sum of the chosen ones (`normalised`), or over their number (`mean`, Jiang et al. 2601.20205).

    With a `capacity`, an expert takes at most capacity·K/X of all tokens in training, first
    choices first, and drops the rest, which the residual stream carries on (Fedus et al.
    2101.03961); in evaluation none is dropped. Without one none ever is.

    `balance_loss` weights Σ_i f_i·P_i, f_i being X/(K·S) times the tokens that chose i and P_i its
    mean share of the scores (2101.03961, Equation 4; 1 if balanced); `z_loss` weights the mean of
    squared log Σ exp of the logits (Zoph et al. 2202.08906). `balance_rate` u adds u·sign(mean load
    − load) after every step to a bias that takes part in choosing alone (Wang et al. 2408.15664).
    """

    top_k: int = 1
    score: str = "softmax"
    gates: str = "raw"
    capacity: float | None = None
    balance_loss: float = 0.0
    z_loss: float = 0.0
    balance_rate: float = 0.0


class Choice:
    """What a router chose for S tokens: logits, scores, and experts with their gates, (S, K)."""

    def __init__(self, logits_SX: Tensor, routing: Routing, bias_X: Tensor | None) -> None:
        self.logits_SX, self.routing = logits_SX, routing
        sigmoid = routing.score == "sigmoid"
        self.scores_SX = logits_SX.sigmoid() if sigmoid else logits_SX.softmax(-1)
        wanted_SX = self.scores_SX if bias_X is None else self.scores_SX + bias_X
        self.experts_SK = wanted_SX.topk(routing.top_k).indices
        gates_SK = self.scores_SX.gather(1, self.experts_SK)
        if routing.gates == "normalised":
            gates_SK = gates_SK / gates_SK.sum(dim=1, keepdim=True)
        self.gates_SK = gates_SK / routing.top_k if routing.gates == "mean" else gates_SK

    @property
    def shares_SX(self) -> Tensor:
        """Scores that add up to 1 for each token."""
        if self.routing.score == "softmax":
            return self.scores_SX
        return self.scores_SX / self.scores_SX.sum(dim=1, keepdim=True)

    def load_X(self) -> Tensor:
        """Tokens that chose each expert, over the mean: 1 if balanced."""
        tokens, experts = self.logits_SX.shape
        counts = torch.bincount(self.experts_SK.flatten(), minlength=experts)
        return counts * (experts / (tokens * self.routing.top_k))

    def penalty(self) -> Tensor | float:
        """What is added to the loss."""
        routing, out = self.routing, 0.0
        if routing.balance_loss:
            balance = (self.load_X() * self.shares_SX.mean(dim=0)).sum()
            out = out + routing.balance_loss * balance
        if routing.z_loss:
            out = out + routing.z_loss * self.logits_SX.logsumexp(dim=1).square().mean()
        return out

    def entropy(self) -> Tensor:
        """Mean entropy of the scores over that of even ones."""
        shares_SX = self.shares_SX.detach()
        each = torch.special.entr(shares_SX).sum(dim=1)
        return each.mean() / math.log(max(shares_SX.shape[1], 2))


class Places:
    """Where each token stands with its experts, so that each expert works on one block of them.

    `tokens_XC` are the tokens of each expert's C places, S where a place is empty; `places_KS` the
    places of each token among all X·C, X·C where it was dropped.
    """

    def __init__(self, experts_SK: Tensor, experts: int, most: int | None = None) -> None:
        tokens, chosen = experts_SK.shape
        wanted = experts_SK.T.flatten()  # all first choices, then all second ones
        order = wanted.argsort(stable=True)
        counts_X = torch.bincount(wanted, minlength=experts)
        starts_X = counts_X.cumsum(0) - counts_X
        sorted_experts = wanted[order]
        rank = torch.arange(len(order), device=order.device) - starts_X[sorted_experts]
        size = int(counts_X.max())
        size = size if most is None else min(size, most)
        place = torch.where(rank < size, sorted_experts * size + rank, experts * size)
        self.tokens_XC = order.new_full((experts * size + 1,), tokens)
        self.tokens_XC[place] = order % tokens
        self.tokens_XC = self.tokens_XC[:-1].view(experts, size)
        self.places_KS = torch.empty_like(order)
        self.places_KS[order] = place
        self.places_KS = self.places_KS.view(chosen, tokens)

    def given(self, x_SN: Tensor) -> Tensor:
        """The tokens of each expert, (X, C, N), zero in empty places."""
        taken = _with_zero(x_SN).index_select(0, self.tokens_XC.flatten())
        return taken.view(*self.tokens_XC.shape, -1)

    def taken(self, y_XCN: Tensor) -> Tensor:
        """What each token's experts made of it, (K, S, N), zero where it was dropped."""
        taken = _with_zero(y_XCN.flatten(0, 1)).index_select(0, self.places_KS.flatten())
        return taken.view(*self.places_KS.shape, -1)

    def dropped(self) -> Tensor:
        """The share of choices that were dropped."""
        return (self.places_KS == self.tokens_XC.numel()).float().mean()


def _with_zero(x_SN: Tensor) -> Tensor:
    """A row of zeros more."""
    return F.pad(x_SN, (0, 0, 0, 1))


class MixtureOfExperts(nn.Module):
    """A router chooses a few experts for each token; all experts are computed in one product.

    `inner` is the inner size of one expert, `shared` the number of experts that all tokens use
    beside (Dai et al. 2401.06066), which are one dense layer of that many times the size.
    """

    def __init__(
        self, *, width: int, inner: int, activation: str, experts: int, shared: int,
        routing: Routing,
    ) -> None:  # fmt: skip
        super().__init__()
        self.routing, self.experts = routing, experts
        self.router = Linear(width, experts, role=Role.ROUTER)
        self.up = Experts(experts, width, inner, role=Role.EXPERT_UP)
        gated = activation == "swiglu"
        self.gate = Experts(experts, width, inner, role=Role.EXPERT_UP) if gated else None
        self.down = Experts(experts, inner, width, role=Role.EXPERT_DOWN)
        self.activation = ACTIVATIONS[activation]
        self.shared = (
            FeedForward(width=width, inner=shared * inner, activation=activation, bias=False)
            if shared else None
        )  # fmt: skip
        balanced = routing.balance_rate > 0
        self.register_buffer("bias", torch.zeros(experts) if balanced else None)
        self.seen: tuple[Choice, Places] | None = None  # in the last step of training

    def __getstate__(self) -> dict[str, Any]:
        """Without what was seen, which is part of a graph and cannot be copied or pickled."""
        return {**self.__dict__, "seen": None}

    def forward(self, x_BTN: Tensor) -> Tensor:
        """Same shape out as in."""
        x_SN = x_BTN.flatten(0, -2)
        choice = Choice(self.router(x_SN), self.routing, self.bias)
        places = Places(choice.experts_SK, self.experts, self._most(len(x_SN)))
        y_XCN = self._experts(places.given(x_SN))
        y_SN = (choice.gates_SK.T.unsqueeze(-1) * places.taken(y_XCN)).sum(dim=0)
        if self.training:
            self.seen = choice, places
        y_BTN = y_SN.view_as(x_BTN)
        return y_BTN if self.shared is None else y_BTN + self.shared(x_BTN)

    def _most(self, tokens: int) -> int | None:
        """The most tokens that an expert takes."""
        if self.routing.capacity is None or not self.training:
            return None
        return math.ceil(self.routing.capacity * tokens * self.routing.top_k / self.experts)

    def _experts(self, x_XCN: Tensor) -> Tensor:
        if self.gate is None:
            return self.down(self.activation(self.up(x_XCN)))
        return self.down(self.activation(self.gate(x_XCN)) * self.up(x_XCN))

    def penalty(self) -> Tensor | float:
        """What the last step's choices add to the loss."""
        return self.seen[0].penalty() if self.seen else 0.0

    @torch.no_grad()
    def after_update(self) -> None:
        """Move the bias towards an even load, by the last step's choices."""
        if self.bias is not None and self.seen:
            self.bias += self.routing.balance_rate * (1 - self.seen[0].load_X()).sign()

    @torch.no_grad()
    def statistics(self) -> dict[str, float]:
        """Of the last step's choices: the largest load, the scores' entropy, what was dropped."""
        if not self.seen:
            return {}
        choice, places = self.seen
        return {
            "load_imbalance": float(choice.load_X().max()),
            "router_entropy": float(choice.entropy()),
            "dropped_share": float(places.dropped()),
        }
