"""Options of text data sets: refusals, digests, and shapes."""

import numpy as np
import pytest
from tests.support.parts import samples as samples_of
from tests.support.text import parquet

from hypertransfer.catalogue import dataset_options
from hypertransfer.catalogue.cards import datasets
from hypertransfer.catalogue.cards.datasets import CARDS
from hypertransfer.catalogue.dataset_options import digest, objections, shape

TEXTS = [name for name in CARDS if datasets.kind(name) == "text"]


@pytest.mark.parametrize("name", ["state_of_the_union", "program_text"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"context": 1}, "at least 2"),
        ({"context": 2.0}, "at least 2"),
        ({"tokens": "words"}, "bytes, bpe"),
        ({"vocabulary": 300}, "null, which tokens: bytes needs"),
        ({"tokens": "bpe", "vocabulary": 256}, "at least 257"),
        ({"train": 0}, "whole number from 1 to"),
        ({"test": True}, "whole number from 1 to"),
        ({"augment": True}, "has no option 'augment'"),
        ({"directory": "/tmp"}, "has no option 'directory'"),
        ({"file": "a.txt"}, "has no option 'file'"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(name, options, expected):
    (problem,) = objections(name, options)
    assert expected in problem.expected


def test_a_folder_is_looked_at_before_anything_runs(tmp_path):
    assert objections("hugging_face", {})[0].path == ("directory",)
    there, nowhere = {"directory": str(tmp_path)}, {"directory": "/nowhere"}
    assert objections("hugging_face", nowhere) == []  # a plan can be made without the data
    assert "the folder /nowhere is missing: download" in dataset_options.missing(
        "hugging_face", nowhere
    )
    assert "has no Parquet files" in dataset_options.missing("hugging_face", there)
    assert "cifar10: the folder /nowhere is missing: unpack" in dataset_options.missing(
        "cifar10", nowhere
    )
    folder = parquet(tmp_path, train=["a"])
    assert (
        dataset_options.missing("hugging_face", there)
        == dataset_options.missing("digits", {})
        == ""
    )
    assert objections("hugging_face", {"directory": folder, "test_fraction": 0.1}) == []
    (problem,) = objections("hugging_face", {"directory": folder, "test_fraction": 2})
    assert "fraction" in problem.expected


def test_a_text_file_is_looked_at_before_anything_runs(tmp_path):
    assert objections("text_file", {})[0].path == ("file",)
    file = tmp_path / "corpus.txt"
    assert objections("text_file", {"file": str(file)}) == []
    assert "corpus.txt is missing: put a text" in dataset_options.missing(
        "text_file", {"file": str(file)}
    )
    file.write_text("words")
    assert dataset_options.missing("text_file", {"file": str(file)}) == ""
    for options, expected in [
        ({"file": "$SCRATCH/corpus.txt"}, "is not replaced by its value"),
        ({"file": 3}, "the path of a file"),
        ({"file": "a.txt", "directory": "/d"}, "has no option 'directory'"),
        ({"file": "a.txt", "test_fraction": 1}, "a fraction between 0 and 1"),
    ]:
        (problem,) = objections("text_file", options)
        assert expected in problem.text


def test_the_digest_of_a_text_file_is_of_its_content(tmp_path):
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("words")
    other.write_text("words")
    assert digest("text_file", {"file": str(one)}) == digest("text_file", {"file": str(other)})
    given = digest("text_file", {"file": str(one), "test_fraction": 0.1})
    assert given == digest("text_file", {"file": str(one), "test_fraction": None})
    assert given != digest("text_file", {"file": str(one), "test_fraction": 0.2})
    other.write_text("other words")
    assert given != digest("text_file", {"file": str(other)})


@pytest.mark.parametrize("name", TEXTS)
def test_the_digest_covers_every_option_and_defaults_stand_for_themselves(name, tmp_path):
    base = {"directory": parquet(tmp_path, train=["a"])} if name == "hugging_face" else {}
    changes = [
        {"context": 64},
        {"tokens": "bpe"},
        {"tokens": "bpe", "vocabulary": 999},
        {"train": 5},
        {"test": 5},
    ]
    digests = [digest(name, {**base, **change}) for change in ({}, *changes)]
    assert len(set(digests)) == len(digests)
    assert digest(name, {**base, "context": 128, "test": 256, "tokens": "bytes"}) == digests[0]


def test_shapes_are_known_before_anything_is_read():
    assert shape("state_of_the_union", {}) == ((128,), 256)
    for vocabulary in ({}, {"vocabulary": None}):  # null is the default
        options = {"context": 32, "tokens": "bpe", **vocabulary}
        assert shape("program_text", options) == ((32,), 4096)
    assert shape("digits", {}) == ((1, 8, 8), 10)
    found = samples_of("state_of_the_union", context=32)
    assert (tuple(found.train_x.shape[1:]), found.classes) == shape(
        "state_of_the_union", {"context": 32}
    )
    assert np.iinfo(np.uint8).max < found.classes
