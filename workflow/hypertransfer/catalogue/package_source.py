"""Optimizer classes of installed packages, read from their source: nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hypertransfer.catalogue.module_source import find

BASE = ("torch.optim.optimizer", "Optimizer")  # the class from which every optimizer inherits
Found = tuple[str, ast.ClassDef]  # a class and the module that defines it


@dataclass(frozen=True)
class Signature:
    """The options of an optimizer class beside its first argument, the parameters.

    `complete` is false if the class hands options on to another one, which may know more.
    `defaults` has the defaults that are plain values.
    """

    options: tuple[str, ...]
    required: tuple[str, ...]
    complete: bool
    defaults: Mapping[str, Any] = field(default_factory=dict)


def is_readable(module: str) -> bool:
    """Whether the source of a module and of torch, from which optimizers inherit, is installed."""
    return _file(module) is not None and _file(BASE[0]) is not None


@lru_cache(maxsize=1024)
def signature(module: str, name: str) -> Signature | None:
    """The signature of an optimizer class of a module; None if the module has no such class."""
    found = _class(module, name)
    if found is None or found[1].name.startswith("_") or not _is_optimizer(found):
        return None
    for _, node in _lineage(found):
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
                return signature_of(statement, 2)  # self and the parameters
    return Signature((), (), complete=False)


def optimizers(module: str) -> list[str]:
    """The names of the optimizer classes that a module offers, sorted."""
    return sorted(name for name in set(_names(module)) if signature(module, name))


def signature_of(init: ast.FunctionDef, skipped: int) -> Signature:
    """The signature of a function without the first arguments, which callers pass by position."""
    arguments = init.args
    named = [*arguments.posonlyargs, *arguments.args][skipped:]
    required = named[: max(0, len(named) - len(arguments.defaults))]
    required += [
        argument
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    options = [argument.arg for argument in (*named, *arguments.kwonlyargs)]
    handed_on = False
    if arguments.kwarg:
        rest = arguments.kwarg.arg
        options += _looked_up(init, rest)
        handed_on = any(
            keyword.arg is None and isinstance(keyword.value, ast.Name) and keyword.value.id == rest
            for call in ast.walk(init)
            if isinstance(call, ast.Call)
            for keyword in call.keywords
        )
    return Signature(
        tuple(dict.fromkeys(options)),
        tuple(a.arg for a in required),
        complete=not handed_on,
        defaults=dict(_plain_defaults(arguments)),
    )


def _plain_defaults(arguments: ast.arguments) -> Iterator[tuple[str, Any]]:
    """The names of arguments with their defaults, where these are literals."""
    named = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(reversed(named), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        if default is not None:
            try:
                yield argument.arg, _literal(default)
            except ValueError:
                continue  # an expression


def _literal(node: ast.expr) -> Any:
    """The value of a constant, a negative number, or a tuple or list of these.

    Raises:
        ValueError: the node is another expression.
    """
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            values = [_literal(part) for part in parts]
            return tuple(values) if isinstance(node, ast.Tuple) else values
    raise ValueError(f"not a literal: {ast.unparse(node)}")


def _looked_up(init: ast.FunctionDef, mapping: str) -> Iterator[str]:
    """The names that a function takes from a mapping by `get`, `pop` or an index."""
    for node in ast.walk(init):
        match node:
            case (
                ast.Call(
                    func=ast.Attribute(value=ast.Name(id=holder), attr="get" | "pop"),
                    args=[ast.Constant(value=str(key)), *_],
                )
                | ast.Subscript(value=ast.Name(id=holder), slice=ast.Constant(value=str(key)))
            ):
                if holder == mapping:
                    yield key


def _lineage(found: Found) -> Iterator[Found]:
    """A class, its bases, and theirs; bases that cannot be found are left out."""
    yield found
    module, node = found
    for base in node.bases:
        parent = _expression(module, base)
        if parent is not None:
            yield from _lineage(parent)


def _is_optimizer(found: Found) -> bool:
    return any((module, node.name) == BASE for module, node in _lineage(found))


def _expression(module: str, base: ast.expr) -> Found | None:
    """The class that a base names, as `Name` or as `package.module.Name`."""
    if isinstance(base, ast.Name):
        return _class(module, base.id)
    if isinstance(base, ast.Attribute):
        return _class(ast.unparse(base.value), base.attr)
    return None


@lru_cache(maxsize=4096)
def _class(module: str, name: str) -> Found | None:
    """The class that a module defines or imports under a name; None if there is none."""
    return _search(module, name, frozenset())


def _search(module: str, name: str, seen: frozenset[tuple[str, str]]) -> Found | None:
    """`_class`, where `seen` holds the names whose imports are being followed."""
    tree = _tree(module)
    if tree is None or (module, name) in seen:
        return None
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom):
            for bound, original in _bound(module, node):
                if bound == name:
                    found = _search(_origin(module, node), original, seen | {(module, name)})
                    if found is not None:
                        return found
    return None


def _names(module: str) -> Iterator[str]:
    """The names that a module offers: those of `__all__`, or all that it defines or imports."""
    tree = _tree(module)
    for node in tree.body if tree else ():
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=names)):
                yield from (n.value for n in names if isinstance(n, ast.Constant))
                return
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield from (name for name, _ in _bound(module, node))


def _bound(module: str, node: ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names that a statement of a module binds, each with its name at its origin."""
    for alias in node.names:
        if alias.name == "*":
            yield from ((name, name) for name in _names(_origin(module, node)))
        else:
            yield alias.asname or alias.name, alias.name


def _origin(module: str, node: ast.ImportFrom) -> str:
    file = _file(module)
    return origin(module, node, is_package=file is not None and file.name == "__init__.py")


def origin(module: str, node: ast.ImportFrom, *, is_package: bool) -> str:
    """The module from which a statement imports; `is_package` if `module` is an `__init__.py`."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


@lru_cache(maxsize=1024)
def _tree(module: str) -> ast.Module | None:
    file = _file(module)
    return ast.parse(file.read_bytes()) if file else None


@lru_cache(maxsize=1024)
def _file(module: str) -> Path | None:
    """The source file of a module of an installed package."""
    name = module.partition(".")[0]
    top = find_spec(name) if name else None
    places = (top.submodule_search_locations or ()) if top else ()
    return find(module, [Path(place).parent for place in places])


def defined(statement: ast.stmt) -> set[str]:
    """The names that a statement may bind."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    stored = {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    aliases = {n.asname or n.name for n in ast.walk(statement) if isinstance(n, ast.alias)}
    inner = {
        node.name
        for node in ast.walk(statement)
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    return stored | aliases | inner
