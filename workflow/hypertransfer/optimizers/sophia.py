"""Sophia (Liu et al. 2305.14342): momentum over an estimate of the Hessian's diagonal, clipped.

The update is pytorch_optimizer's SophiaH, which is given the estimate from outside. Its learning
rate is that of this project over ρ, so that a clipped entry moves by the learning rate.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pytorch_optimizer import SophiaH
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

ESTIMATORS = ("gauss_newton", "hutchinson")
NEVER = 2**62  # steps between estimates of the library's own
FLOOR = 1e-15  # of the curvature, as in the authors' code


def make(
    groups: list[dict], *, rho: float, every: int, estimator: str, scale_rho: bool, eps: float
) -> Sophia:  # fmt: skip
    """w ← w − lr·clip(m / (ρ·max(h, 1e-15)), 1) − lr·λ·w, m and h moving averages by the betas.

    h averages estimates of the Hessian's diagonal, one at every `every`-th step and none before
    the first of these, so that the first steps are signs. `estimator` is `gauss_newton` (the
    paper's Sophia-G) or `hutchinson` (Sophia-H).

    Gradients fall as 1/m_N where a table scales eps by it, h as its square, and so m/h grows:
    with one ρ fewer entries stay unclipped the wider the network, until Sophia is a sign descent.
    `scale_rho` divides ρ by the table's factor on eps, which undoes it (our extension).
    """
    return Sophia(
        [_group(group, rho * (eps / group["eps"] if scale_rho else 1.0)) for group in groups],
        every=every,
        estimator=estimator,
    )


def _group(group: dict, rho: float) -> dict:
    """In the library's terms: it clips m/max(h, eps) at p, and multiplies by its lr."""
    kept = {key: group[key] for key in ("params", "betas")}
    decay = group["weight_decay"] * rho
    return {**kept, "lr": group["lr"] / rho, "weight_decay": decay, "p": rho, "eps": FLOOR}


class Sophia(SophiaH):
    """SophiaH that looks at the loss itself, when the training loop shows it a batch."""

    def __init__(self, groups: list[dict], *, every: int, estimator: str) -> None:
        super().__init__(groups, update_period=NEVER)
        self.every, self.estimator = every, estimator
        self.seen: list[Tensor] | None = None

    def look(
        self, step: int, model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor,
        y: Tensor, seed: int,
    ) -> None:  # fmt: skip
        """Estimate the Hessian's diagonal on a batch, where it is time to."""
        parameters = [p for group in self.param_groups for p in group["params"]]
        if step == 0:  # else the library would make an estimate of its own
            self.seen = [torch.zeros_like(p) for p in parameters]
        elif step % self.every == 0:
            estimate = {"gauss_newton": gauss_newton, "hutchinson": hutchinson}[self.estimator]
            self.seen = estimate(model, loss, x, y, parameters, seed)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One update, with the estimate of the last look if there is a new one."""
        super().step(closure, hessian=self.seen)
        self.seen = None

    @torch.no_grad()
    def unclipped_share(self) -> float:
        """The share of entries whose last update was not clipped; the authors want 0.1 to 0.5.

        Of entries that had a gradient at all: embeddings of tokens never seen do not count.
        """
        free = total = 0
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                bound = group["p"] * state["hessian_moment"].clamp(min=group["eps"])
                size = state["momentum"].abs()
                moved = size > 0
                free += int(((size < bound) & moved).sum())
                total += int(moved.sum())
        return free / max(total, 1)


def gauss_newton(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor,
    parameters: list[Tensor], seed: int,
) -> list[Tensor]:  # fmt: skip
    """The Gauss–Newton diagonal of the mean loss: B·g∘g with labels drawn from the model's softmax.

    Liu et al., Algorithm 2 (Gauss–Newton–Bartlett); B counts the labels of the batch, tokens of a
    text. Unbiased for cross-entropy; entries are not negative.
    """
    output = model(x)
    shares = torch.softmax(output.detach().flatten(0, -2), dim=-1).cpu()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(shares, 1, generator=generator).reshape(y.shape).to(y)
    gradients = torch.autograd.grad(loss(output, drawn), parameters)
    return [y.numel() * g.square() for g in gradients]


def hutchinson(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor,
    parameters: list[Tensor], seed: int,
) -> list[Tensor]:  # fmt: skip
    """The Hessian's diagonal by one Gaussian vector u: u∘Hu (Liu et al., Algorithm 1).

    Unbiased; entries may be negative.
    """
    generator = torch.Generator().manual_seed(seed)
    vectors = [torch.randn(p.shape, generator=generator).to(p) for p in parameters]
    with sdpa_kernel(SDPBackend.MATH):  # the only attention that can be differentiated twice
        gradients = torch.autograd.grad(loss(model(x), y), parameters, create_graph=True)
        products = torch.autograd.grad(gradients, parameters, vectors)
    return [u * hu for u, hu in zip(vectors, products, strict=True)]
