"""Matrix-vector products with the curvature matrices of a mean loss.

The loss is L(θ) = (1/n) Σ_i ℓ(f_i(θ), y_i) over n samples, with P trained parameters θ and C
network outputs f_i per sample. H = ∂²L/∂θ² has shape (P, P), J = ∂f/∂θ has shape (n·C, P), and
H_ℓ = ∂²ℓ/∂f², block-diagonal over samples, has shape (n·C, n·C). S is a positive diagonal matrix,
by default the identity.

| operator | acts on vectors of | multiplies by |
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

OutputFn = Callable[[slice], Tensor]  # from a slice of the samples to their outputs
LossFn = Callable[[Tensor, slice], Tensor]  # from outputs and their slice to the mean loss


class LinearOperator(Protocol):
    """A symmetric matrix of shape (dimension, dimension); `products` counts its products."""

    dimension: int
    device: torch.device
    dtype: torch.dtype
    products: int

    def __call__(self, v: Tensor) -> Tensor:
        """The product with a vector, both of shape (dimension,)."""
        ...


@dataclass
class Landscape:
    """The mean loss over fixed samples as a function of the parameters.

    Attributes:
        outputs: `outputs(rows)` computes the network's outputs for a slice of the samples.
        loss: `loss(output, rows)` computes the mean loss of that slice.
        parameters: the tensors θ, which require gradients.
        samples: n, the number of samples.
        chunk_size: samples whose autograd graph is held at once (None: all). With one chunk the
            graph is built once and kept; with several chunks the graphs are rebuilt for every
            product, so that only one graph is in memory.
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
        self.chunks = [slice(i, min(i + step, self.samples)) for i in range(0, self.samples, step)]

    def weight(self, chunk: slice) -> float:
        """The number of samples in the chunk over n."""
        return (chunk.stop - chunk.start) / self.samples

    def flat(self, tensors: Sequence[Tensor]) -> Tensor:
        """One tensor per parameter, concatenated to a vector of shape (dimension,)."""
        return torch.cat([t.reshape(-1) for t in tensors])

    def split(self, v: Tensor) -> list[Tensor]:
        """The inverse of `flat`: one tensor of each parameter's shape."""
        pieces = v.split([p.numel() for p in self.parameters])
        return [piece.view(p.shape) for piece, p in zip(pieces, self.parameters, strict=True)]

    def roots(self, scale: Sequence[float | Tensor] | None) -> Tensor | None:
        """The diagonal of S^½, shape (dimension,), from that of S; None for the identity.

        `scale` has a positive number, or a tensor of the parameter's shape, for each parameter.

        Raises:
            ValueError: the numbers of factors and parameters differ, or a factor is not positive.
        """
        if scale is None:
            return None
        parts = [torch.as_tensor(s, device=self.device, dtype=self.dtype) for s in scale]
        if len(parts) != len(self.parameters) or not all(bool((s > 0).all()) for s in parts):
            raise ValueError("scale must have one positive factor for each parameter tensor")
        pairs = zip(parts, self.parameters, strict=True)
        return self.flat([s.sqrt().expand(p.shape) for s, p in pairs])

    def pull(self, outputs: Tensor, vector: Tensor, **graph: bool) -> tuple[Tensor, ...]:
        """∂(outputs·vector)/∂θ, a tensor of each parameter's shape."""
        return torch.autograd.grad(
            outputs, self.parameters, vector, allow_unused=True, materialize_grads=True, **graph
        )


class PerChunk:
    """Iterates over the chunks of a landscape, each with the object that `build` makes for it.

    With one chunk the object is built once and kept; with several chunks the objects are built in
    each iteration, one at a time.
    """

    def __init__(self, landscape: Landscape, build: Callable[[slice], object]) -> None:
        self.chunks, self.build = landscape.chunks, build
        self.only = build(landscape.chunks[0]) if len(landscape.chunks) == 1 else None

    def __iter__(self) -> Iterator[tuple[slice, object]]:
        for chunk in self.chunks:
            yield chunk, self.only if self.only is not None else self.build(chunk)


class ParameterOperator:
    """S^½ A S^½ on vectors of the parameters; subclasses define the product with A.

    `scale` is the diagonal of S, as in `Landscape.roots`.
    """

    def __init__(self, landscape: Landscape, scale: Sequence[float | Tensor] | None = None) -> None:
        self.landscape = landscape
        self.device, self.dtype = landscape.device, landscape.dtype
        self.dimension, self.products = landscape.dimension, 0
        self.roots = landscape.roots(scale)

    def __call__(self, v: Tensor) -> Tensor:
        """S^½ A S^½ v, both of shape (dimension,)."""
        self.products += 1
        product = self.unscaled(v if self.roots is None else self.roots * v)
        return product if self.roots is None else self.roots * product

    def unscaled(self, v: Tensor) -> Tensor:
        """A v, both of shape (dimension,)."""
        raise NotImplementedError


class HessianOperator(ParameterOperator):
    """v ↦ S^½ H S^½ v, with H the Hessian of the mean loss at the current parameters.

    A product differentiates gradient·v (Pearlmutter 1994): two backward passes, and no forward
    pass if the gradient's graph is kept. The attributes `loss`, a number, and `gradient`, of shape
    (dimension,), are the mean loss and its gradient, without S.
    """

    def __init__(self, landscape: Landscape, scale: Sequence[float | Tensor] | None = None) -> None:
        super().__init__(landscape, scale)
        self._graphs = PerChunk(landscape, self._graph)
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
        """S^½ times the gradient, shape (dimension,): the gradient in the scaled coordinates."""
        return self.gradient if self.roots is None else self.roots * self.gradient

    def _graph(self, chunk: slice) -> tuple[Tensor, tuple[Tensor, ...]]:
        loss = self.landscape.loss(self.landscape.outputs(chunk), chunk)
        gradient = torch.autograd.grad(
            loss,
            self.landscape.parameters,
            create_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        return loss.detach(), gradient

    def unscaled(self, v: Tensor) -> Tensor:
        """H v, both of shape (dimension,)."""
        total, vectors = torch.zeros_like(v), self.landscape.split(v)
        for chunk, (_, gradient) in self._graphs:
            linked = [(g, u) for g, u in zip(gradient, vectors, strict=True) if g.requires_grad]
            if not linked:
                continue
            product = torch.autograd.grad(
                [g for g, _ in linked],
                self.landscape.parameters,
                [u for _, u in linked],
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            total += self.landscape.weight(chunk) * self.landscape.flat(product)
        return total


class Linearised:
    """Products with J, Jᵀ and H_ℓ for the samples of one chunk.

    J v is the derivative of the linear map u ↦ (Jᵀu)·v: two backward passes through kept graphs.
    All operations of the network must be differentiable twice.
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
        """J v, of the shape of the outputs, for v of shape (dimension,)."""
        pairs = zip(self.pulled, self.landscape.split(v), strict=True)
        linked = [(g, u) for g, u in pairs if g.requires_grad]
        (product,) = torch.autograd.grad(
            [g for g, _ in linked], self.dual, [u for _, u in linked], retain_graph=True
        )
        return product

    def pull(self, u: Tensor) -> Tensor:
        """Jᵀ u, of shape (dimension,), for u of the shape of the outputs."""
        return self.landscape.flat(self.landscape.pull(self.outputs, u, retain_graph=True))

    def curve(self, u: Tensor) -> Tensor:
        """H_ℓ u divided by the number of samples in the chunk, of the shape of u and the outputs.

        The division follows from the loss, which is the mean over the chunk.
        """
        if not self.slope.requires_grad:  # the loss is linear in the outputs
            return torch.zeros_like(u)
        (product,) = torch.autograd.grad(self.slope, self.leaf, u, retain_graph=True)
        return product


class GaussNewtonOperator(ParameterOperator):
    """v ↦ S^½ G S^½ v, with the generalised Gauss–Newton matrix G = Jᵀ H_ℓ J / n.

    G is the Hessian without the second derivatives of the network's outputs (Schraudolph 2002).
    """

    def __init__(self, landscape: Landscape, scale: Sequence[float | Tensor] | None = None) -> None:
        super().__init__(landscape, scale)
        self._maps = PerChunk(landscape, lambda chunk: Linearised(landscape, chunk))

    def unscaled(self, v: Tensor) -> Tensor:
        """G v, both of shape (dimension,)."""
        total = torch.zeros_like(v)
        for chunk, linear in self._maps:
            product = linear.pull(linear.curve(linear.push(v)))
            total += self.landscape.weight(chunk) * product
        return total


class ResidualOperator(ParameterOperator):
    """v ↦ S^½ (H − G) S^½ v: the part of H from second derivatives of the network's outputs."""

    def __init__(self, hessian: HessianOperator, gauss_newton: GaussNewtonOperator) -> None:
        super().__init__(hessian.landscape)
        self.hessian, self.gauss_newton = hessian, gauss_newton

    def unscaled(self, v: Tensor) -> Tensor:
        """S^½ (H − G) S^½ v: both operators apply S themselves."""
        return self.hessian(v) - self.gauss_newton(v)


class Negative:
    """v ↦ −A v, whose largest eigenvalue is minus the smallest of A."""

    def __init__(self, operator: LinearOperator) -> None:
        self.operator = operator
        self.dimension, self.products = operator.dimension, 0
        self.device, self.dtype = operator.device, operator.dtype

    def __call__(self, v: Tensor) -> Tensor:
        """−A v, both of shape (dimension,)."""
        self.products += 1
        return -self.operator(v)


class NTKOperator:
    """u ↦ J S Jᵀ u / n: the empirical neural tangent kernel (Jacot et al. 1806.07572) divided by n.

    The operator acts on vectors of all outputs, of dimension n·C. For the loss ½‖f − y‖² its
    non-zero eigenvalues are those of the Gauss–Newton matrix.
    """

    def __init__(self, landscape: Landscape, scale: Sequence[float | Tensor] | None = None) -> None:
        self.landscape, self.products = landscape, 0
        self.device, self.dtype = landscape.device, landscape.dtype
        roots = landscape.roots(scale)
        self.squares = None if roots is None else roots**2
        self._maps = PerChunk(landscape, lambda chunk: Linearised(landscape, chunk))
        self._shapes = [linear.outputs.shape for _, linear in self._maps]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        self.dimension = sum(self._sizes)

    def __call__(self, u: Tensor) -> Tensor:
        """J S Jᵀ u / n, both of shape (n·C,)."""
        self.products += 1
        pieces = [p.view(s) for p, s in zip(u.split(self._sizes), self._shapes, strict=True)]
        pairs = zip(pieces, self._maps, strict=True)
        pulled = sum(linear.pull(piece) for piece, (_, linear) in pairs)
        pulled = pulled if self.squares is None else self.squares * pulled
        pushed = [linear.push(pulled).reshape(-1) for _, linear in self._maps]
        return torch.cat(pushed) / self.landscape.samples
