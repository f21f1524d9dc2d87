"""Code fingerprints: the modules that an entry module reaches by import, with a hash of each.

A module is hashed as a syntax tree without docstrings and messages, so that changes to comments,
formatting, docstrings, and the texts of errors and log messages do not change the hash. Imports are
read from the source; no module is imported.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hypertransfer.catalogue.module_source import PACKAGE, find, is_followed, is_hidden, roots
from hypertransfer.storage.known_values import key_of, known_values

# Modules with tables, and functions that read these tables. The hash of such a module is left out,
# since the entries that a run uses are part of the run's key (`keys.context`): a new model or
# parameterisation retrains nothing.
BY_VALUE = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        "catalogue.adoption_checks",
        "catalogue.checks",
        "catalogue.complete",
        "catalogue.dataset_options",
        "catalogue.lookup",
        "catalogue.module_source",
        "catalogue.options",
        "catalogue.own_options",
        "catalogue.package_checks",
        "catalogue.package_source",
        "catalogue.versions",
        "catalogue.cards.datasets",
        "catalogue.cards.figures",
        "catalogue.cards.networks",
        "catalogue.cards.optimizers",
        "catalogue.cards.package_optimizers",
        "catalogue.cards.probes",
        "parameterisation.tables",
    )
)
Read = tuple[str, frozenset[str]]  # the hash of a module, and the modules that it imports
Source = tuple[dict[str, str], frozenset[str]]  # the same, with the hashes of files that it reads
MODULES = "modules"  # the name of the values that `_read` keeps on disk
# Files that decide the results of a module that reads them, relative to the module's folder.
DATA_FILES = {f"{PACKAGE}.report.rendering": "templates/[!.]*[!~]"}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class _WithoutMessages(ast.NodeTransformer):
    """Empties the texts of raised errors and of log messages, which do not change results."""

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        """The statement with empty texts in the exception's arguments."""
        if isinstance(node.exc, ast.Call):
            node.exc.args = [_Emptied().visit(argument) for argument in node.exc.args]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """The statement; a call of the module's logger has empty texts."""
        call = node.value
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Name)
            and call.func.value.id == "log"
        ):
            call.args = [_Emptied().visit(argument) for argument in call.args]
        return node


class _Emptied(ast.NodeTransformer):
    """Replaces string literals and f-strings by the empty string."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """The empty string for a string literal; other constants as they are."""
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.Constant:
        """The empty string for an f-string; the values in the f-string are dropped."""
        return ast.Constant("")


def code_hash(source: str) -> str:
    """The hash of a module's syntax tree without docstrings and messages: 16 hexadecimal digits.

    Messages are strings in the arguments of raised exceptions and of calls of `log`.
    """
    tree = _WithoutMessages().visit(ast.parse(source))
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            rest = node.body[1:]
            node.body = rest if rest or isinstance(node, ast.Module) else [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


def imports(source: str, module: str, is_package: bool) -> set[str]:
    """The names of the modules that the source imports, and of their parent packages.

    `from a import b` gives a and a.b, since b can be a module.
    """
    names: set[str] = set()
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*up, *([node.module] if node.module else [])])
            names |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
    parents = {
        ".".join(name.split(".")[:n]) for name in names for n in range(1, name.count(".") + 1)
    }
    return (names | parents) - {"", module}


def data_hashes(module: str, path: Path) -> dict[str, str]:
    """The hashes of the files in `DATA_FILES` that a module reads, by `module:file`."""
    if module not in DATA_FILES:
        return {}
    return {
        f"{module}:{file.name}": hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        for file in path.parent.glob(DATA_FILES[module])
    }


RULES = Path(__file__).read_text(encoding="utf-8")  # by which entries on disk are read


@lru_cache(maxsize=4096)
def _read(path: Path, stamp: tuple[int, int], module: str) -> Read:
    source = path.read_text(encoding="utf-8")

    def read() -> list[Any]:
        reached = imports(source, module, path.name == "__init__.py")
        return [code_hash(source), sorted(reached)]

    try:
        key = key_of(RULES, path.name, module, source)
        code, imported = known_values(Path.cwd(), MODULES).get(key, read)
    except SyntaxError as error:
        error.filename = str(path)
        raise
    return code, frozenset(imported)


def _is_local(top: str, where: Sequence[Path]) -> bool:
    """Whether an import of a top-level name gets a module or a folder under the roots."""
    if source := find(top, where):
        return top == PACKAGE or not is_hidden(top, source)
    return any((root / top).is_dir() for root in where)


class Sources:
    """The modules under the roots; each is looked up and read once for many fingerprints."""

    def __init__(self) -> None:
        self.where = roots()
        self._local: dict[str, bool] = {}  # whether a top-level name lies under the roots
        self._known: dict[str, Source | None] = {}

    def read(self, module: str) -> Source | None:
        """A module's source; None for a module of which there is none that is followed."""
        if module not in self._known:
            self._known[module] = self._found(module)
        return self._known[module]

    def _found(self, module: str) -> Source | None:
        top = module.partition(".")[0]
        if top not in self._local:
            self._local[top] = _is_local(top, self.where)
        path = find(module, self.where) if self._local[top] else None
        if path is None or not is_followed(path):
            return None
        stat = path.stat()
        code, reached = _read(path, (stat.st_mtime_ns, stat.st_size), module)
        return {module: code, **data_hashes(module, path)}, reached


def fingerprint(*entries: str, sources: Sources | None = None) -> dict[str, str]:
    """The hash of every module that the entry modules reach by import, by module name.

    Args:
        entries: the names of the entry modules.
        sources: the modules that earlier fingerprints have read; by default, all are read now.

    Modules outside the library and the project's folder are left out, as are files of the project's
    folder that have the name of an installed module, since no import loads them. The hashes of
    files that a module reads (`DATA_FILES`) are included.

    Raises:
        ModuleNotFoundError: an entry module is not under the roots.
    """
    sources = sources or Sources()
    hashes: dict[str, str] = {}
    waiting = [(entry, True) for entry in sorted(set(entries))]
    while waiting:
        module, is_entry = waiting.pop()
        if module in hashes or module in BY_VALUE:
            continue
        source = sources.read(module)
        if source is None:
            if is_entry:
                looked = " and ".join(str(root) for root in sources.where)
                raise ModuleNotFoundError(f"no source of module {module!r} under {looked}")
            continue
        own, reached = source
        hashes |= own
        waiting += [(name, False) for name in reached]
    known_values(Path.cwd(), MODULES).save()
    return dict(sorted(hashes.items()))


def foreign_imports(modules: Iterable[str]) -> set[str]:
    """The top-level names of the packages that modules of the project's folder import.

    Args:
        modules: the modules that `fingerprint` found; those of the library are left out.

    Python's own modules, and modules of the project's folder, are left out.
    """
    where = roots()
    names: set[str] = set()
    for module in modules:
        path = find(module, where) if module.partition(".")[0] != PACKAGE else None
        if path:
            stat = path.stat()
            _, reached = _read(path, (stat.st_mtime_ns, stat.st_size), module)
            names |= {name.partition(".")[0] for name in reached}
    return {n for n in names - sys.stdlib_module_names - {PACKAGE} if _is_foreign(n, where)}


def _is_foreign(top: str, where: Sequence[Path]) -> bool:
    """Whether an import of a top-level name gets an installed package.

    A folder without `__init__.py` under the roots hides no installed package.
    """
    if source := find(top, where):
        return is_hidden(top, source)
    spec = find_spec(top)
    if spec is None or spec.origin is not None:
        return True
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    return not any(place.is_relative_to(root) for place in places for root in where)
