"""All networks: roles by growth with the width, branches, copies, and shapes of outputs."""

import copy
from dataclasses import replace

import pytest
import torch
from tests.support.networks import (
    IMAGE_MODELS,
    LEAST_DEPTH,
    MODELS,
    PAIRS,
    drawn,
    every_model,
    every_pair,
    growth,
    growth_of_roles,
    images,
    spec,
)

from hypertransfer.catalogue import lookup
from hypertransfer.networks.layers import Branch
from hypertransfer.networks.resolve import resolve
from hypertransfer.networks.tagged import named_roles
from hypertransfer.runs.ratios import ratios
from hypertransfer.training import build


def test_every_registered_model_is_tested_and_usable_somewhere():
    assert set(MODELS) == set(IMAGE_MODELS) == {model for model, _ in PAIRS}
    assert ("conv", "digits") not in PAIRS
    assert ("residual_conv", "digits") not in PAIRS
    assert ("residual_mlp", "digits") in PAIRS


@every_pair
def test_roles_are_how_each_parameter_grows_with_width(model, data):
    narrow, wide = (drawn(spec(model, width=width, data=data), data)[1] for width in (8, 16))
    assert growth(narrow, wide) == growth_of_roles(narrow)
    assert {"input", "output"} <= {row.role for row in narrow}


@pytest.mark.parametrize("model", ["residual_conv", "residual_mlp", "vit"])
def test_branches_hold_the_blocks_and_nothing_else(model):
    network, _ = drawn(spec(model))
    inside = {tagged.name for tagged in named_roles(network) if tagged.in_branch}
    assert inside == {name for name, _ in network.named_parameters() if ".layers." in name}
    assert not any(n.startswith(("input", "between", "readout", "token", "norm")) for n in inside)
    assert inside


@every_model
@pytest.mark.parametrize("table", ["mup", "depth_mup"])
def test_rows_at_the_base_width_are_those_of_the_roles(model, table):
    """All ratios but the depth's are 1, whichever dimensions of a parameter grow."""
    run = spec(model, width=4, parameterisation=table)
    run = replace(run, shape=replace(run.shape, depth=2 * run.base.depth))
    network, rows = drawn(run)
    alone = resolve(network, lookup.table(run), ratios(run), build.base(run))
    assert [replace(row, scaled_as=row.role) for row in rows] == alone


@every_model
def test_deep_copies_keep_roles_multipliers_and_outputs(model):
    run = spec(model, width=16, parameterisation="depth_mup")
    network, rows = drawn(run)
    copied = copy.deepcopy(network)
    x = images("fashion_mnist").train_x
    shapes = tuple(x.shape[1:]), images("fashion_mnist").classes
    assert build.scheme(run, copied, lookup.table(run), shapes).rows == rows
    assert torch.equal(copied(x), network(x))


@every_pair
def test_outputs_have_one_logit_for_each_class(model, data):
    network, _ = drawn(spec(model, data=data), data)
    x = images(data).train_x
    output = network(x)
    assert output.shape == (4, 10)
    assert output.isfinite().all()
    assert not torch.allclose(output[0], output[1])
    torch.testing.assert_close(network(x[:1]), output[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", ["residual_conv", "residual_mlp", "vit"])
def test_the_residual_multiplier_follows_depth_in_every_branch(model):
    base = LEAST_DEPTH.get(model, 1)
    deep = 4 * base
    shapes = {"base": {"width": 4, "depth": base}, "shape": {"width": 4, "depth": deep}}
    for name, expected in (("depth_mup", 0.5), ("mup", 1.0)):
        network, _ = drawn(spec(model, parameterisation=name, **shapes))
        branches = [m.multiplier for m in network.modules() if isinstance(m, Branch)]
        assert branches == pytest.approx([expected] * deep)
