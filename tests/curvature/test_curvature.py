"""Curvature probes against dense matrices, chosen spectra, and curvlinops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group
from torch import nn

from hypertransfer.curvature import lanczos
from hypertransfer.curvature.lanczos import Eigenpairs, top_eigenvalues
from hypertransfer.curvature.operators import (
    GaussNewtonOperator,
    HessianOperator,
    Landscape,
    Negative,
    NTKOperator,
    ResidualOperator,
)
from hypertransfer.curvature.spectral_density import spectrum
from hypertransfer.curvature.trace_estimate import trace


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
        lambda rows: model(x[rows]), lambda output, rows: loss_fn(output, y[rows]),
        list(model.parameters()), len(y), chunk_size,
    )  # fmt: skip


def operator(model, loss_fn, x, y, *, scale=None, chunk_size=None) -> HessianOperator:
    return HessianOperator(landscape(model, loss_fn, x, y, chunk_size), scale)


CASES = [(net, loss) for net in ("mlp", "conv") for loss in LOSSES]


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


@pytest.mark.parametrize(("net", "loss"), CASES)
@pytest.mark.parametrize("k", [1, 4])
def test_eigenvalues_equal_the_dense_hessians(net: str, loss: str, k: int):
    torch.manual_seed(1)
    model, (x, y) = {"mlp": mlp, "conv": conv}[net](), batch(net)
    truth = torch.linalg.eigvalsh(dense_hessian(model, LOSSES[loss], x, y)).flip(0)[:k]
    found = top_eigenvalues(
        operator(model, LOSSES[loss], x, y), k, tolerance=1e-8, generator=generator()
    )
    assert found.converged
    torch.testing.assert_close(found.values, truth, rtol=1e-6, atol=1e-10)


def test_a_mid_sized_network_against_curvlinops():
    from curvlinops import HessianLinearOperator

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(),
                          nn.Linear(40, 5))  # fmt: skip
    x, y = torch.randn(64, 20), torch.randint(0, 5, (64,))
    reference = HessianLinearOperator(
        model, nn.CrossEntropyLoss(), list(model.parameters()), [(x, y)], check_deterministic=False
    )
    ours = operator(model, nn.functional.cross_entropy, x, y)
    v = torch.randn(ours.dimension)
    torch.testing.assert_close(ours(v), reference @ v, rtol=1e-4, atol=1e-6)


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
    model = nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(),
                          nn.Linear(40, 5))  # fmt: skip
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
        lambda rows: model(x[rows]), lambda o, rows: LOSSES["cross_entropy"](o, y[rows]),
        [*model.parameters(), idle], 9,
    )  # fmt: skip
    whole, part = HessianOperator(place), GaussNewtonOperator(place)
    v = torch.randn(place.dimension, dtype=torch.float64)
    torch.testing.assert_close(whole(v), part(v))  # a linear network has no curvature of its own
    assert bool((whole(v)[-2:] == 0).all())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=5, max_size=30), st.integers(0, 5))
def test_the_density_has_the_moments_of_the_matrix(values, seed: int):
    """With as many steps as dimensions each start's quadrature is exact: zᵀA^kz/P for all k."""
    matrix = with_spectrum([v / 10 for v in values], seed)
    found = spectrum(matrix, vectors=3, steps=len(values), generator=generator(seed))
    chance = generator(seed)
    for power in range(5):
        chance = generator(seed)
        moments = []
        for _ in range(3):
            z = (2 * torch.randint(0, 2, (len(values),), generator=chance) - 1).double()
            moments.append(z @ torch.linalg.matrix_power(matrix.matrix, power) @ z / len(values))
        exact = float(torch.stack(moments).mean())
        size = 1 + 5.0**power
        assert float((found.weights * found.nodes**power).sum()) == pytest.approx(
            exact, abs=1e-7 * size
        )


def test_the_densitys_error_covers_the_truth():
    values = np.linspace(-1, 1, 400) ** 3
    matrix = with_spectrum(list(values))
    found = spectrum(matrix, vectors=20, steps=80, generator=generator())
    places = np.linspace(-0.9, 0.9, 19)
    below = [float(found.weights[found.nodes <= place].sum()) for place in places]
    truth = [(values <= place).mean() for place in places]
    assert max(abs(np.array(below) - truth)) < 4 * found.error + 0.01
    assert 0 < found.error < 0.1


# Distinct: a Krylov space holds one vector of each eigenspace, so a multiple value is seen once.
spectra = st.lists(st.integers(-1000, 1000), min_size=12, max_size=40, unique=True)


@settings(max_examples=40, deadline=None)
@given(spectra, st.integers(1, 4), st.integers(0, 5))
def test_any_spectrum(values, k: int, seed: int):
    """The largest algebraic eigenvalues, however large the negative ones are."""
    found = top_eigenvalues(
        with_spectrum([v / 100 for v in values], seed), k, tolerance=1e-9,
        generator=generator(seed),
    )  # fmt: skip
    truth = np.sort(values)[::-1][:k] / 100
    np.testing.assert_allclose(
        found.values.numpy(), truth, atol=1e-6 * max(map(abs, values)) + 1e-9
    )


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4])
def test_close_eigenvalues_are_not_taken_for_one(tolerance):
    """A single start saw 1.58 and 1.53 as one, and gave 1.32 for the fourth."""
    values = [2.07, 1.67, 1.58, 1.53, 1.32, *(v / 100 for v in range(-10, 10))]
    for seed in range(10):
        found = top_eigenvalues(
            with_spectrum(values, seed), 4, tolerance=tolerance, generator=generator(seed)
        )
        assert found.values.tolist() == pytest.approx(values[:4], rel=tolerance)


def test_the_largest_is_algebraic_not_of_modulus():
    found = top_eigenvalues(
        with_spectrum([-100.0, *np.linspace(-50, 0.5, 60), 1.0]), tolerance=1e-6,
        generator=generator(),
    )  # fmt: skip
    assert float(found.values[0]) == pytest.approx(1.0, rel=1e-5)


def test_a_warm_start_sees_a_crossing(monkeypatch):
    """The start is the old top eigenvector; a direction orthogonal to it has overtaken it."""
    values = [1.0, 1.3, *np.linspace(-0.2, 0.5, 200)]
    matrix = with_spectrum(values)
    _, vectors = torch.linalg.eigh(matrix.matrix)
    vector = vectors[:, -2:-1]
    assert float(vector.T @ matrix(vector[:, 0])) == pytest.approx(1.0)
    old = Eigenpairs(torch.ones(1), vector, vector, torch.zeros(1), 1, True)
    for seed in range(10):
        found = top_eigenvalues(matrix, start=old, tolerance=0.01, generator=generator(seed))
        assert float(found.values[0]) == pytest.approx(1.3, rel=0.01)
    monkeypatch.setattr(lanczos, "LEAST_PRODUCTS", 3)
    few = [top_eigenvalues(matrix, start=old, generator=generator(seed)) for seed in range(10)]
    assert any(float(found.values[0]) < 1.1 for found in few), "fewer products miss it"


def errors_of(top, seeds: int, tolerance: float) -> list[tuple[float, float]]:
    """True relative errors and reported ones, over spectra with a bulk and a given top."""
    out = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        values = np.concatenate([rng.exponential(0.3, 150) - 0.1, top(rng)])
        matrix = with_spectrum(values.tolist(), seed)
        found = top_eigenvalues(matrix, tolerance=tolerance, generator=generator(seed))
        error = abs(float(found.values[0]) - values.max()) / values.max()
        out.append((error, float(found.errors[0])))
    return out


@pytest.mark.parametrize("tolerance", [0.1, 0.02, 1e-4])
def test_the_error_is_honest_where_the_top_stands_apart(tolerance: float):
    """The gap in the bound is itself an estimate, hence the factor."""
    for error, reported in errors_of(lambda rng: [3.0, 4.0 + rng.exponential(1)], 40, tolerance):
        assert reported <= tolerance
        assert error <= 2 * reported + 1e-12


def test_a_cluster_at_the_top_costs_at_most_its_width():
    """Five eigenvalues within a fifth of the largest: the value is at worst one of its peers."""
    found = errors_of(lambda rng: 4 + rng.uniform(0, 1, 5), 40, 0.02)
    assert np.median([error for error, _ in found]) <= 0.02
    assert max(error for error, _ in found) < 0.1


def test_a_warm_start_costs_less():
    matrix = with_spectrum([*np.linspace(0, 1, 300), 1.05, 1.1])
    cold = top_eigenvalues(matrix, tolerance=1e-4, generator=generator())
    warm = top_eigenvalues(matrix, start=cold, tolerance=1e-4, generator=generator(1))
    assert warm.products < cold.products
    assert matrix.products == warm.products + cold.products


def test_restarts_bound_the_basis_and_converge():
    values = [*np.linspace(0.9, 1, 400), 1.0005]
    found = top_eigenvalues(
        with_spectrum(values), tolerance=1e-7, max_products=2000, generator=generator()
    )
    assert found.products > 60
    assert float(found.values[0]) == pytest.approx(1.0005, rel=1e-6)


def test_zero_and_tiny_operators():
    zero = top_eigenvalues(Matrix(torch.zeros(50, 50).double()), generator=generator())
    assert float(zero.values[0]) == 0
    one = top_eigenvalues(Matrix(torch.tensor([[-3.0]]).double()), generator=generator())
    assert (float(one.values[0]), one.converged) == (-3.0, True)
    with pytest.raises(ValueError, match="dimension 1"):
        top_eigenvalues(Matrix(torch.ones(1, 1)), 2, generator=generator())


def test_values_that_are_no_numbers_end_it():
    found = top_eigenvalues(Matrix(torch.full((9, 9), math.nan)), generator=generator())
    assert not found.converged
    assert math.isnan(float(found.values[0]))


def test_too_few_products_say_so():
    found = top_eigenvalues(
        with_spectrum(list(np.linspace(0, 1, 300))), tolerance=1e-9, max_products=5,
        generator=generator(),
    )  # fmt: skip
    assert not found.converged
    assert found.products == 5
    assert float(found.errors[0]) > 1e-9


def test_the_trace_is_unbiased():
    matrix = with_spectrum(list(np.linspace(-1, 3, 60)))
    mean, error = trace(matrix, 400, generator())
    assert mean == pytest.approx(60.0, abs=4 * error)
    assert error > 0
    diagonal = Matrix(torch.diag(torch.arange(5.0)))
    assert trace(diagonal, 2, generator()) == (10.0, 0.0)  # Rademacher is exact on a diagonal


@pytest.mark.parametrize("scale", [[0.0, 1, 1, 1], [1.0]])
def test_a_scale_that_cannot_be_meant(scale):
    model, (x, y) = mlp(), batch("mlp")
    with pytest.raises(ValueError, match="positive factor"):
        operator(model, nn.functional.cross_entropy, x, y, scale=scale)
