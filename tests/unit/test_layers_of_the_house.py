"""The floors of the house, read off the imports: who may lean on whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hypertransfer.catalogue.module_source import find
from hypertransfer.planning.fingerprint import imports

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "workflow" / "hypertransfer"

PLANNING = ("spec", "multipliers", "conditions", "grid", "config", "registry", "datasets",
            "fingerprint", "keys", "cost", "store", "plan", "publish", "ledger", "inventory",
            "meaning", "prune", "architectures", "product", "replays", "space_plan", "sobol",
            "spaces.dimensions", "spaces.suites", "spaces.sources", "spaces.tables")  # fmt: skip
TABLES = ("scaling", "schedule", "parameterisations", "records", "transfer", "claims", "collect",
          "measures", "comparisons", "space_measures", "verify", "spaces.regions",
          "spaces.learning", "spaces.exports")  # fmt: skip
LEAVES = ("models", "optimizers", "data", "probes")  # what experiments are made of
ENGINE = (
    "train",
    "state",
    "interrupt",
    "measure",
    "runner",
    "build",
    "spaces.searchers",
    "spaces.replay",
    "spaces.evaluate",
    "spaces.collected",
)
FACE = ("plots", "explain", "report", "notebook", "cli", "status", "calibration", "words",
        "index", "jobs", "upkeep", "canvas", "space_plots", "spaces.command")  # fmt: skip


def module_name(path):
    parts = path.relative_to(LIBRARY.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(LIBRARY.rglob("*.py"))}


def tree(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def all_imports(name):
    """Every module that a module may import, inside functions too."""
    path = MODULES[name]
    found = imports(path.read_text(encoding="utf-8"), name, path.name == "__init__.py")
    return found - set(package_parents(name))


def package_parents(name):
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def own_imports(name):
    return {one for one in all_imports(name) if one in MODULES}


def module_level_imports(name):
    """The library's modules that a module imports when it is itself imported."""
    is_package = MODULES[name].name == "__init__.py"
    found = set()
    for node in tree(name).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= imports(ast.unparse(node), name, is_package)
    return {one for one in found if one in MODULES} - set(package_parents(name))


def reached(name):
    """All of the library that a module reaches by import."""
    seen, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += own_imports(one)
    return seen


def test_all_floors_are_there():
    for name in (*PLANNING, *TABLES, *LEAVES, *ENGINE):
        assert f"hypertransfer.{name}" in MODULES
        assert find(f"hypertransfer.{name}") == MODULES[f"hypertransfer.{name}"]


@pytest.mark.parametrize("name", [*PLANNING, *TABLES])
def test_planning_and_tables_never_reach_torch(name):
    for one in sorted(reached(f"hypertransfer.{name}")):
        heavy = {"torch", "matplotlib", "seaborn"} & all_imports(one)
        assert not heavy, f"{name} reaches {heavy} by {one}"


@pytest.mark.parametrize("name", [*PLANNING, *TABLES])
def test_planning_and_tables_stand_below_everything_else(name):
    above = {f"hypertransfer.{one}" for one in (*LEAVES, *ENGINE, *FACE)}
    assert not reached(f"hypertransfer.{name}") & above


@pytest.mark.parametrize(
    "name", [n for n in MODULES if n.split(".")[1:2] and n.split(".")[1] in LEAVES]
)
def test_parts_stand_below_the_engine(name):
    above = {f"hypertransfer.{one}" for one in (*ENGINE, *FACE)}
    assert not reached(name) & above


@pytest.mark.parametrize("name", ENGINE)
def test_the_engine_stands_below_the_face(name):
    above = {f"hypertransfer.{one}" for one in ("plots", "report", "notebook", "cli")}
    assert not reached(f"hypertransfer.{name}") & above


def test_imports_at_module_level_run_in_no_circle():
    edges = {name: module_level_imports(name) for name in MODULES}
    done: set[str] = set()

    def visit(name, way):
        assert name not in way, " → ".join([*way[way.index(name):], name])  # fmt: skip
        if name not in done:
            for inner in sorted(edges[name]):
                visit(inner, [*way, name])
            done.add(name)

    for name in edges:
        visit(name, [])
    assert done == set(MODULES)


def public(node):
    """Public functions and classes below a module or class, with the methods of classes."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if child.name.startswith("_"):
                continue
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public(child)


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_says_what_it_is(name):
    found = tree(name)
    assert ast.get_docstring(found), f"{name} has no docstring"
    silent = [node.name for node in public(found) if not ast.get_docstring(node)]
    assert not silent, f"{name}: no docstring: {', '.join(silent)}"


@pytest.mark.parametrize("name", MODULES)
def test_functions_are_short(name):
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, f"{name}.{node.name} is too long"
