"""Make the vendored table of XGBoost's evaluations from the authors' file.

python workflow/scripts/vendor_xgboost.py XGBoost.csv.zip [FILE]
"""

import hashlib
import io
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hypertransfer.data.files import VENDORED
from hypertransfer.spaces.tasks.sources import TABLES

INTEGERS = ("max_depth_index",)


def table(file: str) -> pa.Table:
    """All evaluations, in single precision, with the columns `task`, hyperparameters and `error`.

    Rows are those of the authors' file, in its order.
    """
    rows = pd.read_csv(file).drop(columns="blackbox").rename(columns={"metric_error": "error"})
    rows = rows.rename(columns=lambda name: name.removeprefix("hp_"))
    kinds = {name: "int8" if name in INTEGERS else "float32" for name in rows if name != "task"}
    numbers = {name: pa.array(rows[name].astype(kind)) for name, kind in kinds.items()}
    return pa.table({"task": pa.array(rows["task"]).dictionary_encode(), **numbers})


def main() -> None:
    """Write the file, and print its size and its digest for `spaces/tasks/sources.py`."""
    source, *target = sys.argv[1:]
    path = Path(target[0]) if target else VENDORED / TABLES["xgboost"].file
    content = table(source)
    split = [name for name in content.column_names if name not in ("task", *INTEGERS)]
    buffer = io.BytesIO()
    pq.write_table(
        content,
        buffer,
        compression="zstd",
        use_dictionary=["task"],
        use_byte_stream_split=split,
        write_page_checksum=True,
    )
    path.write_bytes(buffer.getvalue())
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    print(f"{path}: {len(buffer.getvalue())} bytes, sha256:{digest}")


if __name__ == "__main__":
    main()
