"""Random samples of any shape."""

import torch

from hypertransfer.data.made_up import load
from hypertransfer.training.data_checks import check


def test_tokens_classes_and_numbers_have_the_shapes_asked_for():
    text = load(inputs=[8], targets=[8], classes=50, vocabulary=40, train=6, test=2)
    assert (text.train_x.shape, text.train_y.shape, text.test_y.shape) == ((6, 8), (6, 8), (2, 8))
    assert text.train_x.max() < 40
    assert text.train_x.dtype == text.train_y.dtype == torch.int64
    images = load(inputs=[3, 4, 4], targets=[], classes=5)
    assert images.train_x.dtype == torch.float32
    assert set(images.train_y.tolist()) == set(range(5))
    numbers = load(inputs=[3], targets=[], classes=1)
    assert numbers.train_y.dtype == torch.float32
    for one in (images, numbers):
        check("made up", one)


def test_equal_arguments_give_equal_samples():
    one, other = (load(inputs=[3], targets=[], classes=2) for _ in range(2))
    assert torch.equal(one.train_x, other.train_x)
    assert not torch.equal(one.train_x[:16], one.test_x)
