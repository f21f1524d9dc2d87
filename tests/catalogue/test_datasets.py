"""Cards of data sets: what they promise, and the digests that enter run keys."""

import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypertransfer.catalogue.cards import datasets
from hypertransfer.catalogue.cards.datasets import CARDS, DatasetError, card
from hypertransfer.catalogue.dataset_options import digest, objections

WORKFLOW = Path(datasets.__file__).parents[1]
NAMES = ("digits", "fashion_mnist_subset", "fashion_mnist", "cifar10")

sizes = st.integers(1, 357)


def test_the_data_sets_of_the_project():
    images = tuple(name for name in CARDS if datasets.kind(name) == "images")
    assert images == (*NAMES, "gaussian_regression")  # the last is drawn, and has no files
    assert all(card(name).name == name for name in NAMES)
    assert {name: (card(name).train, card(name).test) for name in NAMES} == {
        "digits": (1440, 357),
        "fashion_mnist_subset": (6000, 2000),
        "fashion_mnist": (60000, 10000),
        "cifar10": (50000, 10000),
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_file_has_a_whole_checksum(name):
    length = {"sha256": 64, "md5": 32}
    assert CARDS[name].files
    for checksum in CARDS[name].files.values():
        kind, _, value = checksum.partition(":")
        assert re.fullmatch(rf"[0-9a-f]{{{length[kind]}}}", value)


@pytest.mark.parametrize("name", NAMES)
def test_the_loader_takes_the_options_of_its_card(name):
    module, _, attribute = CARDS[name].module.partition(":")
    parameters = inspect.signature(getattr(importlib.import_module(module), attribute)).parameters
    assert set(parameters) == set(CARDS[name].options)
    left_out = {name: False if name == "augment" else None for name in parameters}
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())
    assert {name: p.default for name, p in parameters.items()} == left_out


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(DatasetError, match="no data set 'mnist'; known: digits, fashion_mnist_sub"):
        card("mnist")
    with pytest.raises(DatasetError, match="cifar10"):
        digest("mnist", {})


def test_a_card_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CARDS["digits"].train = 3


def test_digests_tell_data_sets_apart():
    same_sizes = {"train": 100, "test": 100}
    assert len({digest(name, {}) for name in NAMES}) == len(NAMES)
    assert len({digest(name, same_sizes) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_the_directory_is_no_part_of_the_digest(name):
    assert (
        digest(name, {"directory": "/a"}) == digest(name, {"directory": "/b"}) == digest(name, {})
    )


def test_leaving_a_size_out_is_asking_for_all():
    everything = digest("digits", {})
    assert digest("digits", {"train": 1440, "test": 357}) == everything
    assert digest("digits", {"train": None}) == everything
    assert digest("digits", {"test": 357, "train": 1440}) == everything


@given(train=sizes, test=sizes, other=sizes)
@settings(derandomize=True, deadline=None, max_examples=50)
def test_the_digest_follows_the_sizes(train, test, other):
    one = digest("digits", {"train": train, "test": test})
    assert (one == digest("digits", {"train": other, "test": test})) == (train == other)
    assert (one == digest("digits", {"train": train, "test": other})) == (test == other)


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"digits.csv.gz": "sha256:" + 64 * "0"}},
        {"files": {"other.csv.gz": CARDS["digits"].files["digits.csv.gz"]}},
        {"train": 1400, "test": 397},
        {"input_shape": (64, 1, 1)},
        {"classes": 11},
    ],
)
def test_the_digest_follows_what_loaders_take_from_the_card(monkeypatch, change):
    taken = {"train": 100, "test": 100}
    before = digest("digits", taken)
    monkeypatch.setattr(
        datasets, "CARDS", {"digits": dataclasses.replace(card("digits"), **change)}
    )
    assert digest("digits", taken) != before


@pytest.mark.parametrize("change", [{"licence": "other"}, {"source": "other"}, {"obtain": "other"}])
def test_the_digest_ignores_words(monkeypatch, change):
    before = digest("digits", {})
    monkeypatch.setattr(
        datasets, "CARDS", {"digits": dataclasses.replace(card("digits"), **change)}
    )
    assert digest("digits", {}) == before


@pytest.mark.parametrize(
    ("name", "options", "wrong"),
    [
        ("digits", {}, []),
        ("digits", {"train": 1440, "test": 357}, []),
        ("digits", {"train": 1441}, ["train"]),
        ("digits", {"train": 0, "test": -1}, ["train", "test"]),
        ("digits", {"test": True}, ["test"]),
        ("digits", {"test": 10.0}, ["test"]),
        ("digits", {"directory": "/data"}, ["directory"]),
        ("digits", {"sise": 3}, ["sise"]),
        ("fashion_mnist", {}, []),
        ("fashion_mnist", {"directory": "/data"}, []),
        ("fashion_mnist", {"directory": ""}, ["directory"]),
        ("cifar10", {"directory": "/data", "train": 50000}, []),
        ("cifar10", {"train": 50001}, ["directory", "train"]),
        ("cifar10", {"directory": "$SCRATCH/cifar"}, ["directory"]),
        ("cifar10", {"directory": "~nobody-of-this-name/cifar"}, ["directory"]),
        ("hugging_face", {"directory": "/d", "max_bytes": 2_000_000_000}, []),
        ("hugging_face", {"directory": "/d", "max_bytes": 0}, ["max_bytes"]),
        ("hugging_face", {"directory": "/d", "test_fraction": 1.0}, ["test_fraction"]),
    ],
)
def test_objections_to_options(name, options, wrong):
    assert [problem.key for problem in objections(name, options)] == wrong


def test_an_objection_to_a_missing_directory_says_how_to_get_the_files():
    (problem,) = objections("cifar10", {})
    assert problem.key == "directory"
    assert "cifar-10-python.tar.gz" in problem.text


PLANNING = """
import sys
opened = []
from hypertransfer.catalogue import dataset_options
from hypertransfer.catalogue.cards import datasets
sys.addaudithook(lambda event, arguments: opened.append(arguments) if event == "open" else None)
for name in datasets.CARDS:
    if name == "hugging_face":  # whose files are the user's: their ends are read
        continue
    options = {"train": 10} if datasets.kind(name) == "text" else {"train": 10, "directory": "/no"}
    dataset_options.digest(name, options)
    dataset_options.objections(name, options)
print(opened, sorted({"torch", "numpy", "sklearn"} & set(sys.modules)))
"""


def test_planning_imports_no_torch_and_no_numpy_and_opens_no_file():
    ran = subprocess.run(
        [sys.executable, "-c", PLANNING], cwd=WORKFLOW, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[] []"
