"""Linear operators of a loss landscape, all with the one interface that the solvers want.

The landscape is the mean of n samples' losses ℓ(f(θ), y) over the trained parameters θ, with
network outputs f of C values a sample, J = ∂f/∂θ of shape (n·C, P), and the loss's own Hessian
H_ℓ = ∂²ℓ/∂f² (block-diagonal over samples). S is a diagonal preconditioner.

| operator | acts on | is |
|---|---|---|
| `HessianOperator` | parameters | S^½ H S^½ |
| `GaussNewtonOperator` | parameters | S^½ Jᵀ H_ℓ J S^½ / n |
| `ResidualOperator` | parameters | S^½ (H − Jᵀ H_ℓ J / n) S^½ |
| `NTKOperator` | outputs | J S Jᵀ / n |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

OutputFn = Callable[[slice], Tensor]
LossFn = Callable[[Tensor, slice], Tensor]


class LinearOperator(Protocol):
    """A symmetric operator on vectors of one dimension; `products` counts its calls."""

    dimension: int
    device: torch.device
    dtype: torch.dtype
    products: int

    def __call__(self, v: Tensor) -> Tensor:
        """The product with a vector of shape (dimension,)."""
        ...


@dataclass
class Landscape:
    """The mean loss over `samples` fixed samples as a function of the parameters.

    `outputs(rows)` is the network's output for a slice of the samples, `loss(output, rows)` the
    mean loss of that slice. Graphs are held for `chunk_size` samples at a time: with one chunk
    they are built once and kept, with more they are built anew for each product, which bounds
    the memory by one chunk's.
    """

    outputs: OutputFn
    loss: LossFn
    parameters: Sequence[Tensor]
    samples: int
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        self.parameters = list(self.parameters)
        self.device, self.dtype = self.parameters[0].device, self.parameters[0].dtype
        self.dimension = sum(p.numel() for p in self.parameters)
        step = self.chunk_size or self.samples
        self.chunks = [
            slice(i, min(i + step, self.samples)) for i in range(0, self.samples, step)
        ]  # fmt: skip

    def weight(self, chunk: slice) -> float:
        """The share of a chunk in the samples."""
        return (chunk.stop - chunk.start) / self.samples

    def flat(self, tensors: Sequence[Tensor]) -> Tensor:
        """One tensor a parameter as one vector of shape (dimension,)."""
        return torch.cat([t.reshape(-1) for t in tensors])

    def split(self, v: Tensor) -> list[Tensor]:
        """Back from `flat`."""
        pieces = v.split([p.numel() for p in self.parameters])
        return [piece.view(p.shape) for piece, p in zip(pieces, self.parameters, strict=True)]

    def roots(self, scale: Sequence[float | Tensor] | None) -> Tensor | None:
        """S^½ as a vector, from a positive number or tensor for each parameter.

        Raises:
            ValueError: not one for each, or not positive.
        """
        if scale is None:
            return None
        parts = [torch.as_tensor(s, device=self.device, dtype=self.dtype) for s in scale]
        if len(parts) != len(self.parameters) or not all(bool((s > 0).all()) for s in parts):
            raise ValueError("scale: one positive factor for each parameter tensor is needed")
        pairs = zip(parts, self.parameters, strict=True)
        return self.flat([s.sqrt().expand(p.shape) for s, p in pairs])

    def pull(self, outputs: Tensor, vector: Tensor, **graph: bool) -> tuple[Tensor, ...]:
        """∂(outputs·vector)/∂parameters, as a tuple of tensors."""
        return torch.autograd.grad(
            outputs, self.parameters, vector, allow_unused=True, materialize_grads=True, **graph
        )


class _Kept:
    """What is built for each chunk: kept if there is one chunk, built anew if there are more."""

    def __init__(self, landscape: Landscape, build: Callable[[slice], object]) -> None:
        self.chunks, self.build = landscape.chunks, build
        self.only = build(landscape.chunks[0]) if len(landscape.chunks) == 1 else None

    def __iter__(self) -> Iterator[tuple[slice, object]]:
        for chunk in self.chunks:
            yield chunk, self.only if self.only is not None else self.build(chunk)


class _OnParameters:
    """An operator on the parameters' space: subclasses give the product without S."""

    def __init__(self, landscape: Landscape, scale: Sequence[float | Tensor] | None = None) -> None:
        self.landscape = landscape
        self.device, self.dtype = landscape.device, landscape.dtype
        self.dimension, self.products = landscape.dimension, 0
        self.roots = landscape.roots(scale)

    def __call__(self, v: Tensor) -> Tensor:
        """S^½ A S^½ v for v of shape (dimension,)."""
        self.products += 1
        product = self._product(v if self.roots is None else self.roots * v)
        return product if self.roots is None else self.roots * product

    def _product(self, v: Tensor) -> Tensor:
        raise NotImplementedError


class HessianOperator(_OnParameters):
    """v ↦ S^½ H S^½ v, with H the Hessian of the mean loss at the present weights.

    A product differentiates the gradient once more (Pearlmutter 1994): two backward passes and
    no forward pass where the gradient's graph is kept. `loss` and `gradient` are those of the
    mean loss, without S.
    """

    def __init__(self, landscape: Landscape, scale: Sequence[float | Tensor] | None = None) -> None:
        super().__init__(landscape, scale)
        self._graphs = _Kept(landscape, self._graph)
        self.loss, total = 0.0, torch.zeros(self.dimension, device=self.device, dtype=self.dtype)
        for chunk, (loss, gradient) in self._graphs:
            weight = landscape.weight(chunk)
            self.loss += weight * float(loss)
            total += weight * landscape.flat([g.detach() for g in gradient])
        self.gradient = total

    @property
    def gradient_norm(self) -> float:
        """Euclidean norm of the gradient of the mean loss, without S."""
        return float(self.gradient.norm())

    @property
    def scaled_gradient(self) -> Tensor:
        """S^½ times the gradient: the gradient in the coordinates that the operator acts on."""
        return self.gradient if self.roots is None else self.roots * self.gradient

    def _graph(self, chunk: slice) -> tuple[Tensor, tuple[Tensor, ...]]:
        loss = self.landscape.loss(self.landscape.outputs(chunk), chunk)
        gradient = torch.autograd.grad(
            loss, self.landscape.parameters, create_graph=True, allow_unused=True,
            materialize_grads=True,
        )  # fmt: skip
        return loss.detach(), gradient

    def _product(self, v: Tensor) -> Tensor:
        total, vectors = torch.zeros_like(v), self.landscape.split(v)
        for chunk, (_, gradient) in self._graphs:
            linked = [(g, u) for g, u in zip(gradient, vectors, strict=True) if g.requires_grad]
            if not linked:
                continue
            product = torch.autograd.grad(
                [g for g, _ in linked], self.landscape.parameters, [u for _, u in linked],
                retain_graph=True, allow_unused=True, materialize_grads=True,
            )  # fmt: skip
            total += self.landscape.weight(chunk) * self.landscape.flat(product)
        return total


class Linearised:
    """The network of one chunk as a linear map J of its parameters, and its loss's curvature.

    J v is the derivative of u ↦ Jᵀu, which is linear, in the direction v: two backward passes
    through graphs that are kept, with any operation that can be differentiated twice.
    """

    def __init__(self, landscape: Landscape, chunk: slice) -> None:
        self.landscape = landscape
        self.outputs = landscape.outputs(chunk)
        leaf = self.outputs.detach().requires_grad_(True)
        (self.slope,) = torch.autograd.grad(landscape.loss(leaf, chunk), leaf, create_graph=True)
        self.leaf = leaf
        self.dual = torch.zeros_like(self.outputs, requires_grad=True)
        self.pulled = landscape.pull(self.outputs, self.dual, create_graph=True)

    def push(self, v: Tensor) -> Tensor:
        """J v, of the outputs' shape, for v of shape (dimension,)."""
        pairs = zip(self.pulled, self.landscape.split(v), strict=True)
        linked = [(g, u) for g, u in pairs if g.requires_grad]
        (out,) = torch.autograd.grad(
            [g for g, _ in linked], self.dual, [u for _, u in linked], retain_graph=True
        )
        return out

    def pull(self, u: Tensor) -> Tensor:
        """Jᵀ u, of shape (dimension,), for u of the outputs' shape."""
        return self.landscape.flat(self.landscape.pull(self.outputs, u, retain_graph=True))

    def curve(self, u: Tensor) -> Tensor:
        """H_ℓ u, for the mean loss of the chunk and u of the outputs' shape."""
        if not self.slope.requires_grad:  # a loss that is linear in the outputs
            return torch.zeros_like(u)
        (out,) = torch.autograd.grad(self.slope, self.leaf, u, retain_graph=True)
        return out


class GaussNewtonOperator(_OnParameters):
    """v ↦ S^½ G S^½ v, with G the generalised Gauss–Newton matrix of the mean loss.

    G is H without the network's own curvature (Schraudolph 2002); its non-zero eigenvalues are
    those of the NTK in the loss's metric.
    """

    def __init__(self, landscape: Landscape, scale: Sequence[float | Tensor] | None = None) -> None:
        super().__init__(landscape, scale)
        self._maps = _Kept(landscape, lambda chunk: Linearised(landscape, chunk))

    def _product(self, v: Tensor) -> Tensor:
        total = torch.zeros_like(v)
        for chunk, linear in self._maps:
            product = linear.pull(linear.curve(linear.push(v)))
            total += self.landscape.weight(chunk) * product
        return total


class ResidualOperator(_OnParameters):
    """v ↦ S^½ (H − G) S^½ v: the part of the Hessian that the network's own curvature makes."""

    def __init__(self, hessian: HessianOperator, gauss_newton: GaussNewtonOperator) -> None:
        super().__init__(hessian.landscape)
        self.hessian, self.gauss_newton = hessian, gauss_newton

    def _product(self, v: Tensor) -> Tensor:
        return self.hessian(v) - self.gauss_newton(v)  # both of which apply S


class Negative:
    """v ↦ −A v: the smallest eigenvalue of A is minus the largest of this."""

    def __init__(self, operator: LinearOperator) -> None:
        self.operator = operator
        self.dimension, self.device, self.dtype = (
            operator.dimension, operator.device, operator.dtype,
        )  # fmt: skip
        self.products = 0

    def __call__(self, v: Tensor) -> Tensor:
        """−A v."""
        self.products += 1
        return -self.operator(v)


class NTKOperator:
    """u ↦ J S Jᵀ u / n on the space of all outputs, dimension n·C: the empirical NTK, averaged.

    With a loss of ½‖f − y‖² its non-zero eigenvalues are those of the Gauss–Newton matrix.
    """

    def __init__(self, landscape: Landscape, scale: Sequence[float | Tensor] | None = None) -> None:
        self.landscape, self.products = landscape, 0
        self.device, self.dtype = landscape.device, landscape.dtype
        roots = landscape.roots(scale)
        self.squares = None if roots is None else roots**2
        self._maps = _Kept(landscape, lambda chunk: Linearised(landscape, chunk))
        self._shapes = [linear.outputs.shape for _, linear in self._maps]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        self.dimension = sum(self._sizes)

    def __call__(self, u: Tensor) -> Tensor:
        """J S Jᵀ u / n for u of shape (n·C,)."""
        self.products += 1
        pieces = [p.view(s) for p, s in zip(u.split(self._sizes), self._shapes, strict=True)]
        pairs = zip(pieces, self._maps, strict=True)
        pulled = sum(linear.pull(piece) for piece, (_, linear) in pairs)
        pulled = pulled if self.squares is None else self.squares * pulled
        pushed = [linear.push(pulled).reshape(-1) for _, linear in self._maps]
        return torch.cat(pushed) / self.landscape.samples
