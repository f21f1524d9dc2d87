"""The floors of the library, read off its directories and imports: who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hypertransfer.planning.fingerprint import imports

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "workflow" / "hypertransfer"
NAME = LIBRARY.name

# Packages from the ground up: a module imports from its own package and from lower floors only.
FLOORS = (
    ("parameterisation", "curvature"),
    ("runs",),
    ("catalogue", "analysis"),
    ("networks", "optimizers", "data", "storage", "claims"),
    ("training", "spaces", "rounds", "recommendation"),
    ("probes", "studies", "figures", "checkup"),
    ("planning", "report"),
    ("execution", "maintenance"),
    ("cli",),
)
WITH_TORCH = {
    "curvature",
    "networks",
    "optimizers",
    "data",
    "training",
    "probes",
    "execution",
    "checkup",
}
# Imported with their command.
LATE = {
    f"{NAME}.cli.{name}"
    for name in ("adopt", "at_target", "check_up", "check_up_study", "explain", "recommend")
}
DRAWING = {"figures", "report"}  # may import matplotlib and seaborn
FLOOR = {package: floor for floor, packages in enumerate(FLOORS) for package in packages}
MOST_LINES = 400  # of a module, unless its docstring gives the reason


def module_name(path: Path) -> str:
    parts = path.relative_to(LIBRARY.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(LIBRARY.rglob("*.py"))}


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def tree(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def imported(name: str, source: str | None = None) -> set[str]:
    """Every module that a module may import, inside functions too; without its own parents."""
    path = MODULES[name]
    text = path.read_text(encoding="utf-8") if source is None else source
    parts = name.split(".")
    parents = {".".join(parts[:n]) for n in range(1, len(parts))}
    return imports(text, name, path.name == "__init__.py") - parents


def module_level(name: str) -> set[str]:
    """Modules that are imported when the module is."""
    statements = [n for n in tree(name).body if isinstance(n, ast.Import | ast.ImportFrom)]
    return imported(name, "\n".join(map(ast.unparse, statements)))


def reached(name: str) -> set[str]:
    """All modules of the library that are imported when the module is."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += [one for one in module_level(module) if one in MODULES]
    return seen


def test_every_file_belongs_to_a_package_of_the_table():
    top = {"", "__main__"}
    strangers = [name for name in MODULES if package_of(name) not in {*FLOOR, *top}]
    assert not strangers, f"on no floor: {', '.join(strangers)}"
    assert {package_of(name) for name in MODULES} == {*FLOOR, *top}
    assert len(FLOOR) <= 24


@pytest.mark.parametrize("name", [n for n in MODULES if package_of(n) in FLOOR])
def test_modules_import_from_lower_floors_only(name: str):
    own = package_of(name)
    for module in imported(name) & set(MODULES):
        other = package_of(module)
        if other and other != own:
            assert other in FLOOR, f"{name} imports {module}"
            assert FLOOR[other] < FLOOR[own], f"{name} imports {module}, which stands no lower"


@pytest.mark.parametrize(
    "name", [n for n in MODULES if package_of(n) not in WITH_TORCH and n not in LATE]
)
def test_only_packages_with_torch_import_torch(name: str):
    for module in reached(name):
        assert package_of(module) not in WITH_TORCH, f"{name} reaches {module} when imported"
    assert "torch" not in imported(name)
    drawing = {package_of(name)} & DRAWING
    assert drawing or not {"matplotlib", "seaborn"} & imported(name)


def test_packages_import_each_other_in_no_circle():
    edges = {package: set() for package in FLOOR}
    for name in MODULES:
        if package_of(name) in FLOOR:
            edges[package_of(name)] |= {package_of(m) for m in imported(name) if m in MODULES}
    assert not [(a, b) for a in edges for b in edges[a] if a != b and a in edges.get(b, ())]


def test_modules_import_each_other_in_no_circle():
    edges = {name: {one for one in module_level(name) if one in MODULES} for name in MODULES}
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> None:
        assert name not in way, " → ".join([*way[way.index(name) :], name])
        if name not in done:
            for inner in sorted(edges[name]):
                visit(inner, [*way, name])
            done.add(name)

    for name in edges:
        visit(name, [])
    assert done == set(MODULES)


@pytest.mark.parametrize("name", [n for n, path in MODULES.items() if path.name == "__init__.py"])
def test_packages_hold_a_docstring_only(name: str):
    (statement,) = tree(name).body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Constant)


@pytest.mark.parametrize("name", MODULES)
def test_long_modules_give_a_reason(name: str):
    lines = MODULES[name].read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_LINES or "one module because" in (ast.get_docstring(tree(name)) or "")


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
def test_everything_public_has_a_docstring(name: str):
    found = tree(name)
    assert ast.get_docstring(found), f"{name} has no docstring"
    silent = [node.name for node in public(found) if not ast.get_docstring(node)]
    assert not silent, f"{name}: no docstring: {', '.join(silent)}"


@pytest.mark.parametrize("name", MODULES)
def test_functions_are_short(name: str):
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, f"{name}.{node.name} is too long"
