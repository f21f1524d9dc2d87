"""Distances of features and kernels from initialisation."""

from __future__ import annotations

from tests.support.probes import probed, spec


def test_features_start_at_no_distance_and_random_features_stay_there():
    rows = probed(spec(), "features", samples=60)
    assert rows["feature_distance"][0] == rows["weight_distance"][0] == 0
    assert rows["feature_distance"][-1] > 0.01
    assert 0 < rows["kernel_distance"][-1] < 1
    frozen = probed(spec(trained="readout"), "features", samples=60)
    assert frozen["feature_distance"] == [0, 0, 0]
    assert frozen["weight_distance"][-1] > 0
