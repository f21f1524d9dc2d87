"""Import paths in configs: only parts of the project and of the library are imported."""

from __future__ import annotations

import re
import sys
import textwrap

import pandas  # noqa: F401  (imported before the folder's pandas.py stands on the path)
import pytest
from tests.support.configs import load, with_grid
from tests.support.project import STUDY

from hypertransfer.catalogue import complete, imported_names, lookup
from hypertransfer.catalogue import lookup as catalogue_lookup
from hypertransfer.studies.document import ConfigError

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
        taken = run
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


@pytest.mark.parametrize("path", ["my_parts:run", "my_parts:execute", "my_parts:taken"])
def test_what_a_module_took_from_elsewhere_is_no_part(beside, path):
    for kind in KINDS:
        with pytest.raises(ValueError, match="is defined in"):
            lookup.load(kind, path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ("run", "run is imported from subprocess, which is neither in the project's folder nor"),
        ("execute", "execute is imported from hypertransfer.report.page, and that is not allowed"),
        ("subprocess", "subprocess is the module subprocess"),
        ("again", "again is imported from subprocess"),
    ],
)
def test_what_a_module_imports_from_elsewhere_is_refused_while_planning(
    beside, tmp_path, kind, attribute, text
):
    with (beside / "my_parts.py").open("a") as file:
        file.write("from my_package.other import again\n")
    (beside / "my_package/other.py").write_text("from subprocess import run as again\n")
    study = with_grid()
    name = f"my_parts:{attribute}"
    part = {"name": name, **({"gradient_power": 0} if kind == "optimizer" else {})}
    study["grids"]["sweep"]["base"][kind] = name if kind == "parameterisation" else part
    before = set(sys.modules)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, study)
    assert set(sys.modules) == before
    assert f"grids.sweep.base.{kind}" in str(caught.value)
    assert f"'{name}' is not allowed: {text}" in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "from my_package import deep",
        "from my_package.inner import deep",
        "import my_package\ndeep = my_package.deep",
        "try:\n    from os import deep\nexcept ImportError:\n    from my_package import deep",
        "from os import *\nfrom os import system as deep",  # the star may bind it, too
        "from hypertransfer.data.images.digits import load",
    ],
)
def test_what_the_source_does_not_show_to_be_from_elsewhere_is_left_to_the_job(beside, source):
    (beside / "my_other.py").write_text(source)
    name = "load" if "load" in source else "deep"
    assert imported_names.objection("data", f"my_other:{name}") == ""


def test_modules_that_import_from_each_other_do_not_stop_planning(beside):
    (beside / "my_a.py").write_text("from my_b import deep\n")
    (beside / "my_b.py").write_text("from my_a import deep\n")
    assert imported_names.objection("data", "my_a:deep") == ""


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
