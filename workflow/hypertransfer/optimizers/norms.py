"""Norms of weights, and their linear minimisation oracles (LMOs).

An LMO is argmin ⟨gradient, x⟩ over the ball ‖x‖ ≤ 1: the direction of steepest descent in a norm.
The norms are operator norms of layers y = W x between spaces with RMS norms, or from one-hot
inputs, so that updates of equal norm change features equally at every width (Pethick et al.
2502.07529, Tables 2 to 4; Yang et al. 2310.17813).

Dimensions in names: S stack of matrices of equal shape, O outputs (rows), I inputs (columns).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hypertransfer.catalogue.cards.lmo_presets import NEWTON_SCHULZ

TINY = 1e-30  # smallest divisor, so that the LMO of a zero gradient is zero


@dataclass(frozen=True)
class MatrixShape:
    """The kind of a weight, and its shape as a matrix.

    `kind` is `input`, `one_hot` (an embedding), `hidden`, `expert` (a stack of hidden matrices),
    `output`, `router` or `vector`. `taps` is the number of positions of a convolution's kernel, by
    which the number of input channels is multiplied in `inputs`.
    """

    kind: str
    outputs: int
    inputs: int
    taps: int = 1


def matrix_shape(kind: str, shape: tuple[int, ...]) -> MatrixShape:
    """The matrix shape of a parameter of some kind, from the shape in which it is stored.

    An embedding is stored as (inputs, outputs), experts as (experts, outputs, inputs), and other
    weights as (outputs, inputs, …).
    """
    if kind == "vector":
        return MatrixShape(kind, math.prod(shape), 1)
    if kind == "one_hot":
        return MatrixShape(kind, shape[1], shape[0])
    if kind == "expert":
        return MatrixShape(kind, shape[1], shape[2])
    return MatrixShape(kind, shape[0], math.prod(shape[1:]), math.prod(shape[2:]))


def as_matrices(stack: Tensor, at: MatrixShape) -> Tensor:
    """A stack of stored parameters as matrices (S, O, I); each expert is a matrix of its own."""
    if at.kind == "one_hot":
        return stack.transpose(1, 2)
    return stack.reshape(-1, at.outputs, at.inputs)


def as_stored(matrices: Tensor, at: MatrixShape, shape: tuple[int, ...]) -> Tensor:
    """The inverse of `as_matrices`; `shape` is the stored shape of one parameter."""
    if at.kind == "one_hot":
        return matrices.transpose(1, 2)
    return matrices.reshape(-1, *shape)


@dataclass(frozen=True)
class Norm:
    """A norm ‖W‖ = size(W) / scale(shape) of matrices, with its LMO and random unit matrices.

    Attributes:
        scale: `scale(shape)`, the factor of the norm that depends on the shape only.
        direction: `direction(G_SOI, iteration)`, the LMO of each matrix divided by −`scale`.
        size: `size(W_SOI)`, the norm of each matrix times `scale`, shape (S,).
        draw: `draw(gaussian_SOI)`, random matrices of norm 1 divided by `scale`.
    """

    scale: Callable[[MatrixShape], float]
    direction: Callable[[Tensor, Iteration], Tensor]
    size: Callable[[Tensor], Tensor]
    draw: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Iteration:
    """Newton–Schulz iterations X ← aX + (bA + cA²)X with A = XXᵀ, which approximate UVᵀ of UΣVᵀ.

    After 5 steps with Jordan's coefficients singular values lie between about 0.7 and 1.2. With
    (15/8, −10/8, 3/8) they converge to 1, small values more slowly. With 0 steps UVᵀ is exact.
    """

    steps: int = 5
    coefficients: tuple[float, float, float] = NEWTON_SCHULZ


JORDAN = Iteration()


def lmo(name: str, at: MatrixShape, gradient_SOI: Tensor, iteration: Iteration = JORDAN) -> Tensor:
    """argmin ⟨gradient, x⟩ over ‖x‖ ≤ 1 for each matrix, shape (S, O, I); zero for a zero gradient.

    For spectral norms the iteration approximates the polar factor.
    """
    norm = NORMS[name]
    return norm.direction(gradient_SOI, iteration) * -norm.scale(at)


def size(name: str, at: MatrixShape, weight_SOI: Tensor) -> Tensor:
    """The exact norm of each matrix, shape (S,); `lmo` minimises over the ball of norm 1."""
    return NORMS[name].size(weight_SOI) / NORMS[name].scale(at)


def boundary(
    name: str, at: MatrixShape, shape: tuple[int, ...], generator: torch.Generator
) -> Tensor:
    """A random weight of norm 1 in the stored shape, float32 on the CPU.

    Depending on the norm, the weight is a semi-orthogonal matrix, or consists of random signs or of
    normalised Gaussian vectors (Pethick et al. 2502.07529, Tables 2 to 4).
    """
    norm = NORMS[name]
    number = math.prod(shape) // (at.outputs * at.inputs)
    gaussian = torch.randn((number, at.outputs, at.inputs), generator=generator)
    return as_stored(norm.draw(gaussian) * norm.scale(at), at, shape)[0].contiguous()


def orthogonalised(matrix_SOI: Tensor, iteration: Iteration = JORDAN) -> Tensor:
    """UVᵀ of each matrix UΣVᵀ, (S, O, I): by Newton–Schulz in bfloat16, or by SVD with 0 steps."""
    if not iteration.steps:
        u, singular, v = torch.linalg.svd(matrix_SOI, full_matrices=False)
        return (u * (singular > 0).unsqueeze(-2)) @ v  # singular vectors of 0 are arbitrary
    a, b, c = iteration.coefficients
    tall = matrix_SOI.shape[-2] > matrix_SOI.shape[-1]
    x = (matrix_SOI.mT if tall else matrix_SOI).bfloat16()
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(iteration.steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrix_SOI.dtype)


def _normalised(dim: int | tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """A function that divides each vector along `dim` by its Euclidean norm."""

    def unit(x: Tensor) -> Tensor:
        # The average gradient of a token that no longer occurs decays until its squares, and thus
        # its norm, underflow. Scaling by a power of two avoids the underflow, and is exact.
        largest = x.abs().amax(dim=dim, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
        x = torch.ldexp(x, -torch.frexp(largest).exponent)
        return x / torch.linalg.vector_norm(x, dim=dim, keepdim=True).clamp(min=TINY)

    return unit


def _largest_norm(dim: int) -> Callable[[Tensor], Tensor]:
    """A function that computes the largest Euclidean norm of a matrix's vectors along `dim`."""
    return lambda x: torch.linalg.vector_norm(x, dim=dim).amax(dim=-1)


def _without_iteration(
    function: Callable[[Tensor], Tensor],
) -> Callable[[Tensor, Iteration], Tensor]:
    return lambda x, iteration: function(x)


def _reads_input(at: MatrixShape) -> bool:
    return at.kind in ("input", "one_hot")


def _rms(at: MatrixShape) -> float:
    """Scale of the RMS → RMS norm (one-hot inputs: ℓ₂ → RMS); ≥ 1/taps for `input` weights."""
    if at.kind == "one_hot":
        return math.sqrt(at.outputs)
    root = math.sqrt(at.outputs * at.taps / at.inputs) / at.taps
    return max(1.0 / at.taps, root) if at.kind == "input" else root


def _spectral(scale: Callable[[MatrixShape], float]) -> Norm:
    return Norm(
        scale,
        orthogonalised,
        lambda x: torch.linalg.matrix_norm(x, 2),
        lambda x: orthogonalised(x, Iteration(0)),
    )


def _sign(scale: Callable[[MatrixShape], float]) -> Norm:
    return Norm(
        scale, _without_iteration(torch.sign), lambda x: x.abs().amax(dim=(1, 2)), torch.sign
    )


_VECTORS = (1, 2)
_COLUMNS = Norm(
    lambda at: math.sqrt(at.outputs) / (1 if _reads_input(at) else at.inputs),
    _without_iteration(_normalised(1)),
    _largest_norm(1),
    _normalised(1),
)
_ROWS = Norm(
    lambda at: 1.0 if _reads_input(at) else 1 / math.sqrt(at.inputs),
    _without_iteration(_normalised(2)),
    _largest_norm(2),
    _normalised(2),
)
_FROBENIUS = Norm(
    lambda at: 1.0,
    _without_iteration(_normalised(_VECTORS)),
    lambda x: torch.linalg.matrix_norm(x),
    _normalised(_VECTORS),
)

NORMS: Mapping[str, Norm] = {
    "spectral": _spectral(_rms),  # RMS → RMS
    "sign": _sign(lambda at: 1.0 if _reads_input(at) else 1 / at.inputs),  # 1 → ∞, bounds RMS → ∞
    "col": _COLUMNS,  # 1 → RMS
    "row": _ROWS,  # RMS → ∞
    "frobenius": _FROBENIUS,
    "max": _sign(lambda at: 1.0),  # largest entry, without scale: plain sign descent
    # Spectral norms with the scales of Jordan 2024 and of Liu et al. 2502.16982.
    "keller": _spectral(lambda at: math.sqrt(max(1.0, at.outputs / at.inputs))),
    "moonlight": _spectral(lambda at: 0.2 * math.sqrt(max(at.outputs, at.inputs))),
    "rms": Norm(  # for vectors: biases and gains of norms
        lambda at: math.sqrt(at.outputs),
        _without_iteration(_normalised(_VECTORS)),
        lambda x: torch.linalg.matrix_norm(x),
        _normalised(_VECTORS),
    ),
}
