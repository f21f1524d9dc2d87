"""Curvature along the gradient against the full Hessian."""

from __future__ import annotations

import pytest
from tests.support.probes import dense, probed, spec


def test_curvature_along_the_gradient_against_the_full_hessian():
    run = spec()
    rows = probed(run, "alignment", samples=60, batches=0)
    hessian, gradient, (scale, _, _) = dense(run, 8, 60)
    g = scale.sqrt() * gradient
    hg = scale.sqrt() * (hessian @ (scale.sqrt() * g))
    assert rows["directional_sharpness"][-1] == pytest.approx(float(g @ hg / (g @ g)), rel=1e-3)
    cosine = float(g @ hg / (g.norm() * hg.norm()))
    assert rows["alignment"][-1] == pytest.approx(cosine, rel=1e-3)
    top = probed(run, "hessian", samples=60)["scaled_sharpness"][-1]
    assert rows["directional_sharpness"][-1] <= top * 1.01


def test_batch_sharpness_of_the_whole_set_is_the_directional_one():
    run = spec(batch_size=200)
    rows = probed(run, "alignment", samples=200)
    assert rows["batch_sharpness"] == pytest.approx(rows["directional_sharpness"], rel=1e-4)
    assert rows["batch_edge"] == pytest.approx([0.3 * b for b in rows["batch_sharpness"]])
    assert rows["error"] == [0.0, 0.0, 0.0]
