"""The feed-forward layer of a decoder block: dense, or a mixture of experts.

Dimensions in names: B batch, T tokens of a sequence, S = B·T tokens of a batch, N width, X experts,
K experts chosen per token, C slots per expert, I inner size.
"""

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
    """Squared ReLU, So et al. 2109.08668."""
    return F.relu(x).square()


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "relu2": _relu2,
    "swiglu": F.silu,
}


class FeedForward(nn.Module):
    """down(act(up(x))), or down(silu(gate(x)) · up(x)) with `swiglu` (Shazeer 2002.05202)."""

    def __init__(self, *, width: int, inner: int, activation: str, bias: bool) -> None:
        super().__init__()
        self.up = Linear(width, inner, role=Role.HIDDEN, bias=bias)
        gated = activation == "swiglu"
        self.gate = Linear(width, inner, role=Role.HIDDEN, bias=bias) if gated else None
        self.down = Linear(inner, width, role=Role.HIDDEN, bias=bias)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x_BTN: Tensor) -> Tensor:
        """The output of the layer, of the shape of the input."""
        if self.gate is None:
            return self.down(self.activation(self.up(x_BTN)))
        return self.down(self.activation(self.gate(x_BTN)) * self.up(x_BTN))


@dataclass(frozen=True)
class Routing:
    """Options of the router: how experts are chosen and how their loads are balanced.

    Attributes:
        top_k: K, the number of experts per token: those with the largest scores.
        score: `softmax` over all experts, or `sigmoid` of each logit.
        gates: weights of the chosen experts' outputs: their scores (`raw`), their scores divided
            by the sum over the chosen experts (`normalised`), or their scores divided by K
            (`mean`, Jiang et al. 2601.20205).
        capacity: in training an expert processes at most capacity·K/X of all tokens; first
            choices come before second choices, and tokens beyond the capacity are dropped: the
            residual stream carries them past the layer (Fedus et al. 2101.03961). In evaluation,
            and with None, no token is dropped.
        balance_loss: weight of the loss Σ_i f_i·P_i, where f_i is X/(K·S) times the number of
            tokens that chose expert i, and P_i is the mean of expert i's share of the scores
            (2101.03961, Equation 4). The sum is 1 if loads are balanced.
        z_loss: weight of the mean of (log Σ exp logits)² (Zoph et al. 2202.08906).
        balance_rate: u; after each update u·sign(mean load − load) is added to a bias of the
            scores, which affects the choice of experts but not the gates (Wang et al.
            2408.15664).
    """

    top_k: int = 1
    score: str = "softmax"
    gates: str = "raw"
    capacity: float | None = None
    balance_loss: float = 0.0
    z_loss: float = 0.0
    balance_rate: float = 0.0


class RoutingDecision:
    """The router's decision for S tokens.

    `logits_SX` and `scores_SX` have shape (S, X); `experts_SK`, the indices of the chosen experts,
    and `gates_SK`, their weights, have shape (S, K).
    """

    def __init__(self, logits_SX: Tensor, routing: Routing, bias_X: Tensor | None) -> None:
        self.logits_SX, self.routing = logits_SX, routing
        sigmoid = routing.score == "sigmoid"
        self.scores_SX = logits_SX.sigmoid() if sigmoid else logits_SX.softmax(-1)
        biased_SX = self.scores_SX if bias_X is None else self.scores_SX + bias_X
        self.experts_SK = biased_SX.topk(routing.top_k).indices
        gates_SK = self.scores_SX.gather(1, self.experts_SK)
        if routing.gates == "normalised":
            gates_SK = gates_SK / gates_SK.sum(dim=1, keepdim=True)
        self.gates_SK = gates_SK / routing.top_k if routing.gates == "mean" else gates_SK

    @property
    def shares_SX(self) -> Tensor:
        """Scores divided by their sum over experts, shape (S, X)."""
        if self.routing.score == "softmax":
            return self.scores_SX
        return self.scores_SX / self.scores_SX.sum(dim=1, keepdim=True)

    def load_X(self) -> Tensor:
        """Number of tokens that chose each expert over the mean number, shape (X,)."""
        tokens, experts = self.logits_SX.shape
        counts = torch.bincount(self.experts_SK.flatten(), minlength=experts)
        return counts * (experts / (tokens * self.routing.top_k))

    def penalty(self) -> Tensor | float:
        """The weighted balance and z losses, a number."""
        routing, penalty = self.routing, 0.0
        if routing.balance_loss:
            balance = (self.load_X() * self.shares_SX.mean(dim=0)).sum()
            penalty = penalty + routing.balance_loss * balance
        if routing.z_loss:
            penalty = penalty + routing.z_loss * self.logits_SX.logsumexp(dim=1).square().mean()
        return penalty

    def entropy(self) -> Tensor:
        """Mean entropy of the tokens' shares over the entropy of equal shares, log X."""
        shares_SX = self.shares_SX.detach()
        entropy_S = torch.special.entr(shares_SX).sum(dim=1)
        return entropy_S.mean() / math.log(max(shares_SX.shape[1], 2))


class Dispatch:
    """Assigns tokens to slots of experts, so that each expert processes a block of C tokens.

    `tokens_XC` holds the token in each slot, S in empty slots; `slots_KS` holds the slot of each
    choice of each token, an index below X·C, or X·C if the token was dropped. C is the largest
    number of tokens of an expert, or `capacity` if that is smaller.
    """

    def __init__(self, experts_SK: Tensor, experts: int, capacity: int | None = None) -> None:
        tokens, top_k = experts_SK.shape
        chosen = experts_SK.T.flatten()  # all first choices, then all second choices
        order = chosen.argsort(stable=True)
        counts_X = torch.bincount(chosen, minlength=experts)
        starts_X = counts_X.cumsum(0) - counts_X
        sorted_experts = chosen[order]
        rank = torch.arange(len(order), device=order.device) - starts_X[sorted_experts]
        size = int(counts_X.max())
        size = size if capacity is None else min(size, capacity)
        slot = torch.where(rank < size, sorted_experts * size + rank, experts * size)
        self.tokens_XC = order.new_full((experts * size + 1,), tokens)
        self.tokens_XC[slot] = order % tokens
        self.tokens_XC = self.tokens_XC[:-1].view(experts, size)
        self.slots_KS = torch.empty_like(order)
        self.slots_KS[order] = slot
        self.slots_KS = self.slots_KS.view(top_k, tokens)

    def dispatch(self, x_SN: Tensor) -> Tensor:
        """The tokens in the slots of each expert, shape (X, C, N); zero in empty slots."""
        x_LN = _with_zero_row(x_SN).index_select(0, self.tokens_XC.flatten())
        return x_LN.view(*self.tokens_XC.shape, -1)

    def combine(self, y_XCN: Tensor, gates_SK: Tensor) -> Tensor:
        """Sum of the outputs of each token's experts times their gates, shape (S, N).

        A dropped choice adds zero.
        """
        y_LN = _with_zero_row(y_XCN.flatten(0, 1)).index_select(0, self.slots_KS.flatten())
        y_KSN = y_LN.view(*self.slots_KS.shape, -1)
        return (gates_SK.T.unsqueeze(-1) * y_KSN).sum(dim=0)

    def dropped_share(self) -> Tensor:
        """The share of choices that were dropped."""
        return (self.slots_KS == self.tokens_XC.numel()).float().mean()


def _with_zero_row(x_SN: Tensor) -> Tensor:
    """The tensor with a row of zeros appended, which empty slots and dropped choices index."""
    return F.pad(x_SN, (0, 0, 0, 1))


class MixtureOfExperts(nn.Module):
    """A router chooses K of X experts for each token; a batched product computes all experts.

    `inner` is the inner size of one expert. `shared` experts process all tokens (Dai et al.
    2401.06066); they are computed as one dense layer of inner size shared·inner.
    """

    def __init__(
        self,
        *,
        width: int,
        inner: int,
        activation: str,
        experts: int,
        shared: int,
        routing: Routing,
    ) -> None:
        super().__init__()
        self.routing, self.experts = routing, experts
        self.router = Linear(width, experts, role=Role.ROUTER)
        self.up = Experts(experts, width, inner, role=Role.EXPERT_UP)
        gated = activation == "swiglu"
        self.gate = Experts(experts, width, inner, role=Role.EXPERT_UP) if gated else None
        self.down = Experts(experts, inner, width, role=Role.EXPERT_DOWN)
        self.activation = ACTIVATIONS[activation]
        self.shared = None
        if shared:
            self.shared = FeedForward(
                width=width, inner=shared * inner, activation=activation, bias=False
            )
        balanced = routing.balance_rate > 0
        self.register_buffer("bias", torch.zeros(experts) if balanced else None)
        self.last: tuple[RoutingDecision, Dispatch] | None = None  # of the last training step

    def __getstate__(self) -> dict[str, Any]:
        """The state without `last`, which belongs to an autograd graph and cannot be copied."""
        return {**self.__dict__, "last": None}

    def forward(self, x_BTN: Tensor) -> Tensor:
        """The layer's output, of the shape of the input."""
        x_SN = x_BTN.flatten(0, -2)
        decision = RoutingDecision(self.router(x_SN), self.routing, self.bias)
        dispatch = Dispatch(decision.experts_SK, self.experts, self._capacity(len(x_SN)))
        y_XCN = self._experts(dispatch.dispatch(x_SN))
        y_SN = dispatch.combine(y_XCN, decision.gates_SK)
        if self.training:
            self.last = decision, dispatch
        y_BTN = y_SN.view_as(x_BTN)
        return y_BTN if self.shared is None else y_BTN + self.shared(x_BTN)

    def _capacity(self, tokens: int) -> int | None:
        """The largest number of tokens that one expert processes; None without a limit."""
        if self.routing.capacity is None or not self.training:
            return None
        return math.ceil(self.routing.capacity * tokens * self.routing.top_k / self.experts)

    def _experts(self, x_XCN: Tensor) -> Tensor:
        """The outputs of the experts, of the shape of their inputs."""
        if self.gate is None:
            return self.down(self.activation(self.up(x_XCN)))
        return self.down(self.activation(self.gate(x_XCN)) * self.up(x_XCN))

    def penalty(self) -> Tensor | float:
        """The weighted balance and z losses of the last training step; 0 before the first step."""
        return self.last[0].penalty() if self.last else 0.0

    @torch.no_grad()
    def after_update(self) -> None:
        """Move the bias towards equal loads, by the loads of the last training step."""
        if self.bias is not None and self.last:
            self.bias += self.routing.balance_rate * (1 - self.last[0].load_X()).sign()

    @torch.no_grad()
    def statistics(self) -> dict[str, float]:
        """Columns of the history on the routing of the last training step (see `runs.columns`).

        The columns are the largest load over the mean load, the normalised entropy, and the share
        of dropped choices. The mapping is empty before the first step.
        """
        if not self.last:
            return {}
        decision, dispatch = self.last
        return {
            "load_imbalance": float(decision.load_X().max()),
            "router_entropy": float(decision.entropy()),
            "dropped_share": float(dispatch.dropped_share()),
        }
