"""Hostile stores, data and configs: nothing in them runs, escapes its folder, or takes the machine.

The code beside the Snakefile and the notebooks are trusted; config, data and store are not.
"""

from __future__ import annotations

import ast
import gzip
import html
import html.parser
import io
import json
import os
import pickle
import re
import resource
import struct
import subprocess
import sys
import textwrap
import tokenize
from pathlib import Path

import docutils.core
import matplotlib.pyplot as plt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.project import STUDY, files, key

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue import lookup as catalogue_lookup
from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data import files as data_files
from hypertransfer.data.images import cifar10
from hypertransfer.execution import probe_cell, publish, train_cell
from hypertransfer.figures import draw
from hypertransfer.maintenance import verify
from hypertransfer.planning import load as planning_load
from hypertransfer.planning import status, study_plan
from hypertransfer.report import html as report_html
from hypertransfer.report import index
from hypertransfer.report import page as report_page
from hypertransfer.runs.canonical import canonical
from hypertransfer.storage import parquet, schemas
from hypertransfer.storage.run_store import DamagedEntry, Store, StoreError
from hypertransfer.studies import document
from hypertransfer.studies import study as studies_study
from hypertransfer.studies.document import ConfigError

ROOT = Path(__file__).resolve().parents[2]
SEEDED = settings(derandomize=True, deadline=None, max_examples=60)
EVIL = "<script>alert('x')</script>\"' onload=\"alert(1)\" --><b>&amp;"


@pytest.fixture
def bounded():
    """A process with a gigabyte more than it has: bombs fail instead of taking the machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


# --- the code itself ----------------------------------------------------------------------------

SOURCES = [*sorted((ROOT / "workflow").rglob("*.py")), ROOT / "Snakefile",
           *sorted((ROOT / "workflow/rules").glob("*.smk")),
           *sorted((ROOT / "workflow/notebooks").glob("*.ipynb"))]  # fmt: skip
MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {"system", "popen", "read_pickle", "to_pickle",
         "unsafe_load", "full_load", "unsafe_load_all", "UnsafeLoader", "FullLoader",
         "literal_eval", "runpy", "shell"}  # fmt: skip


def names(path: Path) -> set[str]:
    """Every name that a source mentions, of Python, of Snakemake's language, or of a notebook.

    Attributes begin with a dot: `network.eval()` and `re.compile()` are not the builtins.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    found, before = set(), ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            found.add("." * (before == ".") + token.string)
        before = token.string
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_runs_what_it_reads(path):
    allowed = {"pickle"} if path.name == "cifar10.py" else set()
    refused = BUILTINS | MODULES | CALLS | {f".{name}" for name in CALLS}
    assert not names(path) & refused - allowed


def calls(path: Path) -> list[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.suffix == ".py"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_loading_is_of_the_safe_kind(path):
    for call in calls(path):
        called = ast.unparse(call.func)
        options = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if called in ("np.load", "numpy.load"):
            assert options.get("allow_pickle") == "False"
        if called == "torch.load":
            assert options.get("weights_only") == "True"
        if called in ("yaml.load", "yaml.compose", "yaml.load_all"):
            assert options.get("Loader") == "_Loader"
        if called.startswith("subprocess."):
            assert "shell" not in options
        if called.endswith("Unpickler"):
            pytest.fail("an unpickler without its names")
    assert issubclass(document._Loader, yaml.SafeLoader)


def test_the_one_unpickler_knows_names_of_its_own_only():
    assert set(cifar10._NAMES) == {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"),
                                   ("numpy", "dtype")}  # fmt: skip
    assert all(isinstance(v, cifar10._Name | str) for v in cifar10._NAMES.values())


# --- pickles ------------------------------------------------------------------------------------


def glob(module: str, attribute: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{attribute}\n".encode()


class Runs:
    """A pickle that calls a function."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


RECONSTRUCT, DTYPE = glob("numpy.core.multiarray", "_reconstruct"), glob("numpy", "dtype")
EMPTY = RECONSTRUCT + pickle.EMPTY_TUPLE + pickle.REDUCE
SLOTS = pickle.NONE + pickle.EMPTY_DICT + pickle.SHORT_BINSTRING + b"\x04make" + pickle.INT + b"1\n"


def bomb(levels: int) -> bytes:
    """Lists of lists of the same list."""
    out = pickle.EMPTY_LIST
    for _ in range(levels):
        out += pickle.DUP
        out = pickle.EMPTY_LIST + pickle.MARK + out + pickle.APPENDS
    return out


def shared(levels: int) -> bytes:
    """A list that holds another one ten times, and so on: small here, 10^levels written out."""
    out = pickle.EMPTY_LIST + pickle.BINPUT + b"\x00" + pickle.POP
    for level in range(levels):
        again = (pickle.BINGET + bytes([level])) * 10
        out += pickle.EMPTY_LIST + pickle.BINPUT + bytes([level + 1])
        out += pickle.MARK + again + pickle.APPENDS + pickle.POP
    return out + pickle.BINGET + bytes([levels])


def array_state(kind: bytes, shape: bytes, content: bytes) -> bytes:
    state = pickle.MARK + pickle.BININT1 + b"\x01" + shape + kind + pickle.NEWFALSE + content
    return EMPTY + state + pickle.TUPLE + pickle.BUILD


BYTES = DTYPE + pickle.SHORT_BINSTRING + b"\x02u1" + pickle.TUPLE1 + pickle.REDUCE
OBJECTS = DTYPE + pickle.SHORT_BINSTRING + b"\x02O8" + pickle.TUPLE1 + pickle.REDUCE
VAST = pickle.LONG1 + b"\x08" + struct.pack("<q", 2**62) + pickle.TUPLE1
BINARY = pickle.SHORT_BINSTRING + b"\x08" + b"\x41" * 8

HOSTILE = {
    "os.system": pickle.dumps(Runs(os.system, "touch harm"), 2),
    "subprocess": pickle.dumps(Runs(subprocess.call, ["touch", "harm"]), 2),
    "exec": pickle.dumps(Runs(exec, "open('harm', 'w')"), 4),
    "eval by its old name": glob("__builtin__", "eval") + b"(V1\ntR.",
    "getattr": glob("builtins", "getattr") + b"(" + DTYPE + b"V__class__\ntR.",
    "numpy.fromfile": glob("numpy", "fromfile") + b"(V/etc/passwd\ntR.",
    "numpy.memmap": glob("numpy", "memmap") + b"(Vharm\nVu1\nVw+\ntR.",
    "numpy.save": glob("numpy", "save") + b"(Vharm\nV1\ntR.",
    "dotted name": glob("numpy", "dtype.__init__.__globals__") + b".",
    "a class of its own": b"\x80\x02" + DTYPE + b")\x81.",
    "state of a name": RECONSTRUCT + SLOTS + pickle.SETITEM + pickle.TUPLE2 + pickle.BUILD + b".",
    "dict of a name": DTYPE + pickle.EMPTY_DICT + pickle.BUILD + b".",
    "array of objects": array_state(OBJECTS, pickle.INT + b"1\n" + pickle.TUPLE1, BINARY) + b".",
    "array of a vast shape": array_state(BYTES, VAST, BINARY) + b".",
    "array of negative shape": array_state(BYTES, b"I-1\n" + pickle.TUPLE1, BINARY) + b".",
    "persistent name": pickle.PERSID + b"os.system\n.",
    "extension": pickle.EXT1 + b"\x01.",
    "memo at 2^31": b"\x80\x02]" + pickle.LONG_BINPUT + struct.pack("<I", 2**31 - 1) + b".",
    "text of 2^60": b"\x80\x04" + pickle.BINBYTES8 + struct.pack("<Q", 2**60) + b".",
    "text of 3 GB": b"\x80\x03" + pickle.BINBYTES + struct.pack("<I", 3 * 2**30) + b".",
    "deep": pickle.EMPTY_LIST * 10**5 + pickle.APPEND * (10**5 - 1) + b".",
    "shared lists": b"}" + b"U\x04data" + shared(40) + b"sU\x06labels" + shared(40) + b"s.",
    "batch of shared lists": b"}" + b"U\x04data" + array_state(
        BYTES, pickle.INT + b"8\n" + pickle.TUPLE1, BINARY) + b"sU\x06labels" + shared(40) + b"s.",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path, monkeypatch, bounded, name):
    monkeypatch.chdir(tmp_path)
    before = dict(cifar10._NAMES)
    (tmp_path / "batch").write_bytes(HOSTILE[name])
    with pytest.raises(DatasetError, match="is not an official batch file"):
        cifar10.read_batch(tmp_path / "batch")
    assert [path.name for path in tmp_path.iterdir()] == ["batch"]
    assert before == cifar10._NAMES
    assert [v.make for v in before.values() if v != "ndarray"] == [cifar10._Array, cifar10._Type]


@SEEDED
@given(st.binary(max_size=200), st.integers(0, 5))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, cut):
    path = tmp_path_factory.mktemp("pickle") / "batch"
    for start in (b"", b"\x80\x02", RECONSTRUCT, BYTES, EMPTY):
        path.write_bytes(start + content)
        with pytest.raises(DatasetError):
            cifar10.read_batch(path)


def test_a_gzip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(data_files, "MOST_BYTES", 10**6)
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(10**7)))
    with pytest.raises(DatasetError, match="unpacks to more than 1000000 bytes"):
        data_files.read(tmp_path / "x.gz", None, "hint", unpack=True)


# --- the store ----------------------------------------------------------------------------------


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
    with pytest.raises(DamagedEntry, match="not of the form"):
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
    with pytest.raises(DamagedEntry, match="not of the form"):
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
    with pytest.raises(DamagedEntry, match="a link stands in its place"):
        store.get("runs", key(1))


@pytest.mark.parametrize("level", ["runs", "runs/00", f"runs/00/{2:024x}", "tmp", "damaged"])
def test_no_link_leads_writers_out_of_the_store(store, tmp_path, level):
    outside = tmp_path / "outside"
    outside.mkdir()
    place = store.root / level
    if place.exists():
        place.rename(tmp_path / "before")
    place.symlink_to(outside)
    with pytest.raises(StoreError, match="leads out of the store by a link"):
        store.put("runs", key(2), {}, {"file": b"x"})
    assert not list(outside.iterdir())


@pytest.mark.parametrize(
    "text", ["[" * 10**5, '{"format": NaN}', "[]", "null", '{"format": ' + "9" * 9000 + "}", "\xff",
             '{"format": {"a": 1}}', '{"format": "1; rm -rf /"}'],
)  # fmt: skip
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


RECORD = {"status": "finished", "steps_done": 4, "seconds": 1.0, "optimizer_seconds": 0.1,
          "curvature_seconds": 0.0, "flops": 5, "final_loss": 1.0,
          "provenance": {"torch": "2", "device": "cpu"}}  # fmt: skip


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
        {b"pandas": b'{"index_columns": ["x"], "columns": [{"name": "a", "pandas_type": "object", '
                    b'"numpy_type": "object", "metadata": null, "field_name": "a"}]}'}
    )  # fmt: skip
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
    tensor |= {"offsets beyond": {"data_offsets": [0, 10**12]}, "shape that lies": {"shape": [100]},
               "vast shape": {"shape": [2**40, 2**40]}}.get(name, {})  # fmt: skip
    head = json.dumps({"../x" if "step" in name else "0/w": tensor}).encode()
    return LENGTH.pack(len(head)) + head + bytes(4)


@pytest.mark.parametrize("name", HEADERS)
def test_lying_headers_of_checkpoints(tmp_path, name):
    store = Store(tmp_path)
    store.put("runs", key(1), RECORD, {"checkpoints.safetensors": lying(name)})
    with pytest.raises(DamagedEntry, match=key(1)):
        probe_cell._checkpoints(store.get("runs", key(1)))
    if name != "step that is none":  # which is a sound file of names that no engine gave
        assert len(list(verify.store_faults(store, quick=True))) == 1


@pytest.mark.parametrize("context", [[], "x", None, {"code": []}, {"code": None, "data": {}}, {}])
def test_hostile_contexts_are_explained_and_not_believed(tmp_path, context):
    store = Store(tmp_path)
    store.put("runs", key(1), {"context": context}, {})
    found = status._context(store, key(1))
    wanted = {"code": {"a": "1"}, "data": "x", "parts": {}, "table": {}}
    assert status._difference(wanted, found)


# --- configs ------------------------------------------------------------------------------------


def study_file(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def laughs(levels: int, form: str = "[{}]", times: int = 10) -> str:
    lines = ["a0: &a0 [1]" if form == "[{}]" else "a0: &a0 {k0: 1}"]
    for level in range(1, levels):
        inner = ", ".join([f"*a{level - 1}"] * times)
        lines.append(f"a{level}: &a{level} {form.format(inner)}")
    return "study: mine\n" + "\n".join(lines) + "\n"


HOSTILE_YAML = {
    "apply": ("study: mine\nx: !!python/object/apply:os.system ['touch harm']\n", 2),
    "name": ("study: mine\n\nx: !!python/name:os.system\n", 3),
    "module": ("x: !!python/module:os\n", 1),
    "new": ("x: !!python/object/new:os.system ['touch harm']\n", 1),
    "key": ("? !!python/object/apply:os.system ['touch harm']\n: 1\n", 1),
    "own tag": ("x: !evil 1\n", 1),
    "binary": ("x: !!binary aGk=\n", 1),
    "set": ("x: !!set {a, b}\n", 1),
    "billion laughs": (laughs(12), 8),
    "laughs by merging": (laughs(24, "{{<<: [{}]}}", 3), 14),
    "holds itself": ("study: mine\nx: &x [*x]\n", 2),
    "holds itself by a key": ("x: &x {y: *x}\n", 1),
}


@pytest.mark.parametrize("name", HOSTILE_YAML)
def test_hostile_yaml_is_refused_with_its_line(tmp_path, monkeypatch, bounded, name):
    monkeypatch.chdir(tmp_path)
    text, line = HOSTILE_YAML[name]
    file = study_file(tmp_path / "studies", text)
    with pytest.raises(ConfigError) as caught:
        studies_study.load_study("mine", "desk", file.parent)
    assert re.search(rf"mine\.yaml:{line}: ", str(caught.value)), str(caught.value)
    assert len(str(caught.value)) < 1000
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "text", ["[" * 10**5, "{a: " * 10**4, "- " * 10**4, "a: " + "[" * 60 + "]" * 60]
)
def test_deep_yaml_is_refused(tmp_path, text):
    file = study_file(tmp_path / "studies", text)
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        document.read(file)


def test_a_vast_config_is_not_taken_in(tmp_path):
    file = study_file(tmp_path / "studies", "# " + "x" * 5_000_000)
    with pytest.raises(ConfigError, match="more than 4194304 bytes"):
        document.read(file)
    with pytest.raises(ConfigError, match="not a regular file"):
        document.read(Path("/dev/zero"))


def load(folder: Path, study: dict) -> studies_study.Study:
    file = study_file(folder / "studies", yaml.safe_dump(study, sort_keys=False))
    return studies_study.load_study("mine", "desk", file.parent)


def with_grid(**changes) -> dict:
    study = json.loads(json.dumps(STUDY))
    study["grids"]["sweep"] |= changes
    return study


@pytest.mark.parametrize(
    "axes",
    [{"lr": {"logspace": {"from": 0.1, "to": 1, "points": 10**12}}}, {"seed": {"range": 10**12}},
     {"lr": {"powers": {"base": 2, "from": 0, "to": 1, "step": 1e-12}}},
     {"lr": {"powers": {"base": 2, "from": 10**12, "to": 10**12}}},
     {"lr": {"powers": {"base": 2, "from": 0, "to": 1, "step": 1e-320}}},
     {"seed": {"range": 50_000}, "order_seed": {"range": 50_000}},
     {"seed": [10**400]}, {"lr": [10**400]}, {"shape.width": [10**30]},
     {f"x{n}": [1] for n in range(21)}],
)  # fmt: skip
def test_small_grids_that_mean_vast_ones(tmp_path, bounded, axes):
    with pytest.raises(ConfigError, match=r"mine\.yaml:\d+: grids\.sweep"):
        load(tmp_path, with_grid(axes=axes))


@pytest.mark.parametrize("checkpoints", [{"every": 1}, {"count": 10**12}])
def test_schedules_that_mean_vast_ones(tmp_path, bounded, checkpoints):
    study = with_grid()
    study["grids"]["sweep"]["base"]["steps"] = 10**13
    study["grids"]["sweep"]["probes"]["sharpness"]["checkpoints"] = checkpoints
    with pytest.raises(ConfigError, match="at most 100000 checkpoints"):
        load(tmp_path, study)


NAMES = ["../x", "/etc/x", "..", ".", "", "a/b", "a\\b", "a\x00b", "a\n", "a\nb", "{study}", "{a}",
         "a;rm -rf ~", "$(id)", "`id`", "a b", "-rf", "~", "é", "a" * 300, "*", "a|b",
         "\u202ea"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["study", "grid", "probe", "axis", "figure"])
def test_names_that_would_lead_elsewhere(tmp_path, name, place):
    study = with_grid()
    grid = study["grids"]["sweep"]
    if place == "study":
        study["study"] = name
        with pytest.raises(ConfigError):
            studies_study.load_study(name, "desk", tmp_path)
    elif place == "grid":
        study["grids"][name] = grid
    elif place == "probe":
        grid["probes"][name] = grid["probes"]["sharpness"]
    elif place == "axis":  # a model of one's own takes any option, so any axis
        grid["axes"][f"model.{name}"] = [1]
    else:
        study["figures"][0]["id"] = name
    with pytest.raises(ConfigError, match=r"mine\.yaml:\d+: "):
        load(tmp_path, study)


@SEEDED
@given(st.lists(st.text(max_size=60) | st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
def test_values_of_axes_stay_in_their_folder(values):
    from hypertransfer.studies import grid

    for value in values:
        path = grid.Cell("sweep", {"model.x": value}, ()).path
        assert re.fullmatch(r"sweep/model\.x~[^/{}\x00\s*?;|&$`'\"\\]+", path)
        assert not path.endswith(("~.", "~.."))
        assert len(path) < 200


@pytest.mark.parametrize("text", ["/tmp/x\x00y", "a\nb", "", "x" * 2000])
def test_hostile_stores_and_studies_of_the_main_config(text):
    good = {"scale": "desk", "studies": ["mine"], "device": "cpu", "store": "s", "job_minutes": 3}
    studies_study.check_main(good, Path("missing"))
    with pytest.raises(ConfigError, match="store"):
        studies_study.check_main({**good, "store": text}, Path("missing"))
    with pytest.raises(ConfigError, match="device"):
        studies_study.check_main({**good, "device": "cpu\n"}, Path("missing"))
    with pytest.raises(ConfigError, match=r"no study '\.\./x'"):
        planning_load.load({**good, "studies": ["../x"]})


def test_a_config_that_snakemake_would_run(tmp_path):
    file = tmp_path / "config.yaml"
    for text in ("__use_yte__: true\nstore: ?__import__('os').system('id')\n",
                 "x: &x {__use_yte__: true}\n<<: *x\n"):  # fmt: skip
        file.write_text(text)
        with pytest.raises(ConfigError, match="as Python"):
            document.refuse_templates(document.read(file))
        with pytest.raises(ConfigError, match="as Python"):
            studies_study.check_main({}, file)


def test_problems_are_a_line_each(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {**STUDY, "x\n  forged: line\x1b[2J": "y" * 10**5})
    assert len(str(caught.value).splitlines()) == 2
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 5000


# --- import paths -------------------------------------------------------------------------------

KINDS = ("model", "optimizer", "data", "parameterisation")


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A project's folder, with modules beside its Snakefile."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "my_parts.py").write_text(
        textwrap.dedent("""
        import subprocess
        from subprocess import run
        from hypertransfer.report.page import execute
        from hypertransfer.parameterisation.tables import PARAMETERISATIONS
        from my_package import deep
        mine = PARAMETERISATIONS["mup"]
        def load(): return "mine"
        def _hidden(): return "mine"
        class Net: pass
    """)
    )
    (folder / "my_package").mkdir()
    (folder / "my_package/__init__.py").write_text("from my_package.inner import deep\n")
    (folder / "my_package/inner.py").write_text("def deep(): return 'deep'\n")
    (folder / "json.py").write_text("load = None\n")
    (folder / "pandas.py").write_text("open('harm', 'w')\n")
    (folder / "evil dir").mkdir()
    (tmp_path / "outside.py").write_text("open('harm', 'w')\n")
    (folder / "linked.py").symlink_to(tmp_path / "outside.py")
    site = folder / "lib/site-packages"
    site.mkdir(parents=True)
    (site / "installed.py").write_text("open('harm', 'w')\n")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("my_") or name in ("linked", "outside"):
            del sys.modules[name]
    assert not (folder / "harm").exists()


FOREIGN = [
    "os:system", "subprocess:run", "this:s", "antigravity:fly", "builtins:eval", "json:load",
    "numpy:load", "torch.hub:load", "pandas:read_pickle", "linked:x",
    "lib.site-packages.installed:x", "../outside:x", "..outside:x", ".outside:x",
    "my_parts", "my_parts:", ":load", "my_parts:_hidden", "my_parts:__builtins__",
    "my_parts:load.__globals__", "my_parts\x00:x", "my parts:x", "/etc:x",
    "my_parts:load:x", "hypertransfer.report.page:execute",
    "hypertransfer.execution.publish:publish", "hypertransfer.storage.atomic:replace_atomically",
    "hypertransfer.execution.provenance:subprocess", "hypertransfer:x",
    "hypertransfer.cli.main:main", "my_parts/../my_parts:load",
]  # fmt: skip


@pytest.mark.parametrize("path", FOREIGN)
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_config_may_not_name_is_not_imported(beside, tmp_path, kind, path):
    before = set(sys.modules)
    with pytest.raises(ValueError, match=re.escape(repr(path))):
        lookup.load(kind, path)
    assert set(sys.modules) == before
    if ":" not in path:
        return
    study = with_grid()
    study["grids"]["sweep"]["base"][kind] = path if kind == "parameterisation" else {"name": path}
    with pytest.raises(ConfigError, match=rf"mine\.yaml:\d+: grids\.sweep\.base\.{kind}"):
        load(tmp_path, study)
    assert set(sys.modules) == before


@pytest.mark.parametrize("path", ["my_parts:run", "my_parts:execute"])
def test_what_a_module_took_from_elsewhere_is_no_part(beside, path):
    for kind in KINDS:
        with pytest.raises(ValueError, match="was taken from"):
            lookup.load(kind, path)


def test_parts_of_the_project_can_be_named(beside):
    assert lookup.load("data", "my_parts:load")() == "mine"
    assert lookup.load("model", "my_parts:Net").__name__ == "Net"
    assert lookup.load("data", "my_package:deep")() == "deep"
    assert lookup.load("data", "my_parts:deep")() == "deep"
    values = STUDY["grids"]["sweep"]["base"] | {"parameterisation": "my_parts:mine"}
    assert catalogue_lookup.table(complete.run_spec(values)).name == "mup"


def test_a_table_is_a_table(beside):
    values = STUDY["grids"]["sweep"]["base"] | {"parameterisation": "my_parts:load"}
    with pytest.raises(ValueError, match="neither a Parameterisation"):
        catalogue_lookup.table(complete.run_spec(values))


# --- pages, figures, notebooks ------------------------------------------------------------------

CARD = pd.DataFrame(
    [{"study": "mine", "claim": "x", "sentence": EVIL, "source": EVIL, "paper_value": EVIL,
      "bar": EVIL, "verdict": "fails", "reason": EVIL, "confidence": "low", "value": 1.0,
      "low": 0.0, "high": 2.0}]
)  # fmt: skip


class Seen(html.parser.HTMLParser):
    """What a browser makes of a page: its elements, their attributes, what it would run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.attributes: set[str] = set()
        self.runs = ""
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.attributes |= {name for name, _ in attributes}
        self.runs += " ".join(value or "" for name, value in attributes if name.startswith("on"))

    def handle_data(self, data):
        self.text += data
        self.runs += data * (self.cdata_elem == "script")


def harmless(page: str, times: int) -> None:
    """The evil text can be read, as often as it was written, and nothing of it would run."""
    seen = Seen(page)
    assert "alert" not in seen.runs
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert seen.text.count("alert('x')") >= times


def test_a_browser_would_see_the_attack():
    for page in (EVIL, f'<p title="{EVIL}">'):
        with pytest.raises(AssertionError):
            harmless(page, 0)


def test_the_index_page_escapes():
    harmless(index.page(CARD, [{"name": "mine", "title": EVIL, "scale": "desk"}]), 5)


def test_what_notebooks_show_is_escaped(tmp_path):
    (tmp_path / "f.png").write_bytes(b"png")
    study = {"title": EVIL, "question": EVIL,
             "paper": {"title": EVIL, "authors": EVIL, "arxiv": EVIL, "venue": EVIL}}  # fmt: skip
    harmless(report_html.heading(study, "smoke").data, 6)
    harmless(report_html.figure(str(tmp_path / "f.png"), EVIL, EVIL).data, 2)
    harmless(report_html.claims_table(CARD).data, 5)
    harmless(report_html.table([{EVIL: EVIL}], EVIL), 3)


def test_figures_escape(tmp_path):
    figure, axes = plt.subplots()
    axes.set_xlabel(EVIL)
    figure.suptitle(EVIL)
    draw.save(figure, str(tmp_path / "f.svg"))
    text = (tmp_path / "f.svg").read_text()
    assert "<script" not in text
    assert "--><b>" not in text
    import xml.etree.ElementTree as tree

    tags = {node.tag.rpartition("}")[2] for node in tree.fromstring(text).iter()}
    assert "script" not in tags


def test_captions_are_text_in_the_bundled_report(tmp_path):
    evil = EVIL + "\n\n.. raw:: html\n\n   <script>alert(1)</script>\n\n.. include:: /etc/passwd\n"
    evil += "`x <javascript:alert(1)>`_ {{ 7 * 7 }} |x| *y* a_ :math:`x`"
    study = with_grid()
    study["figures"][0]["caption"] = evil
    caption = study_plan.StudyPlan(load(tmp_path, study), 3).caption("sweep")
    page = docutils.core.publish_parts(caption, writer="html")["body"]
    assert "root:" not in page
    assert "<script" not in page
    assert "<a " not in page
    text = html.unescape(re.sub(r"<[^>]*>", "", page))
    assert " ".join(text.split()) == " ".join(evil.split())


QUOTES = ['"', "'", "\\", '\\"', "\n", '"""', "'''", "\u2028", "\x00", "{x}", "%s",
          '"+__import__("os").system("x")+"', "\\N{DIGIT ONE}"]  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.sampled_from(QUOTES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@SEEDED
@given(st.dictionaries(st.sampled_from(["study", "scale", "captions"]), values))
def test_parameters_of_notebooks_are_values_and_no_code(parameters):
    """papermill writes parameters as source: read back, it is literals that say the same."""
    from papermill.translators import PythonTranslator

    cell = ast.parse(PythonTranslator.codify(parameters))
    found = {node.targets[0].id: ast.literal_eval(node.value) for node in cell.body}
    assert found == parameters


def test_a_report_of_a_hostile_study(tmp_path, monkeypatch):
    """The whole way: papermill, the kernel, and the page."""
    import nbformat

    monkeypatch.setattr(report_page, "NOTEBOOKS", tmp_path)
    cells = [
        nbformat.v4.new_code_cell("study, scale = {}, ''", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("from hypertransfer.report import html as show\n"
                                  "show.heading(study, scale)"),
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(book, tmp_path / "mine.ipynb")
    evil = EVIL + '"); import pathlib; pathlib.Path("harm").touch() #\n\\'
    study = {"title": evil, "question": evil, "paper": {"title": evil, "authors": evil}}
    output = tmp_path / "out.ipynb"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "workflow"))
    report_page.execute(
        str(tmp_path / "mine.ipynb"), str(output), {"study": study, "scale": "desk"}
    )
    monkeypatch.setattr(report_page, "NOTEBOOKS", ROOT / "workflow/notebooks")
    page = report_page.page(str(output), evil)
    harmless(page, 5)
    assert not (tmp_path / "harm").exists()


def test_notebooks_run_from_the_repository_only(tmp_path, monkeypatch):
    home = report_page.NOTEBOOKS
    for path in (tmp_path / "x.ipynb", "../x.ipynb", "https://example.org/x.ipynb",
                 f"{home}/../x.ipynb", f"{home}/templates/x.ipynb"):  # fmt: skip
        with pytest.raises(
            report_page.ReportError, match="only notebooks of this folder are executed"
        ):
            report_page.execute(str(path), str(tmp_path / "out.ipynb"), {})
    books = tmp_path / "notebooks"
    books.mkdir()
    (tmp_path / "evil.ipynb").write_text("{}")
    (books / "mine.ipynb").symlink_to(tmp_path / "evil.ipynb")
    monkeypatch.setattr(study_plan, "NOTEBOOKS", books)
    with pytest.raises(ConfigError, match="a link that leads out"):
        study_plan.notebook(studies_study.Study("mine", "desk", {}, {}))


def test_a_marker_removes_stable_files_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = Path("results/mine")
    for name in ("figures", "made/published", "tables"):
        (root / name).mkdir(parents=True)
    (tmp_path / "precious").write_text("x")
    (root / "made/x.parquet").write_text("x")
    (root / "figures/old.svg").write_text("x")
    (root / "report.html").write_text("x")
    (root / "linked").symlink_to(tmp_path)
    hostile = ["precious", str(tmp_path / "precious"), "results/mine/../../precious",
               "results/mine/linked/precious", "results/mine/made/x.parquet"]  # fmt: skip
    marker = root / "made/published/0.json"
    good = ["results/mine/figures/old.svg"]
    marker.write_text(json.dumps({path: [1, 1] for path in hostile + good}))
    (root / "made/published/1.json").write_text("[" * 10**5)
    publish.publish(str(root), {"report.html": "results/mine/made/x.parquet"},
                    str(root / "made/published/2.json"))  # fmt: skip
    assert (tmp_path / "precious").exists()
    assert (root / "made/x.parquet").exists()
    assert not (root / "figures/old.svg").exists()
    assert [path.name for path in (root / "made/published").iterdir()] == ["2.json"]
