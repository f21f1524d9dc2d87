"""The vision transformer: patches, positions, and shapes that are refused."""

import pytest
import torch
from tests.support.networks import (
    drawn,
    images,
    spec,
)
from tests.support.parts import network as network_of

from hypertransfer.catalogue import checks


def test_patches_are_squares_of_the_image_row_by_row():
    network = network_of(
        "vit", width=8, depth=2, input_shape=(2, 4, 6), classes=3, patch=2, heads=2
    )
    x = torch.arange(96.0).reshape(2, 2, 4, 6)
    found = network.patches(x)
    assert found.shape == (2, 6, 8)
    for row in range(2):
        for column in range(3):
            square = x[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            torch.testing.assert_close(found[:, 3 * row + column], square.flatten(1))


def test_a_vision_transformer_knows_where_its_patches_are():
    run = spec("vit", width=16)
    network, _ = drawn(run)
    x = images("fashion_mnist").train_x
    swapped = torch.cat([x[..., 4:8, :], x[..., :4, :], x[..., 8:, :]], dim=-2)
    assert not torch.allclose(network(x), network(swapped))
    with torch.no_grad():
        network.positions.weight.zero_()
    torch.testing.assert_close(network(x), network(swapped), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"depth": 3}, "shape.depth"),
        ({"width": 10}, "shape.width"),
        ({"options": {"patch": 5}}, "model.patch"),
    ],
)
def test_a_vision_transformer_that_cannot_be_is_refused(change, key):
    assert key in [problem.key for problem in checks.objections(spec("vit", **change))]
