"""Norms of weights, and their linear minimisation oracles (LMOs).

An LMO is argmin ⟨gradient, x⟩ over the ball ‖x‖ ≤ 1: the steepest way down that a norm sees.
The norms are operator norms of layers y = W x between RMS-normed spaces, or one-hot inputs, so
that an update of one size changes features alike at every width (Pethick et al. 2502.07529,
Tables 2 to 4; Yang et al. 2310.17813).
"""

# S stack of equal shapes, O outputs (rows), I inputs (columns)

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hypertransfer.catalogue.cards.lmo_presets import NEWTON_SCHULZ

# a, b, c of a Newton–Schulz iteration (Jordan 2024, as in torch's Muon).
TINY = 1e-30  # keeps 0/0 from being: an LMO of a zero gradient is zero


@dataclass(frozen=True)
class Place:
    """Where a weight stands: what it is to the network, and its shape as a matrix.

    `kind` is `input`, `one_hot` (an embedding), `hidden`, `expert` (hidden matrices stored one
    above another), `output` or `vector`. `taps` is the number of places that a convolution's kernel
    covers; `inputs` counts each.
    """

    kind: str
    outputs: int
    inputs: int
    taps: int = 1


def place(kind: str, shape: tuple[int, ...]) -> Place:
    """The place of a parameter by its kind and its shape as it is stored.

    An embedding is stored as rows of one-hot vectors' images, experts as (experts, outputs,
    inputs), all else as (outputs, inputs, …).
    """
    if kind == "vector":
        return Place(kind, math.prod(shape), 1)
    if kind == "one_hot":
        return Place(kind, shape[1], shape[0])
    if kind == "expert":
        return Place(kind, shape[1], shape[2])
    return Place(kind, shape[0], math.prod(shape[1:]), math.prod(shape[2:]))


def as_matrices(stack: Tensor, at: Place) -> Tensor:
    """A stack of stored parameters as (S, O, I), each expert a matrix of its own."""
    if at.kind == "one_hot":
        return stack.transpose(1, 2)
    return stack.reshape(-1, at.outputs, at.inputs)


def as_stored(matrices: Tensor, at: Place, shape: tuple[int, ...]) -> Tensor:
    """Back from `as_matrices`, `shape` being that of one parameter."""
    if at.kind == "one_hot":
        return matrices.transpose(1, 2)
    return matrices.reshape(-1, *shape)


@dataclass(frozen=True)
class Norm:
    """A norm: the direction of its LMO, the size of its ball, itself, and a draw from its sphere.

    `direction(G_SOI, iteration)` is uphill and of unit size before `scale(place)`, `size(W_SOI)`
    the norm before it, (S,).
    """

    scale: Callable[[Place], float]
    direction: Callable[[Tensor, Iteration], Tensor]
    size: Callable[[Tensor], Tensor]
    draw: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Iteration:
    """Newton–Schulz: X ← aX + (bA + cA²)X with A = XXᵀ, so many steps of it; 0 are the exact UVᵀ.

    With Jordan's coefficients singular values come out within about 0.7 and 1.2 in 5 steps. Those
    of (15/8, −10/8, 3/8) converge to 1, more slowly from below.
    """

    steps: int = 5
    coefficients: tuple[float, float, float] = NEWTON_SCHULZ


JORDAN = Iteration()


def lmo(
    name: str, at: Place, gradient_SOI: Tensor, iteration: Iteration = JORDAN
) -> Tensor:  # fmt: skip
    """argmin ⟨gradient, x⟩ over ‖x‖ ≤ 1 for each of a stack; zero for a zero gradient.

    The iteration stands for the exact polar factor of the spectral norms.
    """
    norm = NORMS[name]
    return norm.direction(gradient_SOI, iteration) * -norm.scale(at)


def size(name: str, at: Place, weight_SOI: Tensor) -> Tensor:
    """The norm whose unit ball `lmo` minimises over, (S,); exact."""
    return NORMS[name].size(weight_SOI) / NORMS[name].scale(at)


def boundary(name: str, at: Place, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """A random weight of norm 1, of the stored shape, float32 on the CPU.

    Semi-orthogonal, random signs, or normalised Gaussian vectors (Pethick et al., Tables 2 to 4).
    """
    norm = NORMS[name]
    number = math.prod(shape) // (at.outputs * at.inputs)
    gaussian = torch.randn((number, at.outputs, at.inputs), generator=generator)
    return as_stored(norm.draw(gaussian) * norm.scale(at), at, shape)[0].contiguous()


def orthogonalised(matrix_SOI: Tensor, iteration: Iteration = JORDAN) -> Tensor:
    """UVᵀ of each UΣVᵀ, by Newton–Schulz in bfloat16, or exactly if it has no steps."""
    if not iteration.steps:
        u, singular, v = torch.linalg.svd(matrix_SOI, full_matrices=False)
        return (u * (singular > 0).unsqueeze(-2)) @ v  # of a zero matrix all of U is arbitrary
    a, b, c = iteration.coefficients
    tall = matrix_SOI.shape[-2] > matrix_SOI.shape[-1]
    x = (matrix_SOI.mT if tall else matrix_SOI).bfloat16()
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(iteration.steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrix_SOI.dtype)


def _over(dim: int | tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """Each vector along `dim` over its Euclidean norm, however short it is."""

    def unit(x: Tensor) -> Tensor:
        # The average of a token that is no longer seen decays until its squares underflow, and
        # with them its norm. Powers of two change no digit of the quotient.
        largest = x.abs().amax(dim=dim, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
        x = torch.ldexp(x, -torch.frexp(largest).exponent)
        return x / torch.linalg.vector_norm(x, dim=dim, keepdim=True).clamp(min=TINY)

    return unit


def _longest(dim: int) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.linalg.vector_norm(x, dim=dim).amax(dim=-1)


def _plain(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Iteration], Tensor]:
    return lambda x, iteration: function(x)


def _first(at: Place) -> bool:
    return at.kind in ("input", "one_hot")


def _rms(at: Place) -> float:
    """RMS to RMS; of one-hot inputs ℓ₂ to RMS; a first layer with many inputs is not shrunk."""
    if at.kind == "one_hot":
        return math.sqrt(at.outputs)
    root = math.sqrt(at.outputs * at.taps / at.inputs) / at.taps
    return max(1.0 / at.taps, root) if at.kind == "input" else root


def _spectral(scale: Callable[[Place], float]) -> Norm:
    return Norm(
        scale, orthogonalised, lambda x: torch.linalg.matrix_norm(x, 2),
        lambda x: orthogonalised(x, Iteration(0)),
    )  # fmt: skip


def _sign(scale: Callable[[Place], float]) -> Norm:
    return Norm(scale, _plain(torch.sign), lambda x: x.abs().amax(dim=(1, 2)), torch.sign)


_VECTORS = (1, 2)
_COLUMNS = Norm(
    lambda at: math.sqrt(at.outputs) / (1 if _first(at) else at.inputs),
    _plain(_over(1)), _longest(1), _over(1),
)  # fmt: skip
_ROWS = Norm(
    lambda at: 1.0 if _first(at) else 1 / math.sqrt(at.inputs),
    _plain(_over(2)), _longest(2), _over(2),
)  # fmt: skip
_FROBENIUS = Norm(
    lambda at: 1.0, _plain(_over(_VECTORS)), lambda x: torch.linalg.matrix_norm(x), _over(_VECTORS)
)

NORMS: Mapping[str, Norm] = {
    "spectral": _spectral(_rms),  # RMS → RMS
    "sign": _sign(lambda at: 1.0 if _first(at) else 1 / at.inputs),  # 1 → ∞, bounds RMS → ∞
    "col": _COLUMNS,  # 1 → RMS
    "row": _ROWS,  # RMS → ∞
    "frobenius": _FROBENIUS,
    "max": _sign(lambda at: 1.0),  # of entries, whatever the shape: naive sign descent
    # The spectral norm in the sizes of other authors: Jordan 2024, and Liu et al. 2502.16982.
    "keller": _spectral(lambda at: math.sqrt(max(1.0, at.outputs / at.inputs))),
    "moonlight": _spectral(lambda at: 0.2 * math.sqrt(max(at.outputs, at.inputs))),
    "rms": Norm(  # of vectors: biases and norms' gains
        lambda at: math.sqrt(at.outputs), _plain(_over(_VECTORS)),
        lambda x: torch.linalg.matrix_norm(x), _over(_VECTORS),
    ),
}  # fmt: skip
