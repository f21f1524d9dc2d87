"""Fingerprints: what changes a run's key, and what does not."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypertransfer.catalogue import complete, module_source, versions
from hypertransfer.planning import fingerprint, keys

SEEDED = settings(derandomize=True, deadline=None)  # the same cases on every machine

ROOT = Path(__file__).resolve().parents[2]


def code(text):
    return fingerprint.code_hash(textwrap.dedent(text))


PLAIN = """
    import math

    def area(radius):
        return math.pi * radius ** 2

    class Circle:
        sides = 0
"""

SAME = {
    "comments": PLAIN.replace("import math", "import math  # for pi\n    # and no more"),
    "formatting": PLAIN.replace("math.pi * radius ** 2", "(math.pi\n            * radius**2)"),
    "quotes and blank lines": PLAIN.replace("\n    class", "\n\n\n    class"),
    "docstring of the module": '\n    """Areas."""' + PLAIN,
    "docstring of a function": PLAIN.replace("(radius):", '(radius):\n        """Area."""'),
    "docstring of a class": PLAIN.replace("Circle:", 'Circle:\n        """A circle."""'),
}

OTHER = {
    "a constant": PLAIN.replace("** 2", "** 3"),
    "a name": PLAIN.replace("radius", "r"),
    "an import": PLAIN.replace("import math", "import cmath as math"),
    "an attribute": PLAIN.replace("sides = 0", "sides = 1"),
    "a decorator": PLAIN.replace("class Circle", "@str\n    class Circle"),
    "a default": PLAIN.replace("(radius)", "(radius=1)"),
    "a text that is no docstring": PLAIN.replace("sides = 0", "sides = 'none'"),
    "a further statement": PLAIN + "    area(2)\n",
}


@pytest.mark.parametrize("change", SAME)
def test_what_does_not_change_the_hash(change):
    assert SAME[change] != PLAIN
    assert code(SAME[change]) == code(PLAIN)


@pytest.mark.parametrize("change", OTHER)
def test_what_changes_the_hash(change):
    assert OTHER[change] != PLAIN
    assert code(OTHER[change]) != code(PLAIN)


def test_a_docstring_in_an_empty_module_changes_nothing():
    assert code('"""Only words."""') == code("") == code("# a comment")


def test_a_function_of_a_docstring_alone_does_nothing():
    assert code('def f():\n    """Words."""') == code("def f():\n    pass")


names = st.sampled_from(["a", "b", "c"])
expressions = st.recursive(
    names | st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "*", "-"]), inner).map(
        lambda t: f"({t[0]} {t[1]} {t[2]})"
    ),
    max_leaves=5,
)
sources = st.lists(
    st.tuples(names, expressions).map(lambda t: f"{t[0]} = {t[1]}"), min_size=1, max_size=6
)
comments = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20)


@SEEDED
@given(sources, st.lists(comments, min_size=6, max_size=6), st.integers(0, 3))
def test_comments_and_blank_lines_anywhere_change_nothing(lines, words, blank):
    noisy = ("\n" * (blank + 1)).join(
        f"{line}  # {word}" for line, word in zip(lines, words, strict=False)
    )
    assert code(noisy) == code("\n".join(lines))


@SEEDED
@given(sources, sources)
def test_equal_hashes_mean_equal_trees(first, second):
    one, other = "\n".join(first), "\n".join(second)
    same = ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    assert (code(one) == code(other)) == same


@pytest.mark.parametrize(
    ("source", "module", "is_package", "found"),
    [
        ("import a.b.c", "m", False, {"a", "a.b", "a.b.c"}),
        ("import a as x, b", "m", False, {"a", "b"}),
        ("from a.b import c", "m", False, {"a", "a.b", "a.b.c"}),
        ("from . import x", "p.m", False, {"p", "p.x"}),
        ("from .x import y", "p.q.m", False, {"p", "p.q", "p.q.x", "p.q.x.y"}),
        ("from ..x import y", "p.q.m", False, {"p", "p.x", "p.x.y"}),
        ("from . import x", "p.q", True, {"p", "p.q.x"}),
        ("def f():\n    import late", "m", False, {"late"}),
        (
            "if True:\n    try:\n        from a import b\n    except E: pass",
            "m",
            False,
            {"a", "a.b"},
        ),
        ("'import no'", "m", False, set()),
    ],
)
def test_imports(source, module, is_package, found):
    assert fingerprint.imports(source, module, is_package) == found


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A working directory with modules of one's own."""
    monkeypatch.chdir(tmp_path)

    def write(**files):
        for name, text in files.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def test_imports_are_followed(own, tmp_path):
    own(
        start="import pack.one\nfrom pack import two\ndef late():\n    import helper",
        pack__one="from . import three",
        pack__two="from .sub.four import thing",
        pack__three="import start",
        pack__sub__four="thing = 1",
        pack__unused="x = 1",
        helper="x = 1",
    )
    (tmp_path / "pack" / "__init__.py").write_text("")
    found = fingerprint.fingerprint("start")
    assert set(found) == {
        "start",
        "helper",
        "pack",
        "pack.one",
        "pack.two",
        "pack.three",
        "pack.sub.four",
    }


def test_a_change_far_away_changes_one_hash(own):
    own(start="import middle", middle="import end", end="x = 1")
    before = fingerprint.fingerprint("start")
    own(end="x = 20")
    after = fingerprint.fingerprint("start")
    assert {name for name in before if before[name] != after[name]} == {"end"}
    own(end="x = 20  # more words")
    assert fingerprint.fingerprint("start") == after


def test_installed_libraries_are_not_followed(own, tmp_path):
    own(start="import numpy, torch, json, left\nfrom yaml import nodes", left="")
    (tmp_path / "torch").mkdir()  # a folder that only looks like the library
    assert set(fingerprint.fingerprint("start")) == {"start", "left"}


def test_environments_in_the_working_directory_are_not_followed(own, monkeypatch, tmp_path):
    libraries = ".venv__lib__site-packages"
    own(**{f"{libraries}__lib": "x = 1", "start": "import lib"})
    site = tmp_path / ".venv" / "lib" / "site-packages"
    monkeypatch.setattr(module_source, "roots", lambda: (tmp_path, site))
    assert set(fingerprint.fingerprint("start")) == {"start"}


def test_tables_that_count_by_value_are_not_followed(own):
    own(start="".join(f"import {name}\n" for name in sorted(fingerprint.BY_VALUE)))
    assert not set(fingerprint.fingerprint("start")) & fingerprint.BY_VALUE
    assert all(module_source.find(name) for name in fingerprint.BY_VALUE)


def test_a_run_is_answered_by_the_engine_and_its_own_parts():
    found = fingerprint.fingerprint("hypertransfer.training.loop", "hypertransfer.optimizers.sgd")
    assert {
        "hypertransfer.training.loop",
        "hypertransfer.networks.resolve",
        "hypertransfer.parameterisation.algebra",
    } <= set(found)
    strangers = ("adam", "plots", "claims", "plan", "probes", "grid", "config", "store")
    assert not [name for name in found if name.rpartition(".")[2] in strangers]


def test_an_entry_that_is_not_there():
    with pytest.raises(ModuleNotFoundError, match=r"no source of module 'nowhere\.at_all'"):
        fingerprint.fingerprint("nowhere.at_all")


def test_a_source_that_is_no_python_is_named(own, tmp_path):
    own(start="import end", end="def f(:")
    with pytest.raises(SyntaxError) as caught:
        fingerprint.fingerprint("start")
    assert caught.value.filename == str(tmp_path / "end.py")


# Keys of one run for each of these, in a copy of the library that a test may edit.
KEYS = """
import json
from hypertransfer.planning import keys
from hypertransfer.catalogue import complete

BASE = {"model": "residual_mlp", "data": "digits", "base": {"width": 4, "depth": 1},
        "shape": {"width": 8, "depth": 1}, "batch_size": 32, "steps": 6, "log_every": 2,
        "seed": 0, "lr": 0.1}
found = {}
for optimizer in ("sgd", "adam", "adamw"):
    for table in ("sp", "ntp", "mup", "depth_mup"):
        spec = complete.run_spec({**BASE, "optimizer": optimizer, "parameterisation": table})
        found[f"{optimizer} {table}"] = keys.run_key(spec)
spec = complete.run_spec({**BASE, "model": "conv", "data": "fashion_mnist_subset",
                      "optimizer": "sgd", "parameterisation": "sp"})
found["conv"] = keys.run_key(spec)
settings = {"probe": "hessian", "checkpoints": [0]}
found["probe"] = keys.Contexts().probe_key("run", settings)
print(json.dumps(found))
"""


class Copy:
    """A copy of the library."""

    def __init__(self, folder, source):
        self.folder = folder
        shutil.copytree(
            source / "hypertransfer",
            folder / "hypertransfer",
            ignore=shutil.ignore_patterns("__pycache__", "vendored"),
        )

    def keys(self):
        """The keys that a new process finds."""
        done = subprocess.run(
            [sys.executable, "-c", KEYS],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        return json.loads(done.stdout)

    def edit(self, module, old, new):
        """Replace one piece of a module's text."""
        path = self.folder / "hypertransfer" / f"{module}.py"
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{module} has {text.count(old)} times {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """The library as it is when the tests start."""
    return Copy(tmp_path_factory.mktemp("library"), ROOT / "workflow")


@pytest.fixture(scope="module")
def before(pristine):
    """The keys of the library as it is."""
    return pristine.keys()


@pytest.fixture
def library(tmp_path, pristine):
    """A copy to be edited."""
    return Copy(tmp_path, pristine.folder)


def changed(before, after):
    assert set(before) == set(after)
    identities = {name: key.partition("-")[0] for name, key in before.items() if name != "probe"}
    assert identities == {
        name: key.partition("-")[0] for name, key in after.items() if name != "probe"
    }
    return {name for name in before if before[name] != after[name]}


def test_a_copy_elsewhere_has_the_same_keys(library, before):
    assert changed(before, library.keys()) == set()


def test_adams_code_is_in_the_keys_of_adam_alone(library, before):
    library.edit("optimizers/adam", "lr=0.0", "lr=0.1")
    assert changed(before, library.keys()) == {name for name in before if name.startswith("adam")}


def test_words_about_adam_are_in_no_key(library, before):
    library.edit("optimizers/adam", '"""AdamW of torch, ', '"""The AdamW of torch, ')
    assert changed(before, library.keys()) == set()


def test_the_engine_is_in_every_key(library, before):
    """The loop is in the keys of runs, which are in those of their probes; here a run is a text."""
    library.edit("training/loop", "import math\n", "import math\nNEW = 1\n")
    assert changed(before, library.keys()) == set(before) - {"probe"}
    library.edit("training/data_sets", "import json\n", "import json\nNEW = 1\n")
    assert changed(before, library.keys()) == set(before)


def test_the_probe_is_in_the_keys_of_probes_alone(library, before):
    path = library.folder / "hypertransfer" / "probes" / "landscape" / "hessian.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nNEW = 1\n", encoding="utf-8")
    assert changed(before, library.keys()) == {"probe"}


def test_new_entries_of_tables_are_in_no_key(library, before):
    library.edit(
        "parameterisation/tables",
        "PARAMETERISATIONS: Mapping[str, Mapping[float, Parameterisation]] = {",
        "PARAMETERISATIONS: Mapping[str, Mapping[float, Parameterisation]] = {\n"
        '    "new": {SGD: SP_SGD.named("new")},',
    )
    library.edit(
        "catalogue/cards/networks",
        "MODELS: Mapping[str, ModelCard] = {",
        'MODELS: Mapping[str, ModelCard] = {\n    "new": ModelCard("mine:New"),',
    )
    library.edit(
        "catalogue/cards/optimizers",
        "OPTIMIZERS: Mapping[str, OptimizerCard] = {",
        'OPTIMIZERS: Mapping[str, OptimizerCard] = {\n    "new": OptimizerCard("mine:new", 0.5),',
    )
    assert changed(before, library.keys()) == set()


def test_an_exponent_is_in_the_keys_of_its_table_alone(library, before):
    library.edit(
        "parameterisation/tables", "Role.INPUT: Rule(eps=W(-1 / 2))", "Role.INPUT: Rule(eps=W(-1))"
    )
    assert changed(before, library.keys()) == {"adam ntp", "adamw ntp"}


def test_an_exponent_of_mup_is_in_the_keys_of_its_products_too(library, before):
    library.edit(
        "parameterisation/tables",
        "Role.INPUT: Rule(lr=W(+1), weight_decay=W(-1))",
        "Role.INPUT: Rule(lr=W(+2), weight_decay=W(-1))",
    )
    assert changed(before, library.keys()) == {"sgd mup", "sgd depth_mup"}


def test_a_digest_of_data_is_in_the_keys_of_its_runs_alone(library, before):
    library.edit("catalogue/cards/datasets", "sha256:7b21f253", "sha256:7b21f254")
    assert changed(before, library.keys()) == {"conv"}


# Messages ----------------------------------------------------------------------------------

LIBRARY = ROOT / "workflow" / "hypertransfer"
MESSAGES = {
    "the text of an error": ('raise ValueError("a")', 'raise ValueError("b")'),
    "a formatted text": ('raise ValueError(f"{x} a")', 'raise ValueError(f"b {y}: {x}")'),
    "joined texts": ('raise ValueError("a" "b")', 'raise ValueError("c")'),
    "a log message": ('log.info("a %d", x)', 'log.info("b %d", x)'),
    "the text of a nested call": ('raise E(path, g("a"))', 'raise E(path, g("b"))'),
}
NO_MESSAGES = {
    "another exception": ('raise ValueError("a")', 'raise TypeError("a")'),
    "a number of an error": ("raise E(1)", "raise E(2)"),
    "a returned text": ('return "a"', 'return "b"'),
    "an argument of another call": ('work.info("a")', 'work.info("b")'),
    "a log level": ('log.info("a")', 'log.error("a")'),
}


@pytest.mark.parametrize("change", MESSAGES)
def test_messages_change_no_hash(change):
    old, new = (f"def f(x, y):\n    {text}\n" for text in MESSAGES[change])
    assert code(old) == code(new)


@pytest.mark.parametrize("change", NO_MESSAGES)
def test_what_is_no_message_changes_the_hash(change):
    old, new = (f"def f(x, y):\n    {text}\n" for text in NO_MESSAGES[change])
    assert code(old) != code(new)


def edited_messages(source):
    """The source with a word more in every text of a raised error; how many were edited."""
    count = 0

    class Edit(ast.NodeTransformer):
        def visit_Raise(self, node):
            nonlocal count
            for inner in ast.walk(node):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    inner.value, count = f"{inner.value} indeed", count + 1
            return node

    return ast.unparse(Edit().visit(ast.parse(source))), count


def test_words_of_all_error_messages_are_in_no_hash():
    edits = 0
    for path in sorted(LIBRARY.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        changed_source, count = edited_messages(source)
        assert fingerprint.code_hash(changed_source) == fingerprint.code_hash(source), path
        edits += count
    assert edits > 200


def test_a_version_is_in_no_key(library, before):
    (library.folder / "hypertransfer" / "__init__.py").write_text('"""Another."""\n')
    package = library.folder / "hypertransfer-9.9.9.dist-info"
    package.mkdir()
    (package / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: hypertransfer\nVersion: 9.9.9\n"
    )
    assert changed(before, library.keys()) == set()


def test_checks_and_parsing_are_in_no_key(library, before):
    for module in (
        "runs/parse",
        "catalogue/checks",
        "studies/grid",
        "studies/study",
        "studies/document",
        "planning/keys",
        "planning/fingerprint",
    ):
        path = library.folder / "hypertransfer" / f"{module}.py"
        path.write_text(path.read_text(encoding="utf-8") + "\nNEW = 1\n", encoding="utf-8")
    assert changed(before, library.keys()) == set()


CHECKS = ("catalogue.checks", "studies.document", "studies.grid", "studies.grid_checks",
          "studies.references", "studies.schema", "studies.search_checks", "studies.study",
          "planning.study_plan", "planning.load", "cli.main")  # fmt: skip
SCRIPTS = sorted(
    path.stem
    for path in (ROOT / "workflow" / "scripts").glob("*.py")
    if "snakemake" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_job_depends_on_the_checks_of_a_config(script):
    found = fingerprint.fingerprint(f"scripts.{script}")
    assert not {f"hypertransfer.{name}" for name in CHECKS} & set(found)


def test_a_file_that_no_import_gets_does_not_count(tmp_path, monkeypatch):
    """Beside a module of the user, a file with the name of an installed module is not imported."""
    for name, source in {
        "my_network": "import json, pandas, my_layers",
        "my_layers": "import statistics",
        "json": "",
        "pandas": "",
        "statistics": "",
    }.items():
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    assert set(fingerprint.fingerprint("my_network")) == {"my_network", "my_layers"}


def test_packages_that_own_modules_import_are_found(tmp_path, monkeypatch):
    """Not Python's own, not the library's, not modules of the folder; folders hide no package."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine.py").write_text(
        "import os, einops, other\nfrom transformers import GPT2Config\n"
        "from hypertransfer.networks.layers import Linear\nimport not_there\nimport plain\n"
    )
    (tmp_path / "other.py").write_text("import json\n")
    (tmp_path / "einops").mkdir()  # of data, say
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/part.py").touch()
    found = fingerprint.foreign_imports(fingerprint.fingerprint("mine"))
    assert found == {"einops", "transformers", "not_there"}
    known = versions.imported_versions(found | {"torch"})
    assert set(known) == {"einops", "transformers", "not_there"}
    assert known["not_there"] == "not installed"
    assert known["transformers"][0].isdecimal()


def test_loss_inputs_and_packages_of_the_user_are_in_the_keys_of_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("net", "own_loss", "own_inputs"):
        (tmp_path / f"{name}.py").write_text("def one(*a, **k): ...\n")
    values = {
        "model": {"name": "net:one", "adopt": {"inputs": "own_inputs:one"}},
        "loss": "own_loss:one", "data": "digits", "parameterisation": "mup", "optimizer": "adamw",
        "shape": {"width": 8, "depth": 1}, "base": {"width": 8, "depth": 1}, "lr": 0.1,
        "batch_size": 4, "steps": 2, "seed": 0, "log_every": 1, "eval_every": 1,
    }  # fmt: skip

    def context(**changed):
        return keys.Contexts().key(complete.run_spec({**values, **changed})).partition("-")[2]

    found = {context(), context(loss="cross_entropy"), context(model={"name": "net:one"})}
    for name, text in (
        ("own_loss", "def one(*a, **k): return 1"),
        ("own_inputs", "def one(*a, **k): return 1"),
        ("net", "import einops\ndef one(*a, **k): ..."),
    ):
        (tmp_path / f"{name}.py").write_text(text + "\n")
        found.add(context())
    monkeypatch.setattr(versions, "installed_version", lambda package: "9.9")
    found.add(context())
    assert len(found) == 7
    contexts = keys.Contexts()  # which computes equal contexts once
    one, other = (complete.run_spec({**values, "loss": loss}) for loss in ("own_loss:one", "mse"))
    assert contexts.key(one).partition("-")[2] != contexts.key(other).partition("-")[2]
