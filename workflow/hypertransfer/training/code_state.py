"""What functions hold: cells of closures, objects of bound methods, arguments of `partial`.

An optimizer may keep its state there, such as a counter in a closure, or the generator of
`random.Random(0).random`. The code itself is that of a new optimizer of the same spec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple
from weakref import ReferenceType

CODE = (
    FunctionType, BuiltinFunctionType, MethodType, ModuleType, type, partial, ReferenceType,
)  # fmt: skip
# Packages whose functions hold no state but that of functions that they wrap.
STATELESS = ("torch", "numpy", "functools", "contextlib")


class Held(NamedTuple):
    """A value that a function holds; `put` sets another, and is None if that is impossible."""

    name: str
    value: Any
    put: Callable[[Any], None] | None = None


def name_of(code: Any) -> str:
    """The name of a function, class or module, which tells it from others at its place."""
    if isinstance(code, partial):
        return f"partial of {name_of(code.func)}"
    name = getattr(code, "__qualname__", None) or getattr(code, "__name__", None)
    return name or type(code).__qualname__


def held_by(code: Any) -> list[Held]:
    """The values that a function holds, in an order that is equal for equal code."""
    match code:
        case partial():
            named = enumerate(code.args)
            arguments = [Held(f"args[{index}]", value) for index, value in named]
            keywords = [
                Held(f"keywords[{name!r}]", value, partial(code.keywords.__setitem__, name))
                for name, value in code.keywords.items()
            ]
            return [Held("func", code.func), *arguments, *keywords]
        case MethodType():
            return list(_of_method(code))
        case BuiltinFunctionType():
            return [] if _is_plain(code.__self__) else [Held("__self__", code.__self__)]
        case FunctionType():
            return list(_of_function(code))
        case ReferenceType():
            return [Held("()", code())]
    return []


def _of_method(method: MethodType) -> Iterator[Held]:
    owner, function = method.__self__, method.__func__
    if not isinstance(owner, type):
        yield Held("__self__", owner)
    cls = owner if isinstance(owner, type) else type(owner)
    own = getattr(cls, getattr(function, "__name__", ""), None)
    if function not in (own, getattr(own, "__func__", None)):
        yield Held("__func__", function)  # made for the object, not the class's own


def _is_plain(owner: Any) -> bool:
    """Whether a built-in function belongs to nothing, a module, a class, or a C library."""
    return (
        owner is None or isinstance(owner, ModuleType | type) or "Capsule" in type(owner).__name__
    )


def _of_function(function: FunctionType) -> Iterator[Held]:
    package = function.__globals__.get("__name__", "").partition(".")[0]
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        try:
            content = cell.cell_contents
        except ValueError:  # the cell is empty
            continue
        if package not in STATELESS or isinstance(content, CODE):
            yield Held(name, content, partial(setattr, cell, "cell_contents"))
    if package in STATELESS:
        return
    for index, value in enumerate(function.__defaults__ or ()):
        yield Held(f"__defaults__[{index}]", value)
    for name, value in sorted((function.__kwdefaults__ or {}).items()):
        yield Held(name, value, partial(function.__kwdefaults__.__setitem__, name))
    for name, value in sorted(vars(function).items()):
        yield Held(name, value, partial(setattr, function, name))
