"""Training steps of the user: `loss: module:function` of the model and a batch."""

from __future__ import annotations

import math

import pytest
import torch
from tests.support.probes import measured, probed
from tests.training.conftest import offered
from tests.training.test_adopted import HF, deep, gpt2, plain, tokens

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue.cards import probes
from hypertransfer.networks.layers import Embedding, Linear
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.training import losses
from hypertransfer.training.loop import train

STEPS = 6
PROBES_OF_THE_LOSS = ["hessian", "trace", "density", "alignment", "gradient_noise", "memory"]


def by_hand(model, batch):
    """What the library does with the loss `plain`."""
    x, y = batch
    return plain(model(x), y)


def with_labels(model, batch):
    """GPT-2 of Hugging Face computes its loss itself, from labels that it shifts."""
    x, _ = batch
    return model(input_ids=x, labels=x).loss


def shifted(output, target):
    return torch.nn.functional.cross_entropy(output[:, :-1].flatten(0, 1), target[:, :-1].flatten())


def next_tokens():
    found = tokens()
    for x, y in ((found.train_x, found.train_y), (found.test_x, found.test_y)):
        y[:, :-1] = x[:, 1:]
    return found


def shifting(model, batch):
    x, y = batch
    x += 1
    y[:] = 0
    return x.sum() + y.sum()


def backward(model, batch):
    loss = by_hand(model, batch)
    loss.backward(retain_graph=True)
    return loss


def vector(model, batch):
    return by_hand(model, batch)[None]


def item(model, batch):
    loss = by_hand(model, batch)
    return loss if model.training else loss.item()


@torch.no_grad()
def _shrunk(model):
    for parameter in model.parameters():
        parameter.mul_(0.99)


def updates(model, batch):
    _shrunk(model)
    return by_hand(model, batch)


def forgetful(model, batch):
    loss = by_hand(model, batch)
    loss.backward(retain_graph=True)
    model.zero_grad()
    return loss


def to_train(model, batch):
    model.train()
    return by_hand(model, batch)


def masked(model, batch):
    x, _ = batch
    return model(x * (torch.rand_like(x) > 0.5)).square().mean()


def tied(width, depth, input_shape, classes):
    return Tied(width, depth, classes)


class Tied(torch.nn.Module):
    """Its readout is the embedding's weight, without the table's multiplier."""

    def __init__(self, width, depth, classes):
        super().__init__()
        self.embedding = Embedding(classes, width)
        layers = (Linear(width, width, role=Role.HIDDEN) for _ in range(depth))
        self.hidden = torch.nn.Sequential(*layers)

    def forward(self, tokens):
        return self.hidden(self.embedding(tokens)) @ self.embedding.weight.T


def failing(model, batch):
    return model(batch["tokens"])


def of_numbers(model, batch):
    return 0.5


STEPS_OF_THE_USER = (
    by_hand,
    with_labels,
    failing,
    of_numbers,
    backward,
    vector,
    item,
    to_train,
    updates,
    forgetful,
)
PARTS = *STEPS_OF_THE_USER, shifted, deep, gpt2, tied, plain, tokens, next_tokens


@pytest.fixture(autouse=True)
def steps(monkeypatch, tmp_path):
    """The parts above, as `steps:<name>`."""
    parts = {part.__name__: part for part in PARTS}
    yield from offered(monkeypatch, tmp_path, "steps", parts)


def spec(loss, build="deep", data="tokens", adopt=None, **values):
    return complete.run_spec(
        {
            "model": {"name": f"steps:{build}", "adopt": adopt or {}}, "data": f"steps:{data}",
            "base": {"width": 16, "depth": 1}, "shape": {"width": 32, "depth": 2},
            "parameterisation": "completep", "optimizer": "adamw", "lr": 0.01, "batch_size": 8,
            "steps": STEPS, "seed": 5, "log_every": 1, "eval_every": 3, "checkpoints": [0, STEPS],
            "loss": f"steps:{loss}", **values,
        }
    )  # fmt: skip


def run(of):
    return train(of, lookup.table(of))


def test_a_step_of_the_loss_is_the_loss():
    ours, theirs = run(spec("by_hand")), run(spec("plain"))
    assert ours.history.train_loss == theirs.history.train_loss
    assert ours.history.eval_loss == theirs.history.eval_loss
    assert ours.flops == theirs.flops
    for name, weight in ours.checkpoints[STEPS].items():
        assert torch.equal(weight, theirs.checkpoints[STEPS][name]), name
    evaluated = [value for value in ours.history.eval_accuracy if not math.isnan(value)]
    assert evaluated == [0.0] * 3


def test_a_network_that_computes_its_own_loss():
    ours = run(spec("with_labels", "gpt2", "next_tokens", HF))
    theirs = run(spec("shifted", "gpt2", "next_tokens", HF))
    assert ours.history.train_loss == pytest.approx(theirs.history.train_loss, rel=1e-5)
    assert ours.history.eval_loss[-1] == pytest.approx(theirs.history.eval_loss[-1], rel=1e-5)


def test_a_step_may_change_its_batch():
    data = tokens()
    losses.outputs(losses.of_user(shifting), torch.nn.Identity(), data.train_x, data.train_y)
    assert torch.equal(data.train_x, tokens().train_x)
    assert torch.equal(data.train_y, tokens().train_y)


@pytest.mark.parametrize("name", PROBES_OF_THE_LOSS)
def test_probes_of_the_loss_take_a_step(name):
    settings = {"samples": 32} | ({"batches": 4} if name == "gradient_noise" else {})
    rows = [probed(spec(loss), name, **settings) for loss in ("by_hand", "plain")]
    for column in probes.PROBES[name].columns:
        assert rows[0][column] == rows[1][column], column


@pytest.mark.parametrize("name", ["gauss_newton", "ntk"])
def test_probes_of_outputs_refuse_a_step(name):
    with pytest.raises(ValueError, match=f"the probe {name} computes with the loss of outputs"):
        measured(spec("by_hand"), name, {0: {}})


def test_an_optimizer_that_evaluates_the_loss_refuses_a_step():
    sophia = {"name": "sophia", "estimator": "hutchinson"}
    with pytest.raises(
        ValueError, match=r"Sophia computes with the loss .* the training step by_h"
    ):
        run(spec("by_hand", optimizer=sophia))


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("backward", "the training step backward has computed the gradient of .*: return the loss"),
        ("vector", r"the training step vector returns a tensor of shape \(1,\) and dtype torch.fl"),
        ("item", "the training step item returns a float: it must return the mean"),
        (
            "updates",
            "the training step updates changes position of the network: leave updates to the w",
        ),
        (
            "forgetful",
            "step forgetful .*in an evaluation, .* leave backward.. and updates to the w",
        ),
        ("to_train", r"the training step to_train calls train\(\) or eval\(\) of the network"),
    ],
)
def test_what_a_step_must_leave_to_the_workflow(step, text):
    with pytest.raises(ValueError, match=text):
        run(spec(step))


def test_random_draws_of_a_step_are_the_same_in_each_evaluation():
    torch.manual_seed(0)
    network, x = torch.nn.Linear(8, 8), torch.ones(4, 8)
    step = losses.of_user(masked)
    network.eval()
    first = losses.outputs(step, network, x, x)
    torch.rand(3)
    assert torch.equal(losses.outputs(step, network, x, x), first)
    network.train()
    assert not torch.equal(losses.outputs(step, network, x, x), first)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_readout_beside_its_layer_is_found_under_a_step(optimizer):
    table = "mup_muon" if optimizer == "muon" else "mup"
    values = {"model": {"name": "steps:tied"}, "parameterisation": table, "optimizer": optimizer}
    with pytest.raises(RoleError, match=r"computes with embedding\.weight outside the layer"):
        run(spec("by_hand", **values))


def test_a_probe_that_takes_the_loss_of_outputs_is_told():
    step = losses.of_user(by_hand)
    with pytest.raises(ValueError, match=r"training step by_hand .* calls view\.mean_loss"):
        step(torch.zeros(3, 2), torch.zeros(3))


def test_what_is_wrong_with_a_step():
    expected = r"the training step failing fails on a batch of inputs of shape \(8, 8\) .*TypeError"
    with pytest.raises(ValueError, match=expected):
        run(spec("failing"))
    with pytest.raises(ValueError, match="the training step of_numbers returns a float: it must"):
        run(spec("of_numbers"))


def test_a_step_is_known_by_its_first_parameter():
    def on(batch, model):
        return None

    class Step:
        def __call__(self, model, batch):
            return None

    assert losses.of_user(on) is on
    assert isinstance(losses.of_user(Step()), losses.TrainingStep)
    assert isinstance(losses.of_user(lambda model, batch: None), losses.TrainingStep)
    assert losses.of_user(torch.nn.functional.cross_entropy) is torch.nn.functional.cross_entropy
