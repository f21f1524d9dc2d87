"""A table on a network as its author wrote it trains as the library's own network does."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from tests.support import foreign
from tests.support.networks import spec
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hypertransfer.catalogue import dataset_options, lookup
from hypertransfer.data.samples import Samples
from hypertransfer.networks.adopted import scaling
from hypertransfer.networks.adopted.inferred import Inference
from hypertransfer.networks.adopted.recipe import Recipe
from hypertransfer.networks.adopted.roles import infer
from hypertransfer.networks.layers import Branch, Scaled
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Ratios, Role
from hypertransfer.parameterisation.tables import PARAMETERISATIONS
from hypertransfer.runs.ratios import ratios
from hypertransfer.training import build

STEPS = 6
TEXT = "state_of_the_union"
OWN = [
    ("residual_mlp", {"layers_per_block": 2, "bias": True}, "fashion_mnist"),
    ("conv", {}, "fashion_mnist"),
    ("gpt", {}, TEXT),
    ("gpt", {"tied": True}, TEXT),
    ("llama", {"kv_heads": 2}, TEXT),
    ("llama", {"experts": 4, "top_k": 2}, TEXT),
]


def own_run(model, options, data, table, optimizer):
    """A run at twice the width and depth of its base, whose table scales everything."""
    width = 32 if data == TEXT else 8
    deeper = 1 if model == "conv" else 2
    run = spec(
        model, width=2 * width, depth=deeper, data=data, options=options, parameterisation=table,
        optimizer=optimizer, lr=0.01, weight_decay=0.1,
    )  # fmt: skip
    return replace(run, base=replace(run.base, width=width, depth=1))


def losses(network, optimizer, data):
    """The losses of a few steps of training."""
    found = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        logits = network(data.train_x)
        loss = F.cross_entropy(logits.flatten(0, -2), data.train_y.flatten())
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize(
    ("table", "optimizer", "make"),
    [
        ("completed_p", "adamw", torch.optim.AdamW),
        ("mup", "sgd", torch.optim.SGD),
        ("sp", "adamw", torch.optim.AdamW),
    ],
)
@pytest.mark.parametrize(("model", "options", "name"), OWN, ids=str)
def test_training_is_that_of_our_own_network(model, options, name, table, optimizer, make):
    """Ours has multipliers in its layers; the other has them folded into values and rates."""
    run = own_run(model, options, name, table, optimizer)
    rules = lookup.table(run)
    if options.get("tied") and not rules.ties:
        pytest.skip("this table does not tie")
    shapes = dataset_options.shape(name, run.data.options)
    generator = torch.Generator().manual_seed(0)
    if name == TEXT:
        x = torch.randint(shapes[1], (4, *shapes[0]), generator=generator)
        data = Samples(x, x, x, x, shapes[1])
    else:
        x = torch.randn(4, *shapes[0], generator=generator)
        y = torch.arange(4) % shapes[1]
        data = Samples(x, y, x, y, shapes[1])
    ours, rows = build.drawn_model(run, data, rules)

    def builder(width, depth):
        shape = replace(run.shape, width=width, depth=depth)
        return build.model(replace(run, shape=shape), *shapes)

    theirs = builder(run.shape.width, run.shape.depth)
    theirs.load_state_dict(ours.state_dict())
    with torch.no_grad():
        multipliers = {
            id(module.weight): module.multiplier
            for module in reversed(list(ours.modules()))
            if isinstance(module, Scaled)
        }
        for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            other.mul_(multipliers.get(id(own), 1.0))
    for module in theirs.modules():
        assert getattr(module, "multiplier", 1.0) == 1.0
    at_base = infer(builder, run.base.width, run.shape.depth, [data.train_x[:2]])
    found = scaling.of_network(at_base, theirs)
    scaled = scaling.scaling(found, rules, ratios(run))
    scaling.apply(theirs, found, scaled, {})
    start = build.base(run)
    values = {"lr": run.lr, "weight_decay": run.weight_decay}
    values |= {"eps": start.eps or 1e-8, "betas": start.betas} if optimizer == "adamw" else {}
    their_groups = scaled.groups(theirs, **values)
    our_groups = build.groups(ours, [row for row in rows if row.lr > 0])
    known = {"params", *values}
    our_groups = [{k: v for k, v in group.items() if k in known} for group in our_groups]
    expected = losses(ours, make(our_groups), data)
    assert losses(theirs, make(their_groups), data) == pytest.approx(expected, rel=2e-4)
    assert expected[-1] != pytest.approx(expected[0], rel=1e-3)
    assert any(isinstance(module, Branch) for module in ours.modules()) == bool(found.branches)


def adopted(make, inputs, width, depth, table, *, base=(32, 1)):
    """A network of another author at a width and depth, with a table applied."""
    torch.manual_seed(0)
    recipe = Recipe(make, *base, table, inputs=inputs)
    return recipe.make(width, depth)


COMPLETED, MUP, SP = (PARAMETERISATIONS[name][0.0] for name in ("completed_p", "mup", "sp"))


def test_initial_deviations_are_those_of_the_base_times_the_table():
    """Torch's own matrices are 1/√fan_in, and its embeddings 1, at every width."""
    torch.manual_seed(0)
    plain = dict(foreign.Transformer(128, 2).named_parameters())
    network, scaled = adopted(foreign.Transformer, foreign.TOKENS, 128, 2, COMPLETED)
    for one in scaled.factors:
        ends = ("qkv.weight", "proj.weight", ".0.weight", ".2.weight", "head.weight")
        own = 1 / 2 if one.name.endswith(ends) else 1
        now = network.get_parameter(one.name)
        expected = plain[one.name] * one.init_std / own
        assert torch.allclose(now, expected, rtol=1e-5), one.name
    by_name = {one.name: one for one in scaled.factors}
    assert by_name["blocks.1.attn.qkv.weight"].init_std == pytest.approx(1 / 2)
    assert by_name["token.weight"].init_std == 1.0
    assert by_name["head.weight"].init_std == pytest.approx(1 / 4)
    assert by_name["norm.weight"].init_std == 1.0
    assert by_name["blocks.1.attn.qkv.weight"].lr == pytest.approx(1 / 4)
    assert torch.equal(network.norm.weight, torch.ones(128))


def test_at_the_base_nothing_changes():
    torch.manual_seed(0)
    plain = foreign.Transformer(32, 1)
    network, scaled = adopted(foreign.Transformer, foreign.TOKENS, 32, 1, COMPLETED)
    assert all(one.init_std == one.lr == one.weight_decay == one.eps == 1 for one in scaled.factors)
    assert not any(module._forward_hooks for module in network.modules())
    tokens = torch.arange(8)[None]
    assert torch.equal(network.eval()(tokens), plain.eval()(tokens))


def test_hooks_scale_the_ends_of_branches_once():
    network, scaled = adopted(foreign.Transformer, foreign.TOKENS, 32, 4, COMPLETED)
    assert scaled.residual == pytest.approx(1 / 4)
    ends = [module for module in network.modules() if module._forward_hooks]
    assert ends == [part for b in network.blocks for part in (b.attn.proj, b.mlp[2])]
    x = torch.randn(2, 8, 32)
    end = network.blocks[0].attn.proj
    assert torch.equal(end(x), F.linear(x, end.weight, end.bias) * scaled.residual)


def test_a_tied_readout_has_a_hook_on_its_inputs():
    network, scaled = adopted(foreign.tied, foreign.TOKENS, 128, 1, MUP)
    assert scaled.readout == pytest.approx(1 / 4)
    assert [module for module in network.modules() if module._forward_pre_hooks] == [network.head]
    assert len(scaled.factors) == len(list(network.parameters()))


class Functional(foreign.Transformer):
    """A tied readout that is computed in no module of its own."""

    def forward(self, tokens):
        x = self.token(tokens) + self.position[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.token.weight)


def test_a_tied_readout_without_a_module_is_refused():
    inference = infer(partial(Functional, tied=True), 32, 1, [foreign.TOKENS])
    assert "tied readout is computed in no module" in inference.faults[0]
    with pytest.raises(RoleError, match="in no module of its own"):
        adopted(partial(Functional, tied=True), foreign.TOKENS, 128, 1, MUP)


def test_a_table_that_does_not_tie_is_refused():
    with pytest.raises(RoleError, match="do not tie them"):
        adopted(foreign.tied, foreign.TOKENS, 128, 1, SP)


def test_groups_have_what_torch_needs_and_schedules_scale_them_alike():
    network, scaled = adopted(foreign.Transformer, foreign.TOKENS, 128, 2, COMPLETED)
    groups = scaled.groups(network, lr=0.1, weight_decay=0.2, eps=1e-8, betas=(0.9, 0.95))
    optimizer = torch.optim.AdamW(groups)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(
        list(network.parameters())
    )
    before = [group["lr"] for group in optimizer.param_groups]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    optimizer.step()
    schedule.step()
    after = [group["lr"] for group in optimizer.param_groups]
    assert after == pytest.approx([lr / 2 for lr in before])
    assert len(set(before)) > 1


def test_the_inference_is_of_networks_of_one_depth():
    found = infer(foreign.ResNet, 8, 4, [foreign.IMAGES])
    assert found.stacks == ("layer1", "layer2")
    deeper = scaling.of_network(found, foreign.ResNet(16, 4))
    roles = {one.name: one.role for one in deeper.parameters}
    assert roles["layer1.3.conv2.weight"] is Role.HIDDEN
    assert len(deeper.branches) == 8
    with pytest.raises(RoleError, match=r"other parameters than its builder makes: layer1\.2"):
        scaling.of_network(found, foreign.ResNet(16, 2))


def test_state_dict_copy_and_compile_keep_the_network(tmp_path):
    network, scaled = adopted(foreign.Transformer, foreign.TOKENS, 64, 2, COMPLETED)
    network.eval()
    tokens = torch.arange(8)[None]
    expected = network(tokens)
    assert network.state_dict().keys() == foreign.Transformer(64, 2).state_dict().keys()
    assert torch.equal(copy.deepcopy(network)(tokens), expected)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    again = foreign.Transformer(64, 2)
    Recipe(foreign.Transformer, 32, 1, inputs=foreign.TOKENS).apply(again, 64, 2)
    again.load_state_dict(torch.load(tmp_path / "weights.pt"))
    assert torch.equal(again.eval()(tokens), expected)
    compiled = torch.compile(network, backend="eager")
    assert torch.allclose(compiled(tokens), expected, rtol=1e-5)
    wrapped = scaled.groups(compiled, lr=0.1)
    assert math.isclose(
        sum(len(group["params"]) for group in wrapped), len(list(network.parameters()))
    )


def test_activations_that_are_computed_again_give_the_same_gradients():
    network, _ = adopted(foreign.Transformer, foreign.TOKENS, 64, 2, COMPLETED)
    tokens = torch.arange(8)[None]
    network.eval()  # without dropout
    gradients = []
    for again in (False, True):
        if again:
            for block in network.blocks:
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)
        network.zero_grad()
        network(tokens).square().mean().backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    for before, after in zip(*gradients, strict=True):
        assert torch.equal(before, after)


def test_a_table_is_applied_once():
    network, _ = adopted(foreign.Transformer, foreign.TOKENS, 64, 2, COMPLETED)
    recipe = Recipe(foreign.Transformer, 32, 1, inputs=foreign.TOKENS)
    with pytest.raises(RoleError, match="has been applied to this network before"):
        recipe.apply(copy.deepcopy(network), 64, 2)


def test_a_network_of_another_size_is_refused():
    recipe = Recipe(foreign.Transformer, 32, 1, inputs=foreign.TOKENS)
    with pytest.raises(RoleError, match=r"is not of width 64 and depth 1: .* has the shape"):
        recipe.apply(foreign.Transformer(128, 1), 64, 1)


def test_parameters_that_are_trained_only_later_are_refused():
    network, scaled = adopted(foreign.Transformer, foreign.TOKENS, 64, 1, COMPLETED)
    network.extra = torch.nn.Linear(3, 3)
    with pytest.raises(RoleError, match=r"extra\.bias is trained here, and was not"):
        scaled.groups(network, lr=0.1)


def test_constants_and_vectors_keep_the_values_of_the_builder():
    class Constant(foreign.Transformer):
        def __init__(self, width, depth):
            super().__init__(width, depth)
            torch.nn.init.constant_(self.norm.weight, 0.1)
            torch.nn.init.zeros_(self.head.weight)
            torch.nn.init.normal_(self.norm.bias, 1.0, 0.5)

    torch.manual_seed(0)
    plain = Constant(128, 1)
    network, _ = adopted(Constant, foreign.TOKENS, 128, 1, COMPLETED)
    for name in ("norm.weight", "norm.bias", "head.weight"):
        assert torch.equal(network.get_parameter(name), plain.get_parameter(name)), name


def test_depth_in_a_list_of_layers_whose_readout_has_another_number():
    """The readout of a perceptron of depth 2 is a hidden matrix of one of depth 4."""
    recipe = Recipe(foreign.perceptron, 32, 2, MUP)
    for depth in (1, 2, 4):
        _, scaled = recipe.make(128, depth)
        vectors = (Role.VECTOR, Role.READOUT_BIAS)
        *hidden, readout = (one for one in scaled.factors if one.role not in vectors)
        assert readout.role is Role.OUTPUT
        assert readout.lr == pytest.approx(1 / 4)
        assert [one.lr for one in hidden[1:]] == pytest.approx([1 / 4] * depth)


def test_faults_are_warned_of_and_refused_where_they_count():
    class Half(foreign.BasicBlock):
        def forward(self, x):
            return x + 0.5 * self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))

    class Halves(foreign.ResNet):
        def __init__(self, width, depth):
            super().__init__(width, depth)
            self.layer1 = torch.nn.Sequential(*(Half(width, width) for _ in range(depth)))

    with pytest.warns(UserWarning, match="does not end with the first output of a module"):
        recipe = Recipe(Halves, 8, 1, COMPLETED, inputs=foreign.IMAGES)
    recipe.make(16, 1)
    with pytest.raises(RoleError, match="does not end with the first output of a module"):
        recipe.make(16, 2)


@pytest.mark.parametrize(
    ("residual", "readout", "refused"),
    [
        (1, 1, ()),
        (0.5, 1, ("branch",)),
        (1, 0.25, ("readout",)),
        (0.5, 0.25, ("branch", "readout")),
    ],
)
def test_a_fault_counts_where_the_table_scales_what_is_at_fault(residual, readout, refused):
    found = Inference((), (8, 16), (1, 2), branch_faults=("branch",), readout_faults=("readout",))
    assert found.faults == ("branch", "readout")
    factors = SimpleNamespace(residual=residual, readout=readout)
    assert scaling.refused(found, factors) == refused


@pytest.mark.parametrize(("width", "depth"), [(2.0, 1.0), (4.0, 3.0), (1.5, 2.0)])
@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (-0.5, 0.0), (-0.5, -0.5), (-1.0, 0.0)])
def test_how_a_builder_scales_its_values_is_found_from_the_draws(width, depth, a, b):
    generator = torch.Generator().manual_seed(0)
    true = width**a * depth**b
    entries = 64 * 64
    for _ in range(20):
        base = scaling.Drawn(float(torch.randn(entries, generator=generator).std()), entries)
        now = true * float(torch.randn(entries, generator=generator).std())
        found = scaling._own_change(base, scaling.Drawn(now, entries), Ratios(width, depth))
        assert found == pytest.approx(true, rel=0.08)
