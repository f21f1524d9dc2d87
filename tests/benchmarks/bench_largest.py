"""How often the largest eigenvalue is missed: on Hessians whose whole spectrum is known.

A start misses if an eigenvalue is above the value found by more than the error that the method
states: for the probe the error in its table, for scipy's eigsh (ARPACK) the tolerance it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from tests.benchmarks.rows import row
from tests.support.curvature import Matrix
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from hypertransfer.catalogue import complete, lookup
from hypertransfer.curvature.lanczos import Tracker
from hypertransfer.probes.checkpoint import View, at_checkpoint, initial_view
from hypertransfer.training.loop import reproducible, train

SEEDS = 5  # runs of each network
STARTS = 20  # random starts of a whole run
CHECKPOINTS = [0, 1, 2, 6, 16, 40]
SAMPLES = 24
TOLERANCE = 0.01
ROUNDING = 1e-5  # relative, of eigenvalues in single precision
CHUNK = 128  # columns of a Hessian at once
SEVERAL = 5  # eigenvalues of the warm starts
IMAGES = {"name": "fashion_mnist_subset", "train": 256, "test": 64}
COMMON = {"parameterisation": "mup", "steps": CHECKPOINTS[-1], "log_every": 10}
SGD = {"optimizer": "sgd", "lr": 0.1, "batch_size": 32}
ADAMW = {"optimizer": "adamw", "lr": 0.01, "batch_size": 16}
NETWORKS: dict[str, dict[str, Any]] = {
    "residual_mlp": SGD
    | {"model": "residual_mlp", "data": {"name": "digits", "train": 256, "test": 64}}
    | {"base": {"width": 8, "depth": 1}, "shape": {"width": 24, "depth": 2}},
    "conv": SGD
    | {"model": "conv", "data": IMAGES}
    | {"base": {"width": 4, "depth": 1}, "shape": {"width": 8, "depth": 1}},
    "residual_conv": SGD
    | {"model": "residual_conv", "data": IMAGES}
    | {"base": {"width": 2, "depth": 3}, "shape": {"width": 4, "depth": 3}, "lr": 0.03},
    "vit": ADAMW
    | {"model": {"name": "vit", "heads": 2, "patch": 7}, "data": IMAGES}
    | {"base": {"width": 4, "depth": 2}, "shape": {"width": 8, "depth": 2}},
    "gpt": ADAMW
    | {"model": {"name": "gpt", "head_size": 4}}
    | {"data": {"name": "state_of_the_union", "context": 16, "test": 32}}
    | {"base": {"width": 4, "depth": 1}, "shape": {"width": 4, "depth": 2}},
}


@dataclass
class Tally:
    """Starts, those that missed, those that did not converge, and products of all."""

    starts: int = 0
    misses: int = 0
    unconverged: int = 0
    products: int = 0

    def add(self, missed: bool, products: int, converged: bool = True) -> None:
        """Count one start."""
        self.starts += 1
        self.misses += missed
        self.unconverged += not converged
        self.products += products

    def __add__(self, other: Tally) -> Tally:
        """The counts of both."""
        return Tally(*(a + b for a, b in zip(vars(self).values(), vars(other).values())))  # noqa: B905

    @property
    def rate(self) -> float:
        """Misses per 1,000 starts."""
        return 1000 * self.misses / self.starts

    @property
    def mean(self) -> float:
        """Products per start."""
        return self.products / self.starts


def run() -> list[dict]:
    """Misses and products over all networks; a row of misses for each network."""
    reproducible()
    rows, totals = [], {name: Tally() for name in METHODS}
    for network in NETWORKS:
        counts = {name: Tally() for name in METHODS}
        for seed in range(SEEDS):
            spectra = list(hessians(network, seed))
            for name, method in METHODS.items():
                for start in range(STARTS):
                    counts[name] += method(spectra, start)
        rows += _rows(f" of {network}", counts)
        totals = {name: totals[name] + counts[name] for name in METHODS}
    return [*_rows("", totals), *rows]


def _rows(of: str, counts: dict[str, Tally]) -> list[dict]:
    ours, warm, arpack = counts["top 1"], counts["top several"], counts["eigsh"]
    unit = "per 1,000 starts"
    found = [
        row(f"largest{of} missed, {ours.starts:,} starts", ours.rate, arpack.rate, 1, unit,
            "largest", "miss", math.nan),
        row(f"one of {SEVERAL}{of} missed, {warm.starts:,} warm starts", warm.rate, None, None,
            unit, "largest", "miss"),
        row(f"products for the largest{of}", ours.mean, arpack.mean, None, "products", "largest"),
    ]  # fmt: skip
    return found


def hessians(network: str, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """At each checkpoint, the scaled Hessian in single precision and all its eigenvalues, falling.

    Computed in double precision without the operators of the probes.
    """
    entry = COMMON | NETWORKS[network] | {"seed": seed, "checkpoints": CHECKPOINTS}
    spec = complete.run_spec(entry)
    table = lookup.table(spec)
    kept = train(spec, table).checkpoints
    settings = {"probe": "hessian", "samples": SAMPLES}
    start = initial_view(spec, table, settings, torch.device("cpu"))
    for step in CHECKPOINTS:
        if step in kept:
            matrix = scaled_hessian(at_checkpoint(start, step, kept[step]))
            yield matrix.float(), torch.linalg.eigvalsh(matrix).flip(0)


def scaled_hessian(view: View) -> Tensor:
    """S^½ H S^½ as a matrix in double precision, with the Hessian H of the mean loss.

    Rows are gradients of entries of the gradient: in torch 2.13 forward derivatives of the
    gradient through LayerNorm are off by a per cent. A product is compared with differences of
    gradients.
    """
    network = view.network.double().to(memory_format=torch.contiguous_format)
    x = (view.x.double() if view.x.is_floating_point() else view.x).contiguous()
    parameters = list(network.parameters())

    def gradient(create_graph: bool = False) -> Tensor:
        loss = view.loss(network(x), view.y)
        found = torch.autograd.grad(loss, parameters, create_graph=create_graph)
        return torch.cat([part.flatten() for part in found])

    def rows(chosen: Tensor) -> Tensor:
        found = torch.autograd.grad(
            flat, parameters, chosen, retain_graph=True, is_grads_batched=True,
            materialize_grads=True,
        )  # fmt: skip
        return torch.cat([part.flatten(1) for part in found], dim=1)

    with sdpa_kernel(SDPBackend.MATH):
        flat = gradient(create_graph=True)
        identity = torch.eye(len(flat), dtype=torch.float64)
        matrix = torch.cat([rows(chosen) for chosen in identity.split(CHUNK)])
        _compare(matrix, parameters, gradient)
    network.float()
    scales = torch.cat(
        [torch.full((p.numel(),), view.scales[name]) for name, p in network.named_parameters()]
    )
    matrix = matrix * torch.outer(scales, scales).sqrt()
    return (matrix + matrix.T) / 2


def _compare(matrix: Tensor, parameters: list[Tensor], gradient: Callable[[], Tensor]) -> None:
    """Raise unless a product equals a central difference of gradients; a ReLU may switch."""
    v = torch.randn(len(matrix), generator=torch.Generator().manual_seed(0)).double()
    v /= v.norm()
    step, sides = 1e-6, []
    for sign in (1, -2, 1):
        with torch.no_grad():
            for parameter, part in zip(
                parameters, v.split([p.numel() for p in parameters]), strict=True
            ):
                parameter += sign * step * part.view_as(parameter)
        sides.append(gradient())
    difference = (sides[0] - sides[1]) / (2 * step)
    assert torch.allclose(matrix @ v, difference, atol=1e-3 * float(difference.norm()))


Spectra = list[tuple[Tensor, Tensor]]


def tracked(k: int) -> Callable[[Spectra, int], Tally]:
    """The probe's own method along a run; for k = 1 every checkpoint has a new random start."""

    def along(spectra: Spectra, start: int) -> Tally:
        tally = Tally()
        tracker = Tracker(torch.Generator().manual_seed(start), k=k, tolerance=TOLERANCE)
        for matrix, exact in spectra:
            found = tracker.at(Matrix(matrix))
            above = (exact[:k] - found.values) / found.values.abs()
            missed = bool((above > found.errors + ROUNDING).any())
            tally.add(missed, found.products, found.converged)
        return tally

    return along


def arpack(spectra: Spectra, start: int) -> Tally:
    """scipy's eigsh from a random vector at every checkpoint."""
    tally, draws = Tally(), np.random.default_rng(start)
    for matrix, exact in spectra:
        operator = Matrix(matrix)
        n = operator.dimension

        def product(v: np.ndarray, operator: Matrix = operator) -> np.ndarray:
            return operator(torch.from_numpy(v.astype(np.float32)).flatten()).numpy()

        wrapped = LinearOperator((n, n), matvec=product, dtype=np.float32)
        v0 = draws.standard_normal(n).astype(np.float32)
        found = eigsh(wrapped, 1, which="LA", tol=TOLERANCE, v0=v0, return_eigenvectors=False)[0]
        above = float(exact[0] - found) / abs(float(found))
        tally.add(above > TOLERANCE + ROUNDING, operator.products)
    return tally


METHODS = {"top 1": tracked(1), "top several": tracked(SEVERAL), "eigsh": arpack}
