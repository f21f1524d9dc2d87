"""Loss functions in closed form."""

from __future__ import annotations

import pytest
import torch

from hypertransfer.training import losses as training_losses


def test_mse_is_the_mean_over_samples_and_classes():
    output = torch.tensor([[1.0, 2.0, 0.0], [0.5, 0.0, 0.0]])
    loss = training_losses.mse(output, torch.tensor([1, 2]))
    assert loss.item() == pytest.approx((1 + 1 + 0 + 0.25 + 0 + 1) / 6)
