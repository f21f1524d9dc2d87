"""A trial pass counts operations, and compares outputs of networks of users."""

from __future__ import annotations

import pytest
import torch
from tests.support.networks import drawn, images, spec
from torch.nn import functional as F

from hypertransfer.data.samples import Samples
from hypertransfer.networks.layers import Linear
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.training import trial
from hypertransfer.training.losses import LOSSES
from hypertransfer.training.trial import flops_of_run, step_flops


class Counted(Linear):
    """A linear map that notes its passes on the class, which copies have in common."""

    passes = 0

    def forward(self, x):
        type(self).passes += 1
        return super().forward(x)


@pytest.mark.parametrize(("of_user", "passes"), [(True, 2), (False, 1)])
def test_outputs_are_computed_again_on_request_only(monkeypatch, of_user, passes):
    monkeypatch.setattr(Counted, "passes", 0)
    x, y = torch.randn(4, 3), torch.zeros(4, dtype=torch.int64)
    data = Samples(x, y, x, y, 5)
    flops = step_flops(
        Counted(3, 5, role=Role.INPUT, bias=True), data, F.cross_entropy, 2, of_user=of_user
    )
    assert Counted.passes == passes
    # Two operations for each of 2 · 3 · 5 products; forward, and gradients of the weight alone.
    assert flops == 2 * 2 * (2 * 3 * 5)


def flops(run):
    """The operations of a run, and those of its network as they are counted without the others."""
    network, _ = drawn(run)
    alone = step_flops(
        network, images("fashion_mnist"), LOSSES[run.loss], run.batch_size, of_user=False
    )
    return flops_of_run(run, network, images("fashion_mnist"), LOSSES[run.loss], 1.0), alone


def test_operations_of_networks_that_compute_alike_are_counted_once(monkeypatch):
    monkeypatch.setattr(trial, "_counts", {})
    first, alone = flops(spec("residual_mlp", lr=0.1, seed=0))
    assert first == alone
    monkeypatch.setattr(trial, "step_flops", lambda *_, **__: pytest.fail("counted again"))
    network, _ = drawn(spec("residual_mlp", lr=0.3, seed=1))
    again = spec("residual_mlp", lr=0.3, seed=1)
    assert flops_of_run(again, network, images("fashion_mnist"), F.cross_entropy, 1.0) == first


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 16},
        {"depth": 3},
        {"batch_size": 2},
        {"options": {"layers_per_block": 1}},
        {"trained": "readout"},
    ],
)
def test_other_networks_and_batches_are_counted_anew(changes):
    flops(spec("residual_mlp"))
    found, alone = flops(spec("residual_mlp", **changes))
    assert found == alone != flops(spec("residual_mlp"))[0]


@pytest.mark.parametrize(("experts", "counts"), [(0, 1), (4, 2)])
def test_decoders_with_experts_are_counted_for_every_run(monkeypatch, experts, counts):
    counted = []
    monkeypatch.setattr(trial, "_counts", {})
    monkeypatch.setattr(trial, "step_flops", lambda *_, **__: counted.append(1) or 7)
    model = {"name": "llama", "experts": experts, **({"top_k": 2} if experts else {})}
    runs = [spec("llama", options=model, data="state_of_the_union", seed=seed) for seed in (0, 1)]
    network, data = Linear(3, 5, role=Role.INPUT, bias=True), images("fashion_mnist")
    assert [flops_of_run(run, network, data, F.cross_entropy, 1.0) for run in runs] == [7, 7]
    assert len(counted) == counts
