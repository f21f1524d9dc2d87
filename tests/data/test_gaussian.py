"""Gaussian inputs with a linear teacher."""

import torch

from hypertransfer.data import gaussian

torch.set_num_threads(1)


def test_random_data_are_the_same_every_time_with_targets_of_unit_size():
    a, b = gaussian.load(), gaussian.load()
    assert torch.equal(a.train_x, b.train_x)
    assert a.train_x.shape == (64, 1, 1, 20)
    assert a.train_y.is_floating_point()
    assert 0.4 < float(torch.cat([a.train_y, a.test_y]).std()) < 2
