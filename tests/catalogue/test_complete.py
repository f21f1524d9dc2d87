"""Defaults of cards: completed in the spec, and in the keys of runs and probes that use them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from hypertransfer.catalogue import complete, versions
from hypertransfer.catalogue.cards import datasets, networks, optimizers, package_optimizers, probes
from hypertransfer.planning import cell_jobs, keys
from hypertransfer.runs import parse
from hypertransfer.studies.grid import Probe

IMAGES = {"model": "residual_mlp", "data": "digits", "optimizer": "sgd"}
TEXT = {"model": "gpt", "data": "program_text", "optimizer": "adamw"}
SHAPES = {"base": {"width": 16, "depth": 6}, "shape": {"width": 32, "depth": 6}}
REST = {"parameterisation": "sp", "lr": 0.1, "batch_size": 8, "steps": 4, "log_every": 2, "seed": 0}


def values(**parts: Any) -> dict[str, Any]:
    text = parts.get("model") in ("gpt", "llama") or parts.get("data") in TEXTS
    return {**(TEXT if text else IMAGES), **SHAPES, **REST, **parts}


def key(**parts: Any) -> str:
    return keys.run_key(complete.run_spec(values(**parts)))


def other(value: object) -> object:
    """A value that differs from a default."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"not {value}"
    if isinstance(value, list):
        return [*value, 0]
    return {"other": 1} if isinstance(value, Mapping) else 1


def with_default(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options with another default of one of them."""
    return {**options, name: {**options[name], "default": other(options[name]["default"])}}


TEXTS = [name for name in datasets.CARDS if datasets.kind(name) == "text"]
NETWORKS = [(name, option) for name, card in networks.MODELS.items() for option in card.options]
OPTIMIZERS = [(n, option) for n, card in optimizers.OPTIMIZERS.items() for option in card.options]
SETTINGS = [(name, setting) for name, card in probes.PROBES.items() for setting in card.settings]
DATA = [
    (name, option)
    for name, card in datasets.CARDS.items()
    for option in card.options
    if "default" in datasets.OPTIONS[option]
]


def named(name: str) -> Any:
    places = dict.fromkeys(datasets.card(name).required, "/nowhere")
    return {"name": name, **places} if places else name


@pytest.mark.parametrize(("name", "option"), NETWORKS)
def test_a_networks_default_is_in_the_keys_of_its_runs_alone(monkeypatch, name, option):
    another = next(one for one in networks.MODELS if one != name)
    before, beside = key(model=name), key(model=another)
    card = networks.MODELS[name]
    edited = dataclasses.replace(card, options=with_default(card.options, option))
    monkeypatch.setitem(networks.MODELS, name, edited)
    assert key(model=name) != before
    assert key(model=another) == beside


@pytest.mark.parametrize(("name", "option"), OPTIMIZERS)
def test_an_optimizers_default_is_in_the_keys_of_its_runs_alone(monkeypatch, name, option):
    another = next(one for one in optimizers.OPTIMIZERS if one != name)
    before, beside = key(optimizer=name), key(optimizer=another)
    card = optimizers.OPTIMIZERS[name]
    edited = dataclasses.replace(card, options=with_default(card.options, option))
    monkeypatch.setitem(optimizers.OPTIMIZERS, name, edited)
    assert key(optimizer=name) != before
    assert key(optimizer=another) == beside


@pytest.mark.parametrize(("name", "option"), DATA)
def test_a_data_sets_default_is_in_the_keys_of_its_runs(monkeypatch, name, option):
    before = key(data=named(name))
    card = datasets.CARDS[name]
    if option in ("train", "test") and isinstance(card, datasets.DatasetCard):
        monkeypatch.setitem(datasets.CARDS, name, dataclasses.replace(card, **{option: 7}))
    elif option == "test":
        monkeypatch.setattr(datasets, "TEST_WINDOWS", datasets.TEST_WINDOWS + 1)
    elif (name, option) == ("text_file", "test_fraction"):
        monkeypatch.setattr(datasets, "TEST_FRACTION", datasets.TEST_FRACTION / 2)
    else:
        monkeypatch.setattr(datasets, "OPTIONS", with_default(datasets.OPTIONS, option))
    assert key(data=named(name)) != before


def test_the_vocabulary_of_byte_pair_encoding_is_in_the_key(monkeypatch):
    data = {"name": "program_text", "tokens": "bpe"}
    before = key(data=data)
    monkeypatch.setattr(datasets, "VOCABULARY", 999)
    assert key(data=data) != before


@pytest.mark.parametrize("name", TEXTS)
def test_the_rounding_of_training_windows_is_in_the_key(monkeypatch, name):
    before = key(data=named(name))
    monkeypatch.setattr("hypertransfer.catalogue.dataset_options.WINDOWS", 512)
    assert key(data=named(name)) != before


@pytest.mark.parametrize(("name", "setting"), SETTINGS)
def test_numbers_of_a_probe_have_the_types_of_its_settings(name, setting):
    default = probes.PROBES[name].settings[setting]["default"]
    whole = isinstance(default, int) and not isinstance(default, bool)
    equal = [float(default), default] if whole else [default]
    if isinstance(default, float) and default.is_integer():
        equal = [int(default), default]
    for written in equal:
        parsed = Probe.parse({"probe": name, "checkpoints": [0], setting: written})
        assert repr(parsed.settings[setting]) == repr(default)


@pytest.mark.parametrize(("name", "setting"), SETTINGS)
def test_a_probes_default_is_in_the_keys_of_its_probes(monkeypatch, name, setting):
    spec = complete.run_spec(values())
    probe = Probe(name, [0, 4])

    def probe_key() -> str:
        return keys.Contexts().probe_key("0" * 24, cell_jobs.probe_settings(probe, spec))

    before = probe_key()
    card = probes.PROBES[name]
    edited = dataclasses.replace(card, settings=with_default(card.settings, setting))
    monkeypatch.setitem(probes.PROBES, name, edited)
    assert probe_key() != before


def test_whether_a_class_takes_a_closure_is_in_the_key(monkeypatch):
    names = ["pytorch_optimizer:EmoNavi", "pytorch_optimizer:Lion", "sgd"]
    before = {name: key(optimizer=name) for name in names}
    monkeypatch.setattr(package_optimizers, "WITH_CLOSURE", ())
    assert [name for name in names if key(optimizer=name) != before[name]] == names[:1]


@pytest.mark.parametrize("package", ["pytorch_optimizer", "torch"])
def test_versions_of_packages_that_compute_updates_are_in_the_key(monkeypatch, package):
    ours = ["lion", "sophia"] if package == "pytorch_optimizer" else ["torch.optim:Adagrad"]
    before = {name: key(optimizer=name) for name in (*ours, "sgd", "adamw", "scion")}
    monkeypatch.setattr(versions, "installed_version", lambda name: f"{name} of tomorrow")
    assert {name for name in before if key(optimizer=name) != before[name]} == set(ours)


@pytest.mark.parametrize(
    "parts",
    [{"model": name} for name in networks.MODELS]
    + [{"optimizer": name} for name in optimizers.OPTIMIZERS]
    + [{"data": named(name)} for name in datasets.CARDS],
)
def test_specs_are_complete_and_stay_as_they_are(parts):
    spec = complete.run_spec(values(**parts))
    assert complete.complete(spec) == spec
    assert complete.run_spec(spec.plain()) == spec
    assert set(networks.MODELS[spec.model.name].options) == set(spec.model.options)
    assert set(optimizers.OPTIMIZERS[spec.optimizer.name].options) == set(spec.optimizer.options)
    card = datasets.card(spec.data.name)
    assert {*card.options} - {*datasets.PLACES} <= set(spec.data.options)


def test_options_that_are_given_stand_above_defaults():
    given = complete.run_spec(
        values(
            model={"name": "residual_mlp", "layers_per_block": 3},
            optimizer={"name": "sgd", "momentum": 0.5},
            data={"name": "digits", "train": 100, "test": None},
        )
    )
    assert given.model.options["layers_per_block"] == 3
    assert given.optimizer.options == {"momentum": 0.5, "nesterov": False}
    assert given.data.options == {"augment": False, "test": 357, "train": 100}


def test_parts_without_a_card_stay_as_they_are():
    spec = parse.run_spec(values(model="mine:Net", optimizer="mine:make", data="nowhere"))
    assert complete.complete(spec) == spec


def test_kept_weights_and_folders_are_in_no_key():
    assert key(checkpoints=[0, 2]) == key(checkpoints=[]) == key()
    data = {"name": "cifar10", "directory": "/here"}
    assert key(data=data) == key(data={**data, "directory": "/there"})
    assert key(data=data) != key(data={**data, "augment": True})


@pytest.mark.parametrize(
    "options",
    [
        *(card.options for card in networks.MODELS.values()),
        *(card.options for card in optimizers.OPTIMIZERS.values()),
        *(card.settings for card in probes.PROBES.values()),
    ],
)
def test_every_option_has_a_default_and_a_description(options):
    for name, option in options.items():
        assert "default" in option, name
        assert option["description"].endswith("."), name


def test_every_option_of_a_data_set_is_described():
    used = {option for card in datasets.CARDS.values() for option in card.options}
    assert used == set(datasets.OPTIONS)
    assert all(option["description"].endswith(".") for option in datasets.OPTIONS.values())


def test_the_columns_of_a_probe_are_in_its_key(monkeypatch):
    settings = {"probe": "trace", "checkpoints": [0]}
    before = keys.Contexts().probe_key("0" * 24, settings)
    card = probes.PROBES["trace"]
    wider = dataclasses.replace(card, columns={**card.columns, "another": "number"})
    monkeypatch.setitem(probes.PROBES, "trace", wider)
    assert keys.Contexts().probe_key("0" * 24, settings) != before


def mlp(**options: Any) -> dict[str, Any]:
    return {"model": {"name": "residual_mlp", **options}}


def gpt(**options: Any) -> dict[str, Any]:
    return {**TEXT, "model": {"name": "gpt", **options}}


def text(**options: Any) -> dict[str, Any]:
    return {**TEXT, "data": {"name": "program_text", **options}}


def optimizer(name: str, **options: Any) -> dict[str, Any]:
    return {"optimizer": {"name": name, **options}}


SGD, ADAMW = "torch.optim:SGD", "torch.optim:AdamW"


@pytest.mark.parametrize(
    "equal",
    [
        [optimizer("sgd"), optimizer("sgd", momentum=0), optimizer("sgd", momentum=0.0),
         optimizer("sgd", momentum=-0.0)],
        [optimizer("adamw"), optimizer("adamw", eps=1e-8), optimizer("adamw", betas=[0.9, 0.999])],
        [optimizer("adamw", eps=0), optimizer("adamw", eps=0.0)],
        [mlp(), mlp(strength=1), mlp(strength=1.0)],
        [mlp(layers_per_block=2), mlp(layers_per_block=2.0)],
        [{"weight_decay": 0}, {"weight_decay": 0.0}, {"weight_decay": -0.0}, {}],
        [{"lr": 1}, {"lr": 1.0}],
        [{"steps": 4}, {"steps": 4.0}],
        [{"data": {"name": "digits", "train": 64}}, {"data": {"name": "digits", "train": 64.0}}],
        [text(context=64), text(context=64.0)],
        [text(tokens="bpe", vocabulary=512), text(tokens="bpe", vocabulary=512.0)],
        [{"multipliers": {}}, {"multipliers": {"lr": {}}}, {},
         {"multipliers": {"lr": {"types": {"weight": 1}}, "init_std": {"depth": [1, 1.0]}}}],
        [{"multipliers": {"lr": {"types": {"weight": 2}}}},
         {"multipliers": {"lr": {"types": {"weight": 2.0, "input.weight": 1}, "depth": [1, 1]}}}],
        [optimizer(SGD), optimizer(SGD, momentum=0), optimizer(SGD, momentum=-0.0),
         optimizer(SGD, nesterov=False), optimizer(SGD, dampening=0.0, foreach=None),
         optimizer(SGD, gradient_power=1.0)],
        [optimizer(SGD, momentum=0.5), optimizer(SGD, momentum=0.5, dampening=0)],
        [optimizer(ADAMW), optimizer(ADAMW, amsgrad=False, maximize=False, foreach=None)],
        [optimizer("pytorch_optimizer:QHM"), optimizer("pytorch_optimizer:QHM", momentum=0)],
        [{"schedule": {}}, {"schedule": {"name": "constant", "warmup": 0.0}}, {}],
        [{"schedule": {"name": "linear", "final": 0}},
         {"schedule": {"name": "linear", "final": -0.0, "decay": 1}}],
        [optimizer("scion"), optimizer("scion", radii={"hidden": 1}),
         optimizer("scion", norms={"hidden": "spectral", "output": "sign"})],
        [optimizer("scion", radii={"hidden": 3}), optimizer("scion", radii={"hidden": 3.0})],
        [optimizer("muon", ns_coefficients=[3, -4, 2]),
         optimizer("muon", ns_coefficients=[3.0, -4.0, 2.0])],
        [gpt(), gpt(latent_ratio=0.5, capacity=None, embedding_std=0.1)],
        [gpt(capacity=2), gpt(capacity=2.0)],
    ],
)  # fmt: skip
def test_equal_values_have_one_key(equal):
    assert len({key(**parts) for parts in equal}) == 1


@pytest.mark.parametrize(
    "different",
    [
        [optimizer("sgd"), optimizer("sgd", nesterov=True), optimizer("sgd", momentum=0.5)],
        [optimizer("scion"), optimizer("scion", norms={"input": "spectral"}),
         optimizer("scion", radii={"hidden": 2})],
        [{"lr": 1}, {"lr": 2}],
        [{"multipliers": {"lr": {"depth": [1, 2]}}}, {"multipliers": {"lr": {"depth": [1, 1]}}}],
        [optimizer(SGD), optimizer(SGD, momentum=0.5), optimizer(SGD, foreach=True)],
        # the table scales betas and eps if they are given
        [optimizer(ADAMW), optimizer(ADAMW, eps=1e-8), optimizer(ADAMW, betas=[0.9, 0.999])],
    ],
)  # fmt: skip
def test_different_values_have_different_keys(different):
    assert len({key(**parts) for parts in different}) == len(different)


def test_two_billion_bytes_are_a_whole_number_however_written():
    data = {"name": "hugging_face", "directory": "/d", "max_bytes": 2_000_000_000.0}
    found = complete.run_spec(values(data=data)).data.options["max_bytes"]
    assert (found, type(found)) == (2_000_000_000, int)


def test_an_order_seed_that_equals_the_seed_is_no_other_run():
    """Without an order_seed, the seed draws the order of the data: the numbers are the same."""
    assert key(seed=3, order_seed=3) == key(seed=3) == key(seed=3, order_seed=None)
    assert key(seed=3, order_seed=0) != key(seed=3)


def test_numbers_have_the_types_of_their_options():
    spec = complete.run_spec(values(**optimizer("muon", momentum=0, ns_steps=5.0)))
    assert repr(spec.optimizer.options["momentum"]) == "0.0"
    assert repr(spec.optimizer.options["ns_steps"]) == "5"


def test_values_that_an_option_refuses_stay_as_written():
    spec = complete.run_spec(values(**optimizer("sgd", momentum="much", nesterov=0)))
    assert spec.optimizer.options == {"momentum": "much", "nesterov": 0}
    assert complete.run_spec(values(**mlp(strength=10**400))).model.options["strength"] == 10**400


def test_folders_of_data_may_be_in_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    spec = complete.run_spec(values(data={"name": "cifar10", "directory": "~/cifar"}))
    assert spec.data.options["directory"] == "/home/someone/cifar"
    spec = complete.run_spec(values(data={"name": "text_file", "file": "~/corpus.txt"}))
    assert spec.data.options["file"] == "/home/someone/corpus.txt"
