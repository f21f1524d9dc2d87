"""Products with curvature matrices against dense matrices and curvlinops."""

from __future__ import annotations

import pytest
import torch
from tests.support.curvature import (
    CASES,
    LOSSES,
    batch,
    conv,
    dense_hessian,
    generator,
    landscape,
    mlp,
    of_flat,
    operator,
)
from torch import nn

from hypertransfer.curvature.lanczos import top_eigenvalues
from hypertransfer.curvature.operators import (
    GaussNewtonOperator,
    HessianOperator,
    Landscape,
    Negative,
    NTKOperator,
    ResidualOperator,
)


@pytest.mark.parametrize(("net", "loss"), CASES)
@pytest.mark.parametrize("chunk_size", [None, 7])
def test_products_equal_the_dense_hessian(net: str, loss: str, chunk_size: int | None):
    torch.manual_seed(0)
    model, (x, y) = {"mlp": mlp, "conv": conv}[net](), batch(net)
    dense = dense_hessian(model, LOSSES[loss], x, y)
    scale = [0.5 + i for i, _ in enumerate(model.parameters())]
    roots = torch.cat(
        [torch.full((p.numel(),), s**0.5) for s, p in zip(scale, model.parameters(), strict=True)]
    ).double()
    v = torch.randn(len(dense), dtype=torch.float64)
    plain = operator(model, LOSSES[loss], x, y, chunk_size=chunk_size)
    scaled = operator(model, LOSSES[loss], x, y, chunk_size=chunk_size, scale=scale)
    torch.testing.assert_close(plain(v), dense @ v)
    torch.testing.assert_close(scaled(v), roots * (dense @ (roots * v)))
    mean = LOSSES[loss](model(x), y)
    gradient = torch.autograd.grad(mean, list(model.parameters()))
    assert plain.loss == pytest.approx(float(mean.detach()))
    torch.testing.assert_close(plain.gradient, torch.cat([g.reshape(-1) for g in gradient]))


def dense_jacobian(model: nn.Module, x) -> torch.Tensor:
    """∂f/∂θ of shape (n·C, P) by torch.func, in forward mode: an independent path."""
    outputs, flat = of_flat(model, x)
    return torch.func.jacfwd(lambda v: outputs(v).reshape(-1))(flat)


@pytest.mark.parametrize(("net", "loss"), CASES)
@pytest.mark.parametrize("chunk_size", [None, 7])
def test_the_parts_of_the_hessian_equal_dense_matrices(net, loss, chunk_size):
    torch.manual_seed(2)
    model, (x, y) = {"mlp": mlp, "conv": conv}[net](), batch(net)
    jacobian = dense_jacobian(model, x)
    output = model(x).detach()
    curvature = torch.func.hessian(lambda o: LOSSES[loss](o.view_as(output), y))(output.reshape(-1))
    scale = [0.5 + i for i, _ in enumerate(model.parameters())]
    s = torch.cat(
        [torch.full((p.numel(),), f) for f, p in zip(scale, model.parameters(), strict=True)]
    ).double()
    root = s.sqrt()[:, None] * s.sqrt()
    dense_g = root * (jacobian.T @ curvature @ jacobian)
    dense_h = root * dense_hessian(model, LOSSES[loss], x, y)
    place = landscape(model, LOSSES[loss], x, y, chunk_size)
    part, whole = GaussNewtonOperator(place, scale), HessianOperator(place, scale)
    rest, kernel = ResidualOperator(whole, part), NTKOperator(place, scale)
    v = torch.randn(place.dimension, dtype=torch.float64)
    torch.testing.assert_close(part(v), dense_g @ v)
    torch.testing.assert_close(rest(v), (dense_h - dense_g) @ v)
    torch.testing.assert_close(Negative(rest)(v), -(dense_h - dense_g) @ v)
    dense_k = (jacobian * s) @ jacobian.T / len(y)
    u = torch.randn(kernel.dimension, dtype=torch.float64)
    torch.testing.assert_close(kernel(u), dense_k @ u)
    found = top_eigenvalues(kernel, 3, tolerance=1e-9, generator=generator())
    torch.testing.assert_close(found.values, torch.linalg.eigvalsh(dense_k).flip(0)[:3])


def test_gauss_newton_of_a_mid_sized_network_against_curvlinops():
    from curvlinops import GGNLinearOperator

    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 5)
    )
    x, y = torch.randn(64, 20), torch.randint(0, 5, (64,))
    reference = GGNLinearOperator(
        model, nn.CrossEntropyLoss(), list(model.parameters()), [(x, y)], check_deterministic=False
    )
    ours = GaussNewtonOperator(landscape(model, nn.functional.cross_entropy, x, y, 20))
    v = torch.randn(ours.dimension)
    torch.testing.assert_close(ours(v), reference @ v, rtol=1e-4, atol=1e-6)


def test_a_parameter_that_plays_no_part():
    """Neither a parameter that is not used nor an output that is linear breaks an operator."""
    model = nn.Linear(4, 3).double()
    idle = nn.Parameter(torch.ones(2, dtype=torch.float64))
    x, y = torch.randn(9, 4, dtype=torch.float64), torch.randint(0, 3, (9,))
    place = Landscape(
        lambda rows: model(x[rows]),
        lambda o, rows: LOSSES["cross_entropy"](o, y[rows]),
        [*model.parameters(), idle],
        9,
    )
    whole, part = HessianOperator(place), GaussNewtonOperator(place)
    v = torch.randn(place.dimension, dtype=torch.float64)
    torch.testing.assert_close(whole(v), part(v))  # a linear network has no curvature of its own
    assert bool((whole(v)[-2:] == 0).all())


@pytest.mark.parametrize("scale", [[0.0, 1, 1, 1], [1.0]])
def test_a_scale_that_cannot_be_meant(scale):
    model, (x, y) = mlp(), batch("mlp")
    with pytest.raises(ValueError, match="positive factor"):
        operator(model, nn.functional.cross_entropy, x, y, scale=scale)
