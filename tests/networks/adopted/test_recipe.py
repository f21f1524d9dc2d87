"""A table in a training loop of one's own: the shape of losses over width, and what is refused."""

from __future__ import annotations

import pytest
import torch
from tests.support import foreign
from tests.support.foreign import Transformer
from torch import nn
from torch.nn import functional as F

from hypertransfer.networks.adopted.recipe import Recipe
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.tables import PARAMETERISATIONS


def change_of_logits(table, width, steps=4):
    """The size of the change of the outputs in a few steps of Adam."""
    torch.manual_seed(0)
    network, scaling = Recipe(Transformer, 32, 1, table).make(width, 1)
    network.eval()  # no dropout
    optimizer = torch.optim.Adam(scaling.groups(network, lr=2e-3, eps=1e-12))
    tokens = torch.randint(50, (16, 8), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        first = network(tokens)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(network(tokens).flatten(0, 1), tokens.flatten()).backward()
        optimizer.step()
    with torch.no_grad():
        return float((network(tokens) - first).std())


def test_outputs_change_alike_at_all_widths_under_mup_and_more_and_more_under_sp():
    mup, sp = (
        change_of_logits(table, 512) / change_of_logits(table, 128) for table in ("mup", "sp")
    )
    assert 0.8 < mup < 1.25
    assert sp > 2


def test_a_recipe_names_the_doubtful_parameters():
    class Loose(Transformer):
        def __init__(self, width, depth):
            super().__init__(width, depth)
            self.loose = nn.Linear(width, width)

    with pytest.raises(RoleError, match=r"2 parameters are doubtful: loose\.weight: the output"):
        Recipe(Loose, 32, 1)
    recipe = Recipe(Loose, 32, 1, "mup", roles={"loose.weight": "hidden", "loose.bias": "vector"})
    network, scaled = recipe.make(128, 1)
    (group,) = (g for g in scaled.groups(network, 0.1) if network.loose.weight is g["params"][-1])
    assert group["lr"] == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("table", "family", "message"),
    [
        ("mupp", "adam", "no table 'mupp'; known: sp, ntp, mup"),
        ("mup", "lion", "no family 'lion' of optimizers; known: adam, sgd"),
        ("completed_p", "sgd", "'completed_p' is not for the family 'sgd', but for adam"),
    ],
)
def test_a_table_that_is_not_there_is_an_error(table, family, message):
    with pytest.raises(ValueError, match=message):
        Recipe(Transformer, 32, 1, table, family)


def test_a_table_of_ones_own_and_given_inputs():
    table = PARAMETERISATIONS["mup"][1.0]
    recipe = Recipe(foreign.ResNet, 8, 1, table, inputs=[foreign.IMAGES])
    network, scaling = recipe.make(32, 2)
    assert scaling.ratios.width == 4
    assert network(foreign.IMAGES).shape == (2, foreign.CLASSES)
    assert torch.optim.SGD(scaling.groups(network, lr=0.1))


def test_batch_and_duration_scale_the_betas():
    network, scaling = Recipe(Transformer, 32, 1).make(32, 1, batch=4.0, duration=1.0)
    (group, *_) = scaling.groups(network, lr=0.1, betas=(0.9, 0.99))
    assert group["lr"] == pytest.approx(0.2)
    assert group["betas"] == pytest.approx((0.6, 0.96))


def test_a_training_step_in_two_processes_is_that_of_one(tmp_path):
    """Hooks and groups go through DistributedDataParallel."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1
    )
    try:
        network, scaling = Recipe(Transformer, 32, 1).make(64, 2)
        network.eval()
        wrapped = nn.parallel.DistributedDataParallel(network)
        tokens = torch.arange(8)[None]
        assert torch.equal(wrapped(tokens), network(tokens))
        groups = scaling.groups(wrapped, lr=0.1)
        assert {id(p) for group in groups for p in group["params"]} == set(
            map(id, network.parameters())
        )
    finally:
        torch.distributed.destroy_process_group()
