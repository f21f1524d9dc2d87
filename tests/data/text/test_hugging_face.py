"""Text from Parquet files in a folder."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.parts import samples as samples_of
from tests.support.text import decoded, parquet

from hypertransfer.catalogue import dataset_options
from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.catalogue.dataset_options import digest


def test_parquet_files_are_read_in_order_and_split_by_their_names(tmp_path):
    folder = parquet(
        tmp_path / "data",
        train_00001=["c", "d"],
        train_00000=["a", "", "b", None],
        test_00000=["xyz" * 9],
    )
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
    with pytest.raises(DatasetError, match=r"train\.parquet cannot be read as a Parquet file"):
        samples_of("hugging_face", directory=folder)


@pytest.mark.parametrize(
    "values", [[1, 2], [1.5], [True], [["a", "b"]], [{"role": "user"}], [pd.Timestamp("2026")]]
)
def test_a_column_of_no_text_is_refused(tmp_path, values):
    for part in ("train", "test"):
        table = pa.table({"content": values, "title": ["a"] * len(values)})
        pq.write_table(table, tmp_path / f"{part}.parquet")
    with pytest.raises(
        DatasetError, match=r"train\.parquet: the column 'content' holds .*columns of text: title;"
    ):
        samples_of("hugging_face", directory=str(tmp_path), column="content")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_text_may_be_stored_in_several_ways(tmp_path, kind):
    for part in ("train", "test"):
        table = pa.table({"text": pa.array(["abc" * 9], kind)})
        pq.write_table(table, tmp_path / f"{part}.parquet")
    found = samples_of("hugging_face", directory=str(tmp_path), context=2, test=None)
    assert decoded(found.train_x.flatten()).startswith(b"abcabc")


def test_the_digest_of_a_folder_is_of_what_it_holds_and_not_of_where_it_lies(tmp_path):
    here = parquet(tmp_path / "here", train=["a", "b"], test=["c"])
    there = parquet(tmp_path / "there", train=["a", "b"], test=["c"])
    other = parquet(tmp_path / "other", train=["a", "x"], test=["c"])
    first, same, changed = (digest("hugging_face", {"directory": d}) for d in (here, there, other))
    assert first == same != changed
    assert digest("hugging_face", {"directory": here, "column": "id"}) != first
