"""The eigensolver against dense matrices, chosen spectra, and curvlinops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.curvature import (
    CASES,
    LOSSES,
    Matrix,
    batch,
    conv,
    dense_hessian,
    generator,
    mlp,
    operator,
    with_spectrum,
)
from torch import nn

from hypertransfer.curvature import lanczos
from hypertransfer.curvature.lanczos import Eigenpairs, top_eigenvalues
from hypertransfer.curvature.unseen import Unseen


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
    model = nn.Sequential(
        nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 5)
    )
    x, y = torch.randn(64, 20), torch.randint(0, 5, (64,))
    reference = HessianLinearOperator(
        model, nn.CrossEntropyLoss(), list(model.parameters()), [(x, y)], check_deterministic=False
    )
    ours = operator(model, nn.functional.cross_entropy, x, y)
    v = torch.randn(ours.dimension)
    torch.testing.assert_close(ours(v), reference @ v, rtol=1e-4, atol=1e-6)


# Distinct: a Krylov space holds one vector of each eigenspace, so a multiple value is seen once.
spectra = st.lists(st.integers(-1000, 1000), min_size=12, max_size=40, unique=True)


@settings(max_examples=40, deadline=None)
@given(spectra, st.integers(1, 4), st.integers(0, 5))
def test_any_spectrum(values, k: int, seed: int):
    """The largest algebraic eigenvalues, however large the negative ones are."""
    found = top_eigenvalues(
        with_spectrum([v / 100 for v in values], seed), k, tolerance=1e-9, generator=generator(seed)
    )
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
        with_spectrum([-100.0, *np.linspace(-50, 0.5, 60), 1.0]),
        tolerance=1e-6,
        generator=generator(),
    )
    assert float(found.values[0]) == pytest.approx(1.0, rel=1e-5)


class Diagonal(Matrix):
    """A diagonal matrix, of which many products cost little."""

    def __init__(self, values) -> None:
        super().__init__(torch.diag(torch.as_tensor(values, dtype=torch.float64)))
        self.diagonal = self.matrix.diagonal()

    def __call__(self, v: torch.Tensor) -> torch.Tensor:
        self.products += 1
        return self.diagonal.to(v) * v


def test_a_cold_block_misses_none_of_several():
    """The seeds are those of 1,000 whose first block has hardly anything of the fifth."""
    values = [34.6, 16.5, 11.3, 9.3, 7.0, 6.1, 5.2, 4.4, *(4 * np.linspace(1, 0, 1000) ** 3)]
    for seed in (78, 305, 384):
        found = top_eigenvalues(Diagonal(values), 5, generator=generator(seed))
        assert found.values.tolist() == pytest.approx(values[:5], rel=0.01)


def test_a_warm_start_sees_a_crossing(monkeypatch):
    """The block is the old top eigenvectors; a direction orthogonal to them has overtaken them."""
    values = [1.0, 0.9, 1.3, *np.linspace(-0.2, 0.5, 200)]
    matrix = with_spectrum(values)
    known, vectors = torch.linalg.eigh(matrix.matrix)
    block = torch.stack([vectors[:, (known - v).abs().argmin()] for v in (1.0, 0.9)], dim=1)
    old = Eigenpairs(torch.tensor([1.0, 0.9]), block, block, torch.zeros(2), 1, True)
    for seed in range(10):
        found = top_eigenvalues(matrix, 2, start=old, generator=generator(seed))
        assert found.values.tolist() == pytest.approx([1.3, 1.0], rel=0.01)
    monkeypatch.setattr(lanczos, "LEAST_PRODUCTS", 1)
    monkeypatch.setattr(lanczos, "_rivals", lambda *_: torch.arange(0))
    few = [top_eigenvalues(matrix, 2, start=old, generator=generator(seed)) for seed in range(10)]
    assert any(float(found.values[0]) < 1.1 for found in few), "fewer products miss it"


# Largest eigenvalues that a start hides easily: apart from the second, or from a bulk below.
HIDDEN = {
    "one above another": [1.15, 1.0, 0.6, *np.linspace(-0.3, 0.3, 997)],
    "one above a bulk": [1.3, *np.linspace(-0.3, 1.0, 999)],
    "one above a heavy tail": [1.2, *(1 / np.arange(1, 1000) ** 0.5)],
}


def misses(values, starts: int) -> int:
    """Starts whose value is below the largest by more than the stated error."""
    count = 0
    for seed in range(starts):
        found = top_eigenvalues(Diagonal(values), generator=generator(seed))
        true, value = max(values), float(found.values[0])
        count += true - value > float(found.errors[0]) * abs(value) + 1e-9
    return count


@pytest.mark.parametrize("case", HIDDEN)
def test_the_largest_is_missed_less_often_than_the_risk_says(case):
    assert misses(HIDDEN[case], 400) <= 400 * lanczos.RISK


def test_without_the_bound_on_unseen_eigenvalues_some_are_missed(monkeypatch):
    monkeypatch.setattr(lanczos, "RISK", 1.0)
    monkeypatch.setattr(Unseen, "distance", lambda *_: 0.0)
    assert sum(misses(values, 100) for values in HIDDEN.values()) > 3


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
    cold = top_eigenvalues(matrix, 2, tolerance=1e-4, generator=generator())
    warm = top_eigenvalues(matrix, 2, start=cold, tolerance=1e-4, generator=generator(1))
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
    assert (float(zero.values[0]), zero.products, zero.converged) == (0, 1, True)
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
        with_spectrum(list(np.linspace(0, 1, 300))),
        tolerance=1e-9,
        max_products=5,
        generator=generator(),
    )
    assert not found.converged
    assert found.products == 5
    assert float(found.errors[0]) > 1e-9
