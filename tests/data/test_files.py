"""Reading files: right content, and refusal of anything missing, damaged or other."""

import dataclasses
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.images import flipped, quick

from hypertransfer.catalogue.cards.datasets import DatasetCard, DatasetError
from hypertransfer.data import files

torch.set_num_threads(1)

CONTENT = bytes(range(256)) * 8

CARD = DatasetCard(
    name="toy",
    module="nowhere:load",
    input_shape=(1, 1, 1),
    classes=1,
    train=1,
    test=1,
    files={"toy": f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"},
    obtain="ask the maker of toys",
    licence="none",
    source="none",
)


def refused(path: Path, *words: str):
    """An error that names the file, what was expected, and how to get it."""
    return pytest.raises(DatasetError, match=".*".join((str(path), *words, CARD.obtain)))


def test_a_good_file_is_read_plain_and_gzipped(tmp_path):
    (tmp_path / "toy").write_bytes(CONTENT)
    (tmp_path / "toy.gz").write_bytes(gzip.compress(CONTENT))
    assert files.checked(CARD, "toy", tmp_path / "toy") == CONTENT
    assert files.checked(CARD, "toy", tmp_path / "toy.gz") == CONTENT


def test_a_missing_file_is_named(tmp_path):
    with refused(tmp_path / "toy", "missing", CARD.files["toy"], "toy"):
        files.checked(CARD, "toy", tmp_path / "toy")


def test_a_folder_in_place_of_a_file(tmp_path):
    with refused(tmp_path, "cannot be read", CARD.files["toy"]):
        files.checked(CARD, "toy", tmp_path)


def test_another_file_is_told_with_both_digests(tmp_path):
    path = tmp_path / "toy"
    path.write_bytes(b"other")
    found = f"sha256:{hashlib.sha256(b'other').hexdigest()} in 5 bytes"
    with refused(path, CARD.files["toy"], found):
        files.checked(CARD, "toy", path)


@given(position=st.integers(0, len(CONTENT) - 1), mask=st.integers(1, 255))
@quick
def test_a_flipped_byte_in_a_plain_file(tmp_path, position, mask):
    path = tmp_path / "toy"
    path.write_bytes(flipped(CONTENT, position, mask))
    with refused(path, "damaged", CARD.files["toy"]):
        files.checked(CARD, "toy", path)


PACKED = gzip.compress(np.random.default_rng(0).bytes(400) + CONTENT, mtime=0)

PACKED_CARD = dataclasses.replace(
    CARD, files={"toy": f"sha256:{hashlib.sha256(gzip.decompress(PACKED)).hexdigest()}"}
)


@given(position=st.integers(0, len(PACKED) - 1), mask=st.integers(1, 255))
@quick
@example(position=4, mask=1)  # the packing's date: the content is whole
@example(position=0, mask=1)  # no gzip file any more
@example(position=len(PACKED) // 2, mask=255)
@example(position=len(PACKED) - 1, mask=1)
def test_a_flipped_byte_in_a_gzipped_file_never_gets_through(tmp_path, position, mask):
    path = tmp_path / "toy.gz"
    path.write_bytes(flipped(PACKED, position, mask))
    try:
        outcome = files.checked(PACKED_CARD, "toy", path)
    except DatasetError as error:
        outcome = str(error)
    if isinstance(outcome, str):
        assert str(path) in outcome
        assert CARD.obtain in outcome
    else:
        assert outcome == gzip.decompress(PACKED)


@pytest.mark.parametrize("position", [3, 10, 100, 300])
def test_damage_to_the_compressed_stream_is_refused(tmp_path, position):
    path = tmp_path / "toy.gz"
    path.write_bytes(flipped(PACKED, position))
    with refused(path, PACKED_CARD.files["toy"]):
        files.checked(PACKED_CARD, "toy", path)


@given(length=st.integers(0, len(PACKED) - 1))
@quick
@example(length=0)
@example(length=len(PACKED) - 1)
def test_a_truncated_gzipped_file_is_refused(tmp_path, length):
    path = tmp_path / "toy.gz"
    path.write_bytes(PACKED[:length])
    with refused(path, "truncated", PACKED_CARD.files["toy"]):
        files.checked(PACKED_CARD, "toy", path)
