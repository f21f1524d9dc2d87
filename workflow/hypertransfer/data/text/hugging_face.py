"""Text from Parquet files in a local folder, in the format of Hugging Face data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.catalogue.dataset_options import parquet_files
from hypertransfer.data.samples import Samples
from hypertransfer.data.text import windows
from hypertransfer.data.text.windows import Documents

TEST_PARTS = ("test", "validation")  # the first part that exists is the test part


def load(
    *,
    directory: str,
    column: str,
    test_fraction: float | None,
    max_bytes: int | None,
    **options: Any,
) -> Samples:
    """Windows of the documents in `column` of the Parquet files below `directory`.

    The name of a file begins with its part: `train-…`, `test-…` or `validation-…`. With
    `test_fraction` the test part is that share of the training documents, selected by the hash of
    their texts; otherwise the test part consists of the `test-…` files or, if there are none, of
    the `validation-…` files. At most about `max_bytes` bytes of each part are read (None: all). The
    other `options` are those of `windows.assemble`.

    Raises:
        DatasetError: files or the column are missing or unreadable, the column holds no text,
            there is no test part, or a part has no document.
    """
    files = parquet_files(directory)
    by_part = {part: [f for f in files if f.name.startswith(part)] for part in TEST_PARTS}
    tested = next((found for found in by_part.values() if found), [])
    training = [f for f in files if not f.name.startswith(TEST_PARTS)]
    if test_fraction is None and not tested:
        raise DatasetError(
            f"{directory} has no file named test-… or validation-…: set the data's key "
            "'test_fraction' to the share of the documents to test on"
        )
    limit = max_bytes or 2**62
    read = list(_documents(training, column, limit))
    if test_fraction is None:
        documents = Documents(read, list(_documents(tested, column, limit)))
    else:
        drawn = [_share(document) < test_fraction for document in read]
        documents = Documents(
            [d for d, out in zip(read, drawn, strict=True) if not out],
            [d for d, out in zip(read, drawn, strict=True) if out],
        )
    if not documents.train or not documents.test:
        part = "test" if documents.train else "training"
        raise DatasetError(f"{directory}: the {part} part has no document")
    return windows.assemble(directory, documents, **options)


def _documents(files: Sequence[Path], column: str, limit: int) -> Iterator[bytes]:
    """The documents that are not empty, read file by file and row group by row group."""
    taken = 0
    for path in files:
        try:
            # see `storage.parquet.READING` for why columns are not read ahead
            with pq.ParquetFile(path, pre_buffer=False) as file:
                if column not in file.schema_arrow.names:
                    raise DatasetError(
                        f"{path} has no column {column!r}: it has "
                        f"{', '.join(file.schema_arrow.names)}; name one in the data's 'column'"
                    )
                _check_text(path, file.schema_arrow, column)
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, columns=[column], use_threads=False)
                    for value in table.column(column).to_pylist():
                        if taken >= limit:
                            return
                        if value:
                            content = value if isinstance(value, bytes) else str(value).encode()
                            taken += len(content)
                            yield content
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{path} cannot be read as a Parquet file: {error}") from error


def _check_text(path: Path, schema: pa.Schema, column: str) -> None:
    """Check that a column holds text, whole or as bytes.

    Raises:
        DatasetError: the column holds something else.
    """
    if not _is_text(schema.field(column).type):
        texts = ", ".join(field.name for field in schema if _is_text(field.type)) or "none"
        raise DatasetError(
            f"{path}: the column {column!r} holds {schema.field(column).type}, which is not text; "
            f"columns of text: {texts}; name one in the data's 'column'"
        )


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
        pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_null,
    )  # fmt: skip
    return any(test(kind) for test in tests)


def _share(document: bytes) -> float:
    """A number in [0, 1) that is uniform over documents, from the SHA-256 of the document."""
    return int.from_bytes(hashlib.sha256(document).digest()[:8], "big") / 2**64
