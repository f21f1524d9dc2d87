"""A text file of the user as data."""

import pytest
from tests.support.parts import samples as samples_of
from tests.support.text import decoded

from hypertransfer.catalogue import dataset_options
from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data.text import text_file

TEXT = "".join(f"{number:04d}\n" for number in range(400))  # 2,000 bytes


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(TEXT, "utf-8")
    return path


def test_the_end_of_the_file_is_the_test_part(file):
    found = samples_of("text_file", file=str(file), context=5, test=None)
    assert decoded(found.train_x.flatten()) == TEXT[:1800].encode()
    assert decoded(found.test_x.flatten()) == TEXT[1800:].encode()
    assert decoded(found.train_y[0]) == TEXT[1:6].encode()
    assert found.classes == 256


def test_another_share_tests(file):
    found = samples_of("text_file", file=str(file), context=5, test=None, test_fraction=0.25)
    assert decoded(found.test_x.flatten()) == TEXT[1500:].encode()


def test_tokens_may_be_those_of_byte_pair_encoding(file):
    options = {"context": 8, "tokens": "bpe", "vocabulary": 300, "test": None}
    found = samples_of("text_file", file=str(file), **options)
    assert found.classes == 300
    assert found.train_x.max() >= 256


@pytest.mark.parametrize("length", [1000, 1001])
def test_the_parts_do_not_cut_a_character(file, monkeypatch, length):
    monkeypatch.setattr(text_file.windows, "assemble", lambda name, documents, **options: documents)
    file.write_text(text := "ä" * length + "x", "utf-8")
    documents = text_file.load(file=str(file), test_fraction=0.1, tokens="bpe")
    train, test = (
        "".join(one.decode() for one in part) for part in (documents.train, documents.test)
    )
    assert train + test == text
    assert len(test) == pytest.approx(0.1 * length, abs=1)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, "has 0 bytes, of which the training part has 0, fewer than a window of 128"),
        (b"a" * 500, {}, "500 bytes, of which the test part has 50, fewer than a window of 128"),
        (b"a" * 5000, {}, "test: 256 windows were asked for; there are 3: write `test: 3`, or"),
        (
            "aä".encode("latin-1") * 999,
            {"tokens": "bpe", "vocabulary": 300},
            "not in UTF-8 .at byte 1",
        ),
        (b"\x1f\x8b\0\0" * 99, {}, "holds bytes of 0, which no text has: unpack it"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(file, content, options, message):
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        samples_of("text_file", file=str(file), **options)
    assert str(caught.value).startswith(str(file))


def test_a_name_that_is_too_long_is_told():
    with pytest.raises(DatasetError, match="cannot be read: File name too long"):
        samples_of("text_file", file="a" * 300)


def test_a_file_that_is_missing_or_a_folder_is_named(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(DatasetError, match=f"text_file: the file {path} is missing: put a"):
            samples_of("text_file", file=str(path))


def test_the_size_is_that_of_the_file(file, tmp_path):
    assert dataset_options.size("text_file", {"file": str(file)}) == 2000
    assert dataset_options.size("text_file", {"file": str(tmp_path / "none.txt")}) == 1e9
