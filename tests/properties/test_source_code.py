"""The sources run nothing that they read.

The code beside the Snakefile and the notebooks are trusted; config, data and store are not.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
from pathlib import Path

import pytest
import yaml

from hypertransfer.catalogue import config_schemas
from hypertransfer.data.images import cifar10
from hypertransfer.studies import document

ROOT = Path(__file__).resolve().parents[2]


SOURCES = [
    *sorted((ROOT / "workflow").rglob("*.py")),
    ROOT / "Snakefile",
    ROOT / "workflow/Snakefile",
    *sorted((ROOT / "workflow/rules").glob("*.smk")),
    *sorted((ROOT / "workflow/notebooks").glob("*.ipynb")),
]
MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {"system", "popen", "read_pickle", "to_pickle",
         "unsafe_load", "full_load", "unsafe_load_all", "UnsafeLoader", "FullLoader",
         "literal_eval", "runpy", "shell"}  # fmt: skip


def names(path: Path) -> set[str]:
    """Every name that a source mentions, of Python, of Snakemake's language, or of a notebook.

    Attributes begin with a dot: `network.eval()` and `re.compile()` are not the builtins. Nor is
    a method that a class defines by such a name.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    found, before = set(), ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and before != "def":
            found.add("." * (before == ".") + token.string)
        before = token.string
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_runs_what_it_reads(path):
    allowed = {"pickle"} if path.name in ("cifar10.py", "module_state.py") else set()
    refused = BUILTINS | MODULES | CALLS | {f".{name}" for name in CALLS}
    assert not names(path) & refused - allowed


def test_attributes_are_pickled_to_compare_them_and_never_read():
    (path,) = (path for path in SOURCES if path.name == "module_state.py")
    assert ".Pickler" in names(path)
    assert not names(path) & {".load", ".loads", ".Unpickler", "load", "loads", "Unpickler"}


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
            assert options.get("Loader") in ("_Loader", "yaml.BaseLoader")
        if called.startswith("subprocess."):
            assert "shell" not in options
        if called.endswith("Unpickler"):
            pytest.fail("an unpickler without its names")
    for loader in (document._Loader, config_schemas._Loader):
        assert issubclass(loader, yaml.constructor.SafeConstructor)
        assert not issubclass(loader, yaml.constructor.FullConstructor)


def without_encoding(call: ast.Call) -> bool:
    """Whether a call reads or writes text in the encoding of the user's locale."""
    name = ast.unparse(call.func)
    options = {word.arg for word in call.keywords}
    arguments = [a.value for a in call.args if isinstance(a, ast.Constant)]
    if "encoding" in options or "utf-8" in arguments:
        return False
    modes = [a for a in arguments if isinstance(a, str) and set(a) <= set("rwaxbt+")]
    if name == "open" or name.endswith((".open", "TemporaryFile")):
        flags = name == "os.open" or name in ("store.open", "self.open")
        return not flags and not any("b" in mode for mode in modes)
    return name.endswith((".read_text", ".write_text")) or bool(
        {"text", "universal_newlines"} & options and name.startswith("subprocess.")
    )


def with_threads(call: ast.Call) -> bool:
    """Whether a call has pyarrow start threads, which abort a process that ends before they do."""
    name = ast.unparse(call.func).rpartition(".")[2]
    options = {word.arg or ast.unparse(word.value): word.value for word in call.keywords}
    off = {word for word, value in options.items() if ast.unparse(value) == "False"}
    if name == "ParquetFile":
        return "pre_buffer" not in off and "READING" not in options
    if name in ("read_parquet", "read_feather", "dataset"):
        return True
    return name in ("to_pandas", "iter_batches", "read_row_group") and "use_threads" not in off


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.suffix == ".py"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_tables_are_read_without_threads(path):
    assert not [ast.unparse(call) for call in calls(path) if with_threads(call)]


@pytest.mark.parametrize(
    ("source", "starts"),
    [
        ("pq.ParquetFile(path)", True),
        ("pq.ParquetFile(path, pre_buffer=True)", True),
        ("pq.ParquetFile(path, pre_buffer=False)", False),
        ("pq.ParquetFile(path, **READING)", False),
        ("table.to_pandas()", True),
        ("table.to_pandas(use_threads=False)", False),
        ("file.iter_batches(use_threads=True)", True),
        ("pd.read_parquet(path)", True),
    ],
)
def test_what_starts_threads(source, starts):
    (call,) = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    assert with_threads(call) is starts


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.suffix == ".py"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_text_is_read_and_written_in_a_stated_encoding(path):
    assert not [ast.unparse(call) for call in calls(path) if without_encoding(call)]


@pytest.mark.parametrize(
    ("source", "depends"),
    [
        ("path.read_text()", True),
        ("path.write_text(text)", True),
        ("path.open('a')", True),
        ("open(path)", True),
        ("tempfile.TemporaryFile('w+')", True),
        ("subprocess.run(command, text=True)", True),
        ("path.read_text(encoding='utf-8')", False),
        ("path.open('rb')", False),
        ("os.open(path, flags)", False),
        ("subprocess.run(command)", False),
    ],
)
def test_encodings_of_locales_are_recognised(source, depends):
    assert without_encoding(ast.parse(source).body[0].value) is depends


def test_the_one_unpickler_knows_names_of_its_own_only():
    assert set(cifar10._NAMES) == {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    }
    assert all(isinstance(v, cifar10._Name | str) for v in cifar10._NAMES.values())
