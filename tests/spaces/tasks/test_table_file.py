"""Tables in files: values as written, and every file that cannot be read."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hypertransfer.spaces.tasks import table_file
from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.storage import parquet

COLUMNS = {
    "name": ["None", "NA", "1e3"], "empty": ["", "nan", "null"], "count": [1, 2, None],
    "rate": [1e3, 0.5, -1.0], "flag": ["true", "false", "True"], "id": ["007", "010", "1"],
    "loss": ["1,234", "12.3%", "inf"],
}  # fmt: skip


def test_values_of_csv_files_are_as_written(tmp_path):
    (tmp_path / "t.csv").write_text(
        "name,empty,count,rate,flag,id,loss\n"
        'None,,1,1e3,true,007,"1,234"\n'
        "NA,nan,2, 0.5,false,010,12.3%\n"
        "\n"
        "1e3,null,,-1.,True,1,inf\n"
    )
    found = table_file.frame(tmp_path / "t.csv")
    assert {name: found[name].tolist() for name in found} == COLUMNS
    assert [type(value) for value in found["count"]] == [int, int, type(None)]


def test_names_are_texts_even_if_they_look_like_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("task,loss\n2020.1,1.0\n 2020.10,2.0\n,3.0\n")
    found = table_file.frame(tmp_path / "t.csv", lambda name: name == "task")
    assert found["task"].tolist() == ["2020.1", "2020.10", ""]
    assert found["loss"].tolist() == [1, 2, 3]


def test_blanks_around_the_names_of_columns_are_no_part_of_them(tmp_path):
    (tmp_path / "t.csv").write_text("task, lr , loss\na,1,2\n")
    assert list(table_file.frame(tmp_path / "t.csv")) == ["task", "lr", "loss"]
    (tmp_path / "t.csv").write_text("task,lr, lr\na,1,2\n")
    with pytest.raises(TableError, match="the column 'lr' stands twice"):
        table_file.frame(tmp_path / "t.csv")


def test_a_number_beyond_the_range_of_floats_stays_text(tmp_path):
    (tmp_path / "t.csv").write_text("loss\n1.5\n1e400\n")
    assert table_file.frame(tmp_path / "t.csv")["loss"].tolist() == ["1.5", "1e400"]


def test_suffixes_may_be_capitals(tmp_path):
    (tmp_path / "T.CSV").write_text("a\n1\n")
    parquet.write(pa.table({"a": [1]}), tmp_path / "T.PARQUET")
    assert table_file.frame(tmp_path / "T.CSV")["a"].tolist() == [1]
    assert table_file.frame(tmp_path / "T.PARQUET")["a"].tolist() == [1]


def test_values_of_parquet_files_are_as_written(tmp_path):
    parquet.write(pa.table(COLUMNS), tmp_path / "t.parquet")
    found = table_file.frame(tmp_path / "t.parquet")
    assert {name: found[name].tolist() for name in found} == COLUMNS


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "t.csv").write_bytes("\ufefflr\n1\n".encode())
    assert list(table_file.frame(tmp_path / "t.csv")) == ["lr"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2,3\n", "line 2: 3 values for 2 columns"),
        ("a,b\n1,2\n3\n", "line 3: 1 values for 2 columns"),
        ("a,a\n1,2\n", "the column 'a' stands twice"),
        ("", "is empty"),
        ("task;lr;loss\na;0,1;1\n", "line 1 has no comma, and ';' .* write commas .*0.1, not 0,1"),
        ("task\tlr\na\t0.1\n", "line 1 has no comma, and tabs between"),
        ("task|lr\na|0.1\n", r"line 1 has no comma, and '\|' between"),
        ('a\n"b"c\n', "cannot be read"),
    ],
)
def test_malformed_csv_files_are_refused(tmp_path, text, words):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(TableError, match=words):
        table_file.frame(tmp_path / "t.csv")


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    for encoding in ("latin-1", "utf-16"):
        (tmp_path / "t.csv").write_bytes("a\nü\n".encode(encoding))
        with pytest.raises(TableError, match=r"t\.csv: cannot be read, .* save it .* in UTF-8"):
            table_file.frame(tmp_path / "t.csv")


def test_lists_that_nothing_names_are_not_read(tmp_path):
    lists = [[1, 2], [3]]
    parquet.write(pa.table({"a": [1, 2], "arms": lists, "history": lists}), tmp_path / "t.parquet")
    found = table_file.frame(tmp_path / "t.parquet", lists={"arms"})
    assert {name: found[name].tolist() for name in found} == {"a": [1, 2], "arms": lists}


def test_files_that_are_none(tmp_path):
    with pytest.raises(TableError, match=r"t\.xlsx: give a file that ends with \.csv, \.parquet"):
        table_file.frame(tmp_path / "t.xlsx")
    with pytest.raises(TableError, match=r"t\.csv\.gz: unpack the file, and give a file that ends"):
        table_file.frame(tmp_path / "t.csv.gz")
    with pytest.raises(TableError, match=r"absent\.csv: cannot be read"):
        table_file.frame(tmp_path / "absent.csv")
    (tmp_path / "t.parquet").write_text("no")
    with pytest.raises(TableError, match=r"t\.parquet: cannot be read"):
        table_file.frame(tmp_path / "t.parquet")
