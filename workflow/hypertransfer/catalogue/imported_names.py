"""Names that a module of the user imports, read from its source: nothing is executed."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from hypertransfer.catalogue import package_source
from hypertransfer.catalogue.lookup import objection as lookup_objection
from hypertransfer.catalogue.module_source import own

_MOST_IMPORTS = 20  # from module to module, which may be circular


class _Imported(NamedTuple):
    """The module from which a name is imported, and its name there; empty for a module itself."""

    module: str
    name: str


def objection(kind: str, path: str) -> str:
    """Why a config may not name an imported `module:attribute`; empty if it may.

    Imports are followed through modules that a config may name. What the source does not show for
    certain, such as an assignment or one of several imports, is left to `lookup.load`.
    """
    module, _, attribute = path.partition(":")
    first, name = module, attribute
    source = own(module)
    for _ in range(_MOST_IMPORTS):
        imported = _import_of(source, _time(source), module, name) if source else None
        if imported is None:
            break
        if not imported.name:
            return f"allowed: {attribute} is the module {imported.module}"
        module, name = imported
        source = own(module)
        if source is None:
            where = f"{module}, which is neither in the project's folder nor in the library"
            return f"allowed: {attribute} is imported from {where}"
    if module == first or source is None or not _makes(source, _time(source), name):
        return ""
    text = lookup_objection(kind, f"{module}:{attribute}")
    return text and f"allowed: {attribute} is imported from {module}, and that is not {text}"


def _time(source: Path) -> int:
    return source.stat().st_mtime_ns


@lru_cache(maxsize=256)
def _tree(source: Path, _modified: int) -> ast.Module:
    try:
        return ast.parse(source.read_bytes())
    except SyntaxError:  # which `checks` reports
        return ast.Module([], [])


@lru_cache(maxsize=256)
def _import_of(source: Path, modified: int, module: str, name: str) -> _Imported | None:
    """The import that binds a name of a module; None if another statement may bind it, too."""
    tree = _tree(source, modified)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    bound = [(s, package_source.defined(s)) for s in tree.body]
    if "globals" in names or any("*" in those for _, those in bound):
        return None
    match [statement for statement, those in bound if name in those]:
        case [ast.ImportFrom() as statement]:
            is_package = source.name == "__init__.py"
            origin = package_source.origin(module, statement, is_package=is_package)
            original = next(n.name for n in statement.names if name == (n.asname or n.name))
            if own(f"{origin}.{original}") is None:  # else it may be a module of a package
                return _Imported(origin, original)
        case [ast.Import(names=modules)]:
            return _Imported(next(n.name for n in modules if name == (n.asname or n.name)), "")
    return None


def _makes(source: Path, modified: int, name: str) -> bool:
    """Whether a module defines a function or class, which `lookup.load` knows by its module."""
    kinds = ast.FunctionDef | ast.ClassDef
    return any(isinstance(s, kinds) and s.name == name for s in _tree(source, modified).body)
