"""Linear operators on the flat space of all parameters, as the eigensolver wants them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

LossFn = Callable[[slice], Tensor]


class LinearOperator(Protocol):
    """A symmetric operator on vectors of one dimension; `products` counts its calls."""

    dimension: int
    device: torch.device
    dtype: torch.dtype
    products: int

    def __call__(self, v: Tensor) -> Tensor:
        """The product with a vector of shape (dimension,)."""
        ...


class HessianOperator:
    """v ↦ S^½ H S^½ v, with H the Hessian of a mean loss at the present weights.

    `loss_fn(rows)` is the mean loss over a slice of the fixed batch of `samples` samples. S is
    diagonal: one positive factor for each parameter tensor (a learning rate over the global
    one), or the identity. A product differentiates the gradient once more (Pearlmutter 1994);
    the graph of the gradient is built once, for chunks of `chunk_size` samples, and kept, so
    that a product costs two backward passes and no forward pass. With more than one chunk the
    graphs are built anew for each product, which bounds the memory by one chunk's.
    """

    def __init__(
        self,
        loss_fn: LossFn,
        parameters: Sequence[Tensor],
        *,
        samples: int,
        scale: Sequence[float] | None = None,
        chunk_size: int | None = None,
    ) -> None:
        self.loss_fn, self.parameters, self.samples = loss_fn, list(parameters), samples
        first = self.parameters[0]
        self.device, self.dtype = first.device, first.dtype
        self.dimension = sum(p.numel() for p in self.parameters)
        self.products = 0
        step = chunk_size or samples
        self.chunks = [slice(i, min(i + step, samples)) for i in range(0, samples, step)]
        self.roots = self._roots(scale)
        graphs = [self._graph(chunk) for chunk in self.chunks]
        weights = [self._weight(chunk) for chunk in self.chunks]
        self.loss = math.fsum(
            w * float(loss.detach()) for w, (loss, _) in zip(weights, graphs, strict=True)
        )
        self.gradient = self._flat(
            [sum(w * g.detach() for w, g in zip(weights, same, strict=True))
             for same in zip(*(gradient for _, gradient in graphs), strict=True)]
        )  # fmt: skip
        self._kept = graphs[0][1] if len(graphs) == 1 else None

    @property
    def gradient_norm(self) -> float:
        """Euclidean norm of the gradient of the mean loss, without S."""
        return float(self.gradient.norm())

    def __call__(self, v: Tensor) -> Tensor:
        """S^½ H S^½ v for v of shape (dimension,)."""
        self.products += 1
        v = v if self.roots is None else self.roots * v
        total = torch.zeros_like(v)
        for chunk in self.chunks:
            gradient = self._kept if self._kept is not None else self._graph(chunk)[1]
            product = torch.autograd.grad(
                gradient, self.parameters, self._split(v), retain_graph=self._kept is not None,
                allow_unused=True, materialize_grads=True,
            )  # fmt: skip
            total += self._weight(chunk) * self._flat(product)
        return total if self.roots is None else self.roots * total

    def _weight(self, chunk: slice) -> float:
        return (chunk.stop - chunk.start) / self.samples

    def _graph(self, chunk: slice) -> tuple[Tensor, tuple[Tensor, ...]]:
        loss = self.loss_fn(chunk)
        return loss, torch.autograd.grad(loss, self.parameters, create_graph=True)

    def _roots(self, scale: Sequence[float] | None) -> Tensor | None:
        if scale is None:
            return None
        if len(scale) != len(self.parameters) or not all(s > 0 for s in scale):
            raise ValueError("scale: one positive factor for each parameter tensor is needed")
        pairs = zip(scale, self.parameters, strict=True)
        return torch.cat([torch.full_like(p, s**0.5).detach().reshape(-1) for s, p in pairs])

    def _flat(self, tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat([t.reshape(-1) for t in tensors])

    def _split(self, v: Tensor) -> list[Tensor]:
        pieces = v.split([p.numel() for p in self.parameters])
        return [piece.view(p.shape) for piece, p in zip(pieces, self.parameters, strict=True)]
