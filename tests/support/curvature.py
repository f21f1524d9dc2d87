"""Matrices with chosen spectra, small networks and their dense Hessians."""

from __future__ import annotations

import torch
from scipy.stats import ortho_group
from torch import nn

from hypertransfer.curvature.operators import (
    HessianOperator,
    Landscape,
)


class Matrix:
    """A dense symmetric matrix as an operator."""

    def __init__(self, matrix: torch.Tensor) -> None:
        self.matrix, self.products = matrix, 0
        self.dimension, self.device, self.dtype = len(matrix), matrix.device, matrix.dtype

    def __call__(self, v: torch.Tensor) -> torch.Tensor:
        self.products += 1
        return self.matrix @ v


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_spectrum(values, seed: int = 0) -> Matrix:
    q = torch.from_numpy(ortho_group.rvs(len(values), random_state=seed))
    return Matrix(q @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ q.T)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 3)).double()


def conv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3)
    ).double()


def batch(name: str, n: int = 20):
    x = torch.randn(n, 6, dtype=torch.float64)
    if name == "conv":
        x = torch.randn(n, 1, 6, 6, dtype=torch.float64)
    return x, torch.randint(0, 3, (n,))


LOSSES = {
    "cross_entropy": nn.functional.cross_entropy,
    "mse": lambda o, y: nn.functional.mse_loss(o, nn.functional.one_hot(y, 3).to(o)),
}


def of_flat(model: nn.Module, x):
    """The outputs as a function of all parameters in one vector, and that vector."""
    parameters = dict(model.named_parameters())
    shapes = [p.shape for p in parameters.values()]

    def outputs(flat):
        pieces = flat.split([s.numel() for s in shapes])
        named = {n: v.view(s) for n, v, s in zip(parameters, pieces, shapes, strict=True)}
        return torch.func.functional_call(model, named, (x,))

    return outputs, torch.cat([p.detach().reshape(-1) for p in parameters.values()])


def dense_hessian(model: nn.Module, loss_fn, x, y) -> torch.Tensor:
    """The full Hessian by torch.func, an independent path: forward over reverse."""
    outputs, flat = of_flat(model, x)
    return torch.func.hessian(lambda v: loss_fn(outputs(v), y))(flat)


def landscape(model, loss_fn, x, y, chunk_size=None) -> Landscape:
    return Landscape(
        lambda rows: model(x[rows]),
        lambda output, rows: loss_fn(output, y[rows]),
        list(model.parameters()),
        len(y),
        chunk_size,
    )


def operator(model, loss_fn, x, y, *, scale=None, chunk_size=None) -> HessianOperator:
    return HessianOperator(landscape(model, loss_fn, x, y, chunk_size), scale)


CASES = [(net, loss) for net in ("mlp", "conv") for loss in LOSSES]
