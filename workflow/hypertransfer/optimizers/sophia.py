"""Sophia (Liu et al. 2305.14342): momentum over an estimate of the Hessian's diagonal, clipped.

The update is that of `pytorch_optimizer.SophiaH`, which receives our estimates of the diagonal.
SophiaH receives the learning rate divided by ρ, so that a clipped entry moves by the learning rate.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pytorch_optimizer import SophiaH
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

NEVER = 2**62  # steps between estimates that pytorch_optimizer would make itself
FLOOR = 1e-15  # smallest curvature, as in the authors' code


def make(
    groups: list[dict], *, rho: float, every: int, estimator: str, scale_rho: bool, eps: float
) -> Sophia:
    """w ← w − lr·clip(m / (ρ·max(h, 1e-15)), 1) − lr·λ·w (Liu et al., Algorithm 3).

    m is the moving average of the gradients with decay β₁, and h that of estimates of the Hessian's
    diagonal with decay β₂. λ is the decoupled weight decay.

    Args:
        groups: parameter groups with `lr`, `weight_decay`, `eps` and `betas`.
        rho: ρ at the base shape; smaller values clip more entries.
        every: steps between estimates. The first estimate is made at step `every`. Until then h is
            0, so that updates are signs of m.
        estimator: `gauss_newton` (Sophia-G) or `hutchinson` (Sophia-H).
        scale_rho: whether ρ is divided by the table's factor on eps (our extension). Where a
            table scales eps by 1/m_N, gradients fall as 1/m_N, h falls as 1/m_N², and m/h grows:
            with one ρ, wider networks clip more entries, until Sophia becomes sign descent.
        eps: eps at the base shape, from which the table's factor is computed.
    """
    return Sophia(
        [_group(group, rho * (eps / group["eps"] if scale_rho else 1.0)) for group in groups],
        every=every,
        estimator=estimator,
    )


def _group(group: dict, rho: float) -> dict:
    """The group for SophiaH, which clips m/max(h, eps) to ±p and multiplies by its lr."""
    kept = {key: group[key] for key in ("params", "betas")}
    decay = group["weight_decay"] * rho
    return {**kept, "lr": group["lr"] / rho, "weight_decay": decay, "p": rho, "eps": FLOOR}


class Sophia(SophiaH):
    """SophiaH that estimates the Hessian's diagonal on batches of the training loop.

    The class implements `ObservingOptimizer` and `ClippingOptimizer` of `training.extensions`.
    """

    def __init__(self, groups: list[dict], *, every: int, estimator: str) -> None:
        super().__init__(groups, update_period=NEVER)
        self.every, self.estimator = every, estimator
        self.estimate: list[Tensor] | None = (
            None  # for the next update; a tensor for each parameter
        )

    def observe(
        self,
        step: int,
        model: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        x: Tensor,
        y: Tensor,
        seed: int,
    ) -> None:
        """Estimate the Hessian's diagonal on the batch (x, y), if `step` is a multiple of `every`.

        `loss(outputs, targets)` is the mean loss; `seed` seeds the random draw of the estimator.
        """
        parameters = [p for group in self.param_groups for p in group["params"]]
        if step == 0:  # without an estimate SophiaH would make its own
            self.estimate = [torch.zeros_like(p) for p in parameters]
        elif step % self.every == 0:
            estimator = {"gauss_newton": gauss_newton, "hutchinson": hutchinson}[self.estimator]
            self.estimate = estimator(model, loss, x, y, parameters, seed)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One update, which includes h if `observe` has made an estimate since the last update."""
        super().step(closure, hessian=self.estimate)
        self.estimate = None

    @torch.no_grad()
    def unclipped_share(self) -> float:
        """The share of entries that the last update did not clip; the authors aim at 0.1 to 0.5.

        Entries with momentum 0, such as embeddings of tokens that never occurred, do not count.
        """
        unclipped = total = 0
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if "hessian_moment" not in state:  # a parameter without a gradient so far
                    continue
                bound = group["p"] * state["hessian_moment"].clamp(min=group["eps"])
                size = state["momentum"].abs()
                moved = size > 0
                unclipped += int(((size < bound) & moved).sum())
                total += int(moved.sum())
        return unclipped / max(total, 1)


def gauss_newton(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    parameters: list[Tensor],
    seed: int,
) -> list[Tensor]:
    """The Gauss–Newton diagonal of the mean loss, B·g∘g, one tensor of each parameter's shape.

    g is the gradient of the loss for labels drawn from the model's softmax, and B the number of
    labels in the batch: samples, or tokens of a text (Liu et al. 2305.14342, Algorithm 2,
    Gauss–Newton–Bartlett). The estimate is unbiased for cross-entropy; no entry is negative.
    """
    output = model(x)
    probabilities = torch.softmax(output.detach().flatten(0, -2), dim=-1).cpu()
    generator = torch.Generator().manual_seed(seed)
    labels = torch.multinomial(probabilities, 1, generator=generator).reshape(y.shape).to(y)
    gradients = torch.autograd.grad(
        loss(output, labels), parameters, allow_unused=True, materialize_grads=True
    )
    return [y.numel() * g.square() for g in gradients]


def hutchinson(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    parameters: list[Tensor],
    seed: int,
) -> list[Tensor]:
    """An estimate u∘Hu of the Hessian's diagonal, one tensor of each parameter's shape.

    u is a Gaussian vector (Liu et al. 2305.14342, Algorithm 1). The estimate is unbiased, and its
    entries may be negative.
    """
    generator = torch.Generator().manual_seed(seed)
    vectors = [torch.randn(p.shape, generator=generator).to(p) for p in parameters]
    with sdpa_kernel(SDPBackend.MATH):  # the only backend that can be differentiated twice
        gradients = torch.autograd.grad(
            loss(model(x), y), parameters, create_graph=True, allow_unused=True,
            materialize_grads=True,
        )  # fmt: skip
        linked = [(g, u) for g, u in zip(gradients, vectors, strict=True) if g.requires_grad]
        products = torch.autograd.grad(
            [g for g, _ in linked], parameters, [u for _, u in linked], allow_unused=True,
            materialize_grads=True,
        )  # fmt: skip
    return [u * hu for u, hu in zip(vectors, products, strict=True)]
