"""Optimizers that a config names as classes of packages: problems that planning reports."""

from __future__ import annotations

import pytest

from hypertransfer.catalogue import checks, complete, lookup
from hypertransfer.catalogue.cards import optimizers
from hypertransfer.catalogue.cards.package_optimizers import REFUSED

BASE = {
    "model": "residual_mlp", "base": {"width": 4, "depth": 1}, "shape": {"width": 4, "depth": 1},
    "parameterisation": "mup", "lr": 0.1, "data": "digits", "batch_size": 16, "steps": 4,
    "log_every": 2, "seed": 0,
}  # fmt: skip


def spec(name, weight_decay=0.0, **options):
    optimizer = {"name": name, **options}
    return complete.run_spec({**BASE, "optimizer": optimizer, "weight_decay": weight_decay})


def problems(name, **values):
    return "; ".join(map(str, checks.objections(spec(name, **values))))


@pytest.mark.parametrize(
    ("name", "power"),
    [("torch.optim:SGD", 1), ("torch.optim:AdamW", 0), ("pytorch_optimizer:Lion", 0)],
)
def test_a_known_class_gets_the_table_of_its_gradient_power(name, power):
    assert not problems(name)
    assert lookup.table(spec(name)).gradient_power == power
    assert spec(name) == spec(name, gradient_power=power) == spec(name, gradient_power=float(power))


def test_another_power_than_that_of_the_class_is_refused():
    assert problems("torch.optim:SGD", gradient_power=0) == (
        "optimizer.gradient_power: 0 is not that of torch.optim:SGD, which is 1: leave it out"
    )


@pytest.mark.parametrize("name", ["pytorch_optimizer:Lamb", "my_optimizers:make"])
def test_an_optimizer_of_unknown_power_needs_it(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_optimizers.py").write_text("def make(groups): ...")
    assert f"{name} needs gradient_power: 0 if" in problems(name)
    assert not problems(name, gradient_power=0)
    assert "gradient_power: 'zero' is not a number" in problems(name, gradient_power="zero")
    with pytest.raises(ValueError, match="needs gradient_power"):
        lookup.table(spec(name))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("torch.optim:AdmaW", {}, "optimizer: 'torch.optim:AdmaW' is not an optimizer of "
         "torch.optim: did you mean Adam"),
        ("pytorch_optimizer:agc", {}, "is not an optimizer of pytorch_optimizer"),
        ("torch.optim:Adam", {"beta": [0.9]}, "optimizer.beta: [0.9] is not an option of "
         "torch.optim:Adam; known: betas, eps, amsgrad"),
        ("pytorch_optimizer:AdaBelief", {"rectifi": True}, "optimizer.rectifi: true is not an"),
        ("torch.optim:Adam", {"lr": 1}, "optimizer.lr: 1 is not an option: use the run's own lr"),
        ("torch.optim:Adam", {"params": []}, "use the network's parameters"),
        ("pytorch_optimizer:Magma", {"weight_decay": 0.1}, "use the run's own weight_decay"),
        ("torch.optim:Adam", {"betas": 0.9}, "optimizer.betas: 0.9 is not what the table can"),
        ("torch.optim:Adam", {"eps": [1e-8]}, "optimizer.eps: [1e-08] is not what the table can"),
        ("torch.optim:Rprop", {"weight_decay": 0.1}, "use the run's own weight_decay"),
        ("pytorch_optimizer:AdaFactor", {"gradient_power": 0}, "pytorch_optimizer:AdaFactor "
         "needs relative_step: false, to follow the run's"),
        ("pytorch_optimizer:Ranger21", {}, "pytorch_optimizer:Ranger21 needs the option num_it"),
    ],
)  # fmt: skip
def test_a_class_or_an_option_that_cannot_be_used_is_reported(name, options, words):
    optimizer = {"name": name, **options}
    found = checks.objections(complete.run_spec({**BASE, "optimizer": optimizer}))
    assert words in "; ".join(map(str, found))


@pytest.mark.parametrize(
    ("name", "option", "value", "words"),
    [
        ("torch.optim:Adam", "amsgrad", "no", "'no' is not true or false, as false, the default"),
        ("torch.optim:Adam", "amsgrad", 1, "1 is not true or false"),
        ("torch.optim:SGD", "momentum", "0.9x", "'0.9x' is not a number, as 0, the default of tor"),
        ("torch.optim:SGD", "momentum", True, "true is not a number"),
        ("pytorch_optimizer:Yogi", "initial_accumulator", "small", "'small' is not a number"),
    ],
)
def test_an_option_of_another_kind_than_its_default_is_refused(name, option, value, words):
    assert f"optimizer.{option}: {words}" in problems(name, **{option: value})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("torch.optim:SGD", {"momentum": 1, "maximize": True}),
        ("torch.optim:Adam", {"foreach": False}),  # None by default, which says nothing
        ("torch.optim:RAdam", {"foreach": None}),
        ("pytorch_optimizer:ROSE", {"wd_schedule": 0.5, "gradient_power": 0}),  # a bool or a float
        ("pytorch_optimizer:MARS", {"optimize_1d": True, "mars_type": "lion"}),
    ],
)
def test_an_option_of_the_kind_of_its_default_is_accepted(name, options):
    assert not problems(name, **options)


def test_a_weight_decay_that_the_class_does_not_have_is_reported():
    found = problems("torch.optim:Rprop", weight_decay=0.1)
    assert found == "weight_decay: 0.1 is not 0: torch.optim:Rprop has no weight decay"
    assert not problems("torch.optim:SGD", weight_decay=0.1)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("torch.optim:Adam", {}, "set optimizer.decoupled_weight_decay: true"),
        ("torch.optim:RMSprop", {}, "use a class whose decay is decoupled, such as torch.optim:Ad"),
        ("pytorch_optimizer:Yogi", {"weight_decouple": False}, "optimizer.weight_decouple: true"),
        ("pytorch_optimizer:Lion", {"fixed_decay": True}, "set optimizer.fixed_decay: false"),
    ],
)  # fmt: skip
def test_a_weight_decay_that_is_not_decoupled_is_refused(name, options, words):
    found = problems(name, weight_decay=0.1, **options)
    assert found.startswith(f"weight_decay: 0.1 is not 0 with {name}")
    assert words in found
    assert not problems(name, **options)


def test_options_that_decouple_the_weight_decay_allow_it():
    assert not problems("torch.optim:Adam", weight_decay=0.1, decoupled_weight_decay=True)
    assert not problems("pytorch_optimizer:AdaBelief", weight_decay=0.1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pytorch_optimizer:AdaFactor", {"relative_step": 0}),
        ("pytorch_optimizer:ApolloDQN", {"warmup_steps": False}),
        ("pytorch_optimizer:Ranger21", {"disable_lr_scheduler": 1, "num_iterations": 4}),
    ],
)
def test_a_needed_option_has_the_type_of_its_value(name, options):
    """0 and false would train alike under two keys."""
    assert "to follow the run's lr" in problems(name, gradient_power=0, **options)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_classes_are_reported_with_the_reason(name):
    assert problems(name) == f"optimizer: {name!r} is not usable: {REFUSED[name]}"


def test_the_package_of_a_class_has_to_be_installed(monkeypatch):
    monkeypatch.setattr("hypertransfer.catalogue.package_source.is_readable", lambda module: False)
    assert "torch.optim is not installed here" in problems("torch.optim:Adam")


@pytest.mark.parametrize("betas", [[0.9], [0.9, 0.99, 0.999]])
def test_as_many_betas_as_the_class_has(betas):
    assert "is not 2 numbers, as torch.optim:AdamW has" in problems(
        "torch.optim:AdamW", betas=betas
    )
    assert not problems("torch.optim:AdamW", betas=[0.9, 0.99])
    assert not problems("pytorch_optimizer:Adan", betas=[0.9, 0.92, 0.99])


def test_gradient_powers_of_own_names_are_those_of_their_cards():
    for name, card in optimizers.OPTIMIZERS.items():
        assert optimizers.gradient_power(spec(name).optimizer) == card.gradient_power
