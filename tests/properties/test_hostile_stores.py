"""Hostile stores: nothing in them runs, leads out of the store, or takes the machine."""

from __future__ import annotations

import io
import json
import os
import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.project import STUDY, files
from tests.support.store import key

from hypertransfer.catalogue import complete
from hypertransfer.execution import stored_weights, train_cell
from hypertransfer.maintenance import verify
from hypertransfer.planning import status
from hypertransfer.runs.canonical import canonical
from hypertransfer.storage import parquet, schemas
from hypertransfer.storage.run_store import DamagedEntry, Store, StoreError


@pytest.fixture
def store(tmp_path) -> Store:
    made = Store(tmp_path / "store")
    made.put("runs", key(1), {"status": "finished"}, files())
    return made


def forge(store: Store, content: object, *, sign: bool = True) -> Path:
    """An entry.json of a hostile maker, who can compute a digest as well as we can."""
    path = store.path("runs", key(1)) / "entry.json"
    if sign:
        import hashlib

        content = dict(content)
        content["digest"] = hashlib.sha256(canonical(content).encode()).hexdigest()
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    "names",
    [{"../../../../../../etc/passwd": "0"}, {"/etc/passwd": "0"}, {"a/b": "0"}, {"": "0"},
     {".": "0"}, {"..": "0"}, {"a\x00b": "0"}, {"entry.json": "0"}, {"x" * 300: "0"}, {"a": 1},
     {"a": ["0"]}, {"a\n": "0"}, {"-rf": "0"}, ["a"], "a", None, 3],
)  # fmt: skip
def test_names_of_files_in_a_record(store, names):
    forge(store, {"key": key(1), "record": {}, "files": names})
    with pytest.raises(DamagedEntry, match="does not have the form"):
        store.get("runs", key(1))


@pytest.mark.parametrize(
    "text",
    ["", "null", "3", "[]", "{}", '"x"', "NaN", '{"digest": NaN}', "[" * 10**5,
     "[" * 10**5 + "]" * 10**5, '{"a":' * 10**5 + "1" + "}" * 10**5,
     '{"digest": ' + "9" * 10**5 + "}", '{"digest": 1e999}',
     '{"digest": "x", "key": {}, "record": [], "files": []}', b"\xed\xa0\x80"],
)  # fmt: skip
def test_records_that_are_none(store, text):
    path = store.path("runs", key(1)) / "entry.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DamagedEntry):
        store.get("runs", key(1))
    assert len(list(verify.store_faults(store))) == 1


@pytest.mark.parametrize("record", [[], "x", None, 7])
def test_records_of_another_type(store, record):
    forge(store, {"key": key(1), "record": record, "files": {}})
    with pytest.raises(DamagedEntry, match="does not have the form"):
        store.get("runs", key(1))


def test_a_record_without_end_is_not_taken_in(store, monkeypatch):
    monkeypatch.setattr("hypertransfer.runs.canonical.MOST_JSON", 1000)
    forge(store, " " * 2000, sign=False)
    with pytest.raises(DamagedEntry):
        store.get("runs", key(1))


def devices(path: Path):
    """Things in the place of a file, of which reading some would never end."""
    yield lambda: path.symlink_to("/dev/zero")
    yield lambda: path.symlink_to("/etc/passwd")
    yield lambda: os.mkfifo(path)
    yield lambda: path.mkdir()


@pytest.mark.parametrize("name", ["entry.json", "history.parquet"])
def test_links_pipes_and_devices_are_not_read(store, name):
    path = store.path("runs", key(1)) / name
    for put in devices(path):
        path.unlink() if not path.is_dir() or path.is_symlink() else path.rmdir()
        put()
        with pytest.raises(DamagedEntry):
            store.get("runs", key(1)).read(name)
        assert [str(fault) for fault in verify.store_faults(store) if name in str(fault)]


def test_a_link_in_the_place_of_an_entry(store, tmp_path):
    store.path("runs", key(1)).rename(tmp_path / "elsewhere")
    store.path("runs", key(1)).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DamagedEntry, match="its folder is a symbolic link"):
        store.get("runs", key(1))


@pytest.mark.parametrize("level", ["runs", "runs/00", f"runs/00/{2:024x}", "tmp", "damaged"])
def test_no_link_leads_writers_out_of_the_store(store, tmp_path, level):
    outside = tmp_path / "outside"
    outside.mkdir()
    place = store.root / level
    if place.exists():
        place.rename(tmp_path / "before")
    place.symlink_to(outside)
    with pytest.raises(StoreError, match="leads out of the store by a symbolic link"):
        store.put("runs", key(2), {}, {"file": b"x"})
    assert not list(outside.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10**5,
        '{"format": NaN}',
        "[]",
        "null",
        '{"format": ' + "9" * 9000 + "}",
        "\xff",
        '{"format": {"a": 1}}',
        '{"format": "1; rm -rf /"}',
    ],
)
def test_a_hostile_store_json(store, text):
    (store.root / "store.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(StoreError, match=r"store\.json cannot be read|is a store of format"):
        store.check()


def test_a_store_json_that_would_never_end(store):
    path = store.root / "store.json"
    for put in devices(path):
        path.unlink() if not path.is_dir() or path.is_symlink() else path.rmdir()
        put()
        with pytest.raises(StoreError, match="cannot be read"):
            store.check()


def test_names_in_tmp_are_only_names(store):
    import socket

    for pid in ("²", "9" * 30, "-1", "../x".replace("/", ""), ""):
        (store.root / "tmp" / f"{socket.gethostname()}~{pid}~x").mkdir()
    store.open()
    assert len(list((store.root / "tmp").iterdir())) == 5


RECORD = {
    "status": "finished",
    "steps_done": 4,
    "seconds": 1.0,
    "optimizer_seconds": 0.1,
    "curvature_seconds": 0.0,
    "flops": 5,
    "final_loss": 1.0,
    "provenance": {"torch": "2", "device": "cpu"},
}


def history(schema: pa.Schema = schemas.HISTORY, **columns) -> bytes:
    plain = {name: [None] for name in schemas.HISTORY.names}
    plain |= {"step": [2], "train_loss": [1.0], "eval_loss": [1.0], "eval_accuracy": [0.5]}
    return parquet.to_bytes(pa.table({**plain, **columns}).cast(schema))


def hostile_runs():
    """Records and histories with a right digest that no engine wrote."""
    good = history()
    for name in RECORD:
        yield {k: v for k, v in RECORD.items() if k != name}, good
    for value in ("x", [], {}, 2**70):
        yield {**RECORD, "seconds" if value != 2**70 else "flops": value}, good
        yield {**RECORD, "provenance": value}, good
    yield RECORD, b"PAR1" + bytes(60) + b"PAR1"
    yield RECORD, b"no Parquet"
    yield RECORD, good[:-20]
    yield RECORD, good[: len(good) // 2] + b"\xff" * 40 + good[len(good) // 2 + 40 :]
    yield RECORD, parquet.to_bytes(pa.table({"step": pa.array([2], pa.int32())}))
    yield RECORD, parquet.to_bytes(schemas.HISTORY.empty_table())
    texts = pa.schema([(field.name, pa.string()) for field in schemas.HISTORY])
    yield RECORD, history(texts)
    unreal = pa.table({f.name: pa.array([0], pa.int64()) for f in schemas.HISTORY})
    yield RECORD, parquet.to_bytes(unreal.set_column(0, "step", pa.ExtensionArray.from_storage(
        pa.opaque(pa.int64(), "x", "y"), pa.array([0], pa.int64()))))  # fmt: skip


@pytest.mark.parametrize("case", range(len(list(hostile_runs()))))
def test_runs_that_no_engine_wrote_are_made_again(tmp_path, case):
    record, content = list(hostile_runs())[case]
    values = STUDY["grids"]["sweep"]["base"] | {"data": {"name": "digits", "train": 64, "test": 32}}
    work = train_cell.CellRun(key(1), {"lr": 0.1}, complete.run_spec(values))
    store = Store(tmp_path)
    store.put("runs", key(1), record, {"history.parquet": content})
    table = train_cell.train_cell("sweep", [work], store, "cpu", 5)
    assert table.num_rows == 1
    assert len(list((tmp_path / "damaged").iterdir())) == 1


def test_metadata_of_tables_is_not_looked_at(tmp_path):
    table = pa.table({"a": [1]}).replace_schema_metadata(
        {
            b"pandas": b'{"index_columns": ["x"], "columns": [{"name": "a", "pandas_type": '
            b'"object", "numpy_type": "object", "metadata": null, "field_name": "a"}]}'
        }
    )
    parquet.write(table, tmp_path / "t.parquet")
    frame = parquet.frame(tmp_path / "t.parquet")
    assert frame["a"].tolist() == [1]
    assert parquet.from_bytes(parquet.to_bytes(table)).schema.metadata is None


def test_a_small_table_that_unpacks_to_a_vast_one():
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, schemas.HISTORY) as writer:
        rows = pa.table({f.name: pa.repeat(pa.scalar(0, f.type), 10**6) for f in schemas.HISTORY})
        for _ in range(11):
            writer.write_table(rows)
    assert len(sink.getvalue()) < 400_000
    with pytest.raises(pa.ArrowInvalid, match="11000000 rows"):
        parquet.from_bytes(sink.getvalue(), schemas.HISTORY)


LENGTH = struct.Struct("<Q")
HEADERS = {
    "none": b"",
    "short": b"\x01",
    "vast length": LENGTH.pack(2**63),
    "longer than the file": LENGTH.pack(1000) + b"{}",
    "not JSON": LENGTH.pack(4) + b"evil",
    "deep": LENGTH.pack(10**5) + b"[" * 10**5,
    "offsets beyond": None,
    "shape that lies": None,
    "vast shape": None,
    "step that is none": None,
}


def lying(name: str) -> bytes:
    if HEADERS[name] is not None:
        return HEADERS[name]
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    tensor |= {
        "offsets beyond": {"data_offsets": [0, 10**12]},
        "shape that lies": {"shape": [100]},
        "vast shape": {"shape": [2**40, 2**40]},
    }.get(name, {})
    head = json.dumps({"../x" if "step" in name else "0/w": tensor}).encode()
    return LENGTH.pack(len(head)) + head + bytes(4)


@pytest.mark.parametrize("name", HEADERS)
def test_lying_headers_of_checkpoints(tmp_path, name):
    store = Store(tmp_path)
    store.put("runs", key(1), RECORD, {"checkpoints.safetensors": lying(name)})
    with pytest.raises(DamagedEntry, match=key(1)):
        stored_weights.read(store.get("runs", key(1)))
    if name != "step that is none":  # which is a sound file of names that no engine gave
        assert len(list(verify.store_faults(store, quick=True))) == 1


@pytest.mark.parametrize("context", [[], "x", None, {"code": []}, {"code": None, "data": {}}, {}])
def test_hostile_contexts_are_explained_and_not_believed(tmp_path, context):
    store = Store(tmp_path)
    store.put("runs", key(1), {"context": context}, {})
    found = status._context(store, key(1))
    wanted = {"code": {"a": "1"}, "data": "x", "parts": {}, "table": {}}
    assert status._difference(wanted, found)
