"""Optimizer classes of packages: each trains, is kept, probed and resumed bit for bit, or refused.

With `HYPERTRANSFER_LONG=1` all classes are tried, and the table of the documentation is compared.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.support import package_optimizers as support
from tests.support.package_optimizers import (
    KEPT,
    MODELS,
    NAMES,
    STEPS,
    USABLE,
    options_of,
    spec,
    trained,
)
from tests.support.probes import probed
from tests.training.test_state import assert_bit_equal

from hypertransfer.catalogue import checks, lookup, package_source
from hypertransfer.catalogue.cards.package_optimizers import (
    DECOUPLING,
    DECOUPLING_OF,
    GRADIENT_POWERS,
    PACKAGES,
    REFUSED,
)
from hypertransfer.probes.checkpoint import load_weights
from hypertransfer.report.markdown import code, table
from hypertransfer.training import build, data_sets
from hypertransfer.training.evaluation import evaluate
from hypertransfer.training.losses import cross_entropy

LONG = bool(os.environ.get("HYPERTRANSFER_LONG"))
PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration" / "runs.md"
SAMPLE = [  # of what a state may hold
    "torch.optim:ASGD",  # tensors of numbers that follow the step
    "torch.optim:RAdam",
    "pytorch_optimizer:AdaShift",  # a queue
    "pytorch_optimizer:Conda",  # objects of the package
    "pytorch_optimizer:DAdaptSGD",  # numbers of groups
    "pytorch_optimizer:EmoNavi",  # a closure, and state of no parameter
    "pytorch_optimizer:Magma",  # an optimizer within, and a dictionary by id
    "pytorch_optimizer:SOAP",  # lists of tensors
    "pytorch_optimizer:SPlus",  # modes
    "pytorch_optimizer:ScheduleFreeAdamW",  # modes that round
    "pytorch_optimizer:StableSPAM",  # tensors of other shapes
]
MODED = [
    "pytorch_optimizer:SPlus", "pytorch_optimizer:ScheduleFreeAdamW",
    "pytorch_optimizer:ScheduleFreeRAdam", "pytorch_optimizer:ScheduleFreeSGD",
]  # fmt: skip
TRIED = USABLE if LONG else SAMPLE
long = pytest.mark.skipif(not LONG, reason="takes minutes: HYPERTRANSFER_LONG=1")


@pytest.mark.parametrize("name", TRIED)
def test_a_class_trains_and_continues_bit_for_bit(name):
    run = spec(name)
    assert not list(checks.objections(run))
    whole = trained(run)
    assert_bit_equal(support.resumed(run, after=KEPT + 1), whole)
    more = trained(spec(name, log_every=1, eval_every=1))
    assert not support.unequal(support.last_weights(whole), support.last_weights(more)), (
        "evaluating more often changes the run"
    )


@pytest.mark.parametrize("name", TRIED)
def test_a_class_is_kept_and_probed(name):
    assert probed(spec(name), "coordinates", samples=8)["step"] == [0, KEPT, STEPS]


@pytest.mark.parametrize("name", TRIED)
def test_a_class_follows_the_learning_rate(name):
    one, other = (trained(spec(name, lr=lr, checkpoints=[STEPS])) for lr in (0.01, 0.02))
    assert support.unequal(support.last_weights(one), support.last_weights(other))


@pytest.mark.parametrize("name", TRIED if LONG else ["pytorch_optimizer:SOAP"])
@pytest.mark.parametrize("model", [m for m in MODELS if m != "mlp"])
def test_a_class_trains_convolutions_and_experts(name, model):
    run = spec(name, model)
    assert_bit_equal(support.resumed(run, after=KEPT + 1), trained(run))


@long
@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_class_fails(name):
    """It raises an error, or does not follow the run's learning rate."""
    assert REFUSED[name] in "; ".join(map(str, checks.objections(spec(name))))
    try:
        one, other = (trained(spec(name, lr=lr, checkpoints=[STEPS])) for lr in (0.01, 0.02))
    except Exception:
        return
    assert not support.unequal(support.last_weights(one), support.last_weights(other))


@pytest.mark.parametrize("name", [n for n in GRADIENT_POWERS if LONG or n in SAMPLE])
def test_gradient_powers_are_those_of_the_updates(name):
    wanted = [GRADIENT_POWERS[name]] * 2
    assert support.measured_powers(name) == pytest.approx(wanted, abs=0.05)


DECAYING = [  # the default and options of the sample; with HYPERTRANSFER_LONG, of every class
    ("torch.optim:Adam", {}), ("torch.optim:Adam", {"decoupled_weight_decay": True}),
    ("torch.optim:AdamW", {}), ("torch.optim:RAdam", {}), ("torch.optim:RMSprop", {}),
    ("torch.optim:SGD", {}), ("pytorch_optimizer:AdamS", {}), ("pytorch_optimizer:Adan", {}),
    ("pytorch_optimizer:AdaBelief", {}),
    ("pytorch_optimizer:AdaBelief", {"weight_decouple": False}),
    ("pytorch_optimizer:Kron", {}), ("pytorch_optimizer:Magma", {}), ("pytorch_optimizer:MARS", {}),
    ("pytorch_optimizer:Ranger", {}), ("pytorch_optimizer:SPlus", {}),
]  # fmt: skip


def with_and_without_decoupling():
    for name in USABLE:
        yield name, {}
        signature = package_source.signature(*name.split(":"))
        named = {o: v for o, v in DECOUPLING.items() if o in signature.options}
        if options := DECOUPLING_OF.get(name, {}) | named:
            yield name, options


@pytest.mark.parametrize(
    ("name", "options"), list(with_and_without_decoupling()) if LONG else DECAYING
)
def test_only_a_decoupled_weight_decay_is_planned(name, options):
    run = spec(name, weight_decay=0.1, optimizer={"name": name, **options_of(name), **options})
    problems = "; ".join(map(str, checks.objections(run)))
    if "has no weight decay" in problems:
        return
    assert support.is_decoupled(name, **options) == (not problems), problems
    assert problems == "" or problems.startswith("weight_decay: 0.1 is not 0 with "), problems


@pytest.mark.parametrize("name", MODED)
def test_what_is_kept_and_evaluated_are_the_weights_for_evaluation(name):
    run = spec(name, checkpoints=[STEPS])
    training = trained(run)
    data = data_sets.samples(run)
    network, _ = build.drawn_model(run, data, lookup.table(run))
    load_weights(network, training.checkpoints[STEPS])
    assert evaluate(network, data, cross_entropy)[0] == training.history.eval_loss[-1]


def test_only_refused_classes_are_no_classes_that_are_tried():
    assert set(NAMES) == {*USABLE, *REFUSED}
    assert set(GRADIENT_POWERS) <= set(USABLE)


def counts():
    """The number of classes of each package that are usable, and that are refused."""
    for package in PACKAGES:
        own = [name for name in NAMES if name.startswith(f"{package}:")]
        usable = sum(name in USABLE for name in own)
        yield code(package), len(own), usable, usable, usable, len(own) - usable


def test_the_table_of_the_documentation_is_that_of_the_classes():
    """The tests above assert its numbers: every usable class trains, is probed and resumed."""
    head = ("package", "classes", "train", "probed", "resumed bit for bit", "refused")
    assert table(head, counts()) in PAGE.read_text(encoding="utf-8")
