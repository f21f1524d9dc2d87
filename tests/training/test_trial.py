"""A trial pass counts operations, and compares outputs of networks of users."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hypertransfer.data.samples import Samples
from hypertransfer.networks.layers import Linear
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.training.trial import step_flops


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
