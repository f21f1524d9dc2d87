"""Text as Parquet files, and text decoded from byte tokens."""

import pyarrow as pa
import pyarrow.parquet as pq
import torch


def decoded(tokens):
    return bytes(tokens.to(torch.uint8).tolist())


def parquet(folder, **files):
    """Files with one document a row, two rows a group."""
    for name, documents in files.items():
        table = pa.table({"text": documents, "id": list(range(len(documents)))})
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / f"{name.replace('_', '-')}.parquet", row_group_size=2)
    return str(folder)
