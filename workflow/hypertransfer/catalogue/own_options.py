"""Checks of options of the user's own networks, data sets and optimizers, read from their source.

The source is not executed. What cannot be read for certain, such as a decorated function or a class
whose `__init__` is in another module, is left to the job.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from hypertransfer.catalogue import package_source
from hypertransfer.catalogue.module_source import PACKAGE, own
from hypertransfer.runs.adoption import Adoption, adoption, arguments
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names
from hypertransfer.runs.spec import Component

GIVEN = {  # arguments that the workflow passes by name
    "model": frozenset({"width", "depth", "input_shape", "classes", "granularity"}),
    "data": frozenset(),
    "optimizer": frozenset(),
}
NOT_PASSED = {  # options of optimizers that are no arguments, and what to do instead
    "betas": "read it from the groups, each of which holds it if the config gives it",
    "eps": "read it from the groups, each of which holds its own",
    "gradient_power": "remove the argument; it chooses the table, and no group holds it",
}
NEEDED = ("width", "depth", "input_shape", "classes")  # which every network is called with, by name
PASSED_IN_LIBRARY = ("eps",)  # by name, to the library's own optimizers


def problems(kind: str, part: Component) -> Iterator[Problem]:
    """Options that the function, or the class's `__init__`, does not take, and those that lack.

    Args:
        kind: `model`, `data` or `optimizer`.
        part: a component that is named by the import path of a module of the project.
    """
    module, _, attribute = part.name.partition(":")
    source = own(module)
    if source is None:
        return
    modified = source.stat().st_mtime_ns
    if _is_value(source, modified, attribute):
        text = f"{part.name} is a value in {source.name}: name a class or a function"
        yield Problem((kind,), NO_VALUE, text)
        return
    by_position = int(kind == "optimizer")  # the parameter groups
    signature = _signature(source, modified, attribute, by_position)
    if signature is None:
        return
    how = adoption(part) if kind == "model" else None
    given_by_name = {how.width, how.depth} if how else GIVEN[kind]
    if kind == "model" and (lacking := _lacking(how, signature)):
        yield Problem(("model",), NO_VALUE, f"{part.name} takes no {lacking}")
        return
    taken = [name for name in signature.options if name not in given_by_name]
    not_passed = _not_passed(kind, module)
    for name, advice in not_passed.items():
        given = name in part.options and name in signature.options
        if given or name in signature.required:
            text = f"{part.name} takes {name!r}, which is not passed: {advice}"
            yield Problem((kind, name) if given else (kind,), NO_VALUE, text)
    options = arguments(part) if kind == "model" else part.options
    passed = {n: v for n, v in options.items() if n not in not_passed}
    for name, value in passed.items():
        if name in given_by_name:
            yield Problem((kind, name), value, "an option: the run's shape and data decide it")
        elif name not in taken:
            expected = f"accepted: {part.name} has no argument {name!r}; "
            yield Problem((kind, name), value, expected + known_names(name, taken, "it takes"))
    for name in signature.required:
        if name in taken and name not in not_passed and name not in passed:
            yield Problem((kind,), NO_VALUE, f"{part.name} needs the option {name}")


def is_training_step(path: str) -> bool:
    """Whether a loss of the user is a training step: a function of the model and a batch.

    As far as the source shows it; False of a loss of the library.
    """
    function = _loss_function(path)
    return function is not None and _by_position(function)[:1] == ["model"]


def _loss_function(path: str) -> ast.FunctionDef | None:
    """The function of a loss of the user, if the source shows it."""
    module, colon, attribute = path.partition(":")
    source = own(module) if colon else None
    return _function(_tree(source), attribute)[0] if source else None


def _by_position(function: ast.FunctionDef) -> list[str]:
    """The names of the arguments that a function takes by position."""
    return [a.arg for a in (*function.args.posonlyargs, *function.args.args)]


def loss_problems(path: str) -> Iterator[Problem]:
    """A loss that cannot be called with two arguments by position.

    They are outputs and targets, or the model and a batch.
    """
    function = _loss_function(path)
    if function is None or function.args.vararg:
        return
    names = _by_position(function)
    needed = len(names) - len(function.args.defaults)
    required = [
        a.arg
        for a, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if default is None
    ]
    if len(names) < 2 or needed > 2 or required:
        listed = ", ".join([*names, *required]) or "nothing"
        text = (
            f"{path} takes {listed}: a loss is called with outputs and targets, and a training "
            "step, whose first argument is called model, with the model and a batch; both by "
            "position"
        )
        yield Problem(("loss",), NO_VALUE, text)


def _lacking(how: Adoption | None, signature: package_source.Signature) -> str:
    """The arguments that a network lacks, and how to go on; empty if it lacks none."""
    needed = (how.width, how.depth) if how else NEEDED
    lacking = [name for name in needed if name not in signature.options]
    if not lacking:
        return ""
    if how:
        listed = ", ".join(signature.options) or "none"
        return (
            f"{', '.join(lacking)}: an adopted network is called with its width and depth; name "
            f"its arguments, as in adopt: {{width: n_embd, depth: n_layer}}; it takes {listed}"
        )
    return (
        f"{', '.join(lacking)}: a network is called with {', '.join(NEEDED)}, by name; for one of "
        "a width and a depth alone write adopt: {} beside its name"
    )


def _not_passed(kind: str, module: str) -> dict[str, str]:
    """Options that are not passed to a part of the module, with what to do instead."""
    if kind != "optimizer":
        return {}
    passed = PASSED_IN_LIBRARY if module.partition(".")[0] == PACKAGE else ()
    return {name: advice for name, advice in NOT_PASSED.items() if name not in passed}


@lru_cache(maxsize=64)
def _signature(
    source: Path, _modified: int, attribute: str, by_position: int
) -> package_source.Signature | None:
    """The arguments by name of a function or class; None if they cannot be known."""
    function, bound = _function(_tree(source), attribute)
    if function is None or function.args.kwarg or function.args.vararg:
        return None
    return package_source.signature_of(function, bound + by_position)


@lru_cache(maxsize=64)
def _is_value(source: Path, _modified: int, attribute: str) -> bool:
    """Whether a module binds the name once, in an assignment of a number, a text or the like.

    False if the module may bind the name otherwise: by a star import, by `global`, or by a
    statement within another one.
    """
    tree = _tree(source)
    others = ast.Global | ast.AsyncFunctionDef | ast.NamedExpr
    if any(isinstance(node, others) or _is_star(node) for node in ast.walk(tree)):
        return False
    match [node for node in tree.body if attribute in package_source.defined(node)]:
        case [
            ast.Assign(targets=[ast.Name()], value=value)
            | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
        ]:
            literals = ast.Constant | ast.JoinedStr | ast.List | ast.Tuple | ast.Set | ast.Dict
            return isinstance(value, literals) and getattr(value, "value", 0) is not None
    return False


def _is_star(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and any(name.name == "*" for name in node.names)


def _tree(source: Path) -> ast.Module:
    """The statements of a source; none if it is no Python, which `checks` reports."""
    try:
        return ast.parse(source.read_bytes())
    except SyntaxError:
        return ast.Module([], [])


def _function(tree: ast.Module, name: str) -> tuple[ast.FunctionDef | None, int]:
    """The function that a call of `name` runs, and how many arguments Python passes to it."""
    named = [node for node in tree.body if name in package_source.defined(node)]
    match named:
        case [ast.FunctionDef(decorator_list=[]) as function]:
            return function, 0
        case [ast.ClassDef(decorator_list=[], keywords=[]) as node]:
            methods = [m for m in node.body if isinstance(m, ast.FunctionDef)]
            makers = [m for m in methods if m.name in ("__init__", "__new__")]
            if [m.name for m in makers] == ["__init__"] and not makers[0].decorator_list:
                return makers[0], 1
            if not makers and len(node.bases) == 1 and isinstance(node.bases[0], ast.Name):
                rest = [statement for statement in tree.body if statement is not node]
                return _function(ast.Module(rest, []), node.bases[0].id)
    return None, 0
