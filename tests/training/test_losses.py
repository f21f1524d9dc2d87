"""Loss functions in closed form."""

from __future__ import annotations

import pytest
import torch

from hypertransfer.training import losses as training_losses

LIBRARY = training_losses.mse


def test_mse_is_the_mean_over_samples_and_classes():
    output = torch.tensor([[1.0, 2.0, 0.0], [0.5, 0.0, 0.0]])
    loss = training_losses.mse(output, torch.tensor([1, 2]))
    assert loss.item() == pytest.approx((1 + 1 + 0 + 0.25 + 0 + 1) / 6)


@pytest.mark.parametrize("target", [torch.zeros(4, dtype=torch.int64), torch.zeros(4, 3).long()])
def test_outputs_have_the_shape_of_targets_and_classes(target):
    training_losses.check_output("Net", LIBRARY, torch.zeros(*target.shape, 5), target, 5)
    for shape in [(5,), (*target.shape, 4), (*target.shape, 1, 5), target.shape, ()]:
        with pytest.raises(ValueError, match="the network Net returns outputs of shape"):
            training_losses.check_output("Net", LIBRARY, torch.zeros(shape), target, 5)


def test_outputs_are_numbers():
    target = torch.zeros(4)
    training_losses.check_output("Net", LIBRARY, torch.zeros(4, 1), target, 1)
    with pytest.raises(ValueError, match=r"returns outputs of dtype torch\.int64"):
        training_losses.check_output("Net", LIBRARY, torch.zeros(4, 1).long(), target, 1)
    with pytest.raises(ValueError, match=r"returns a NoneType; .*shape "):
        training_losses.check_output("Net", LIBRARY, None, target, 1)


def test_outputs_of_a_loss_of_the_user_may_have_any_shape():
    target = torch.zeros(4)
    training_losses.check_output("Net", nothing, torch.zeros(4, 3, 2), target, 1)
    with pytest.raises(ValueError, match=r"returns a NoneType; .* return a tensor of floats$"):
        training_losses.check_output("Net", nothing, None, target, 1)


def nothing(output, target):
    return None


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (None, "the loss nothing returns a NoneType: it must return the mean"),
        (torch.zeros(3, requires_grad=True), r"a tensor of shape \(3,\) and dtype torch.float32"),
        (torch.tensor(1.0), "a number that does not depend on the parameters"),
    ],
)
def test_what_a_loss_of_the_user_cannot_return(loss, text):
    with pytest.raises(ValueError, match=text):
        training_losses.check_loss(nothing, loss)
    training_losses.check_loss(nothing, torch.zeros((), requires_grad=True))
