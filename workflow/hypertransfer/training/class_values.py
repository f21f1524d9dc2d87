"""Values of attributes of the user's classes, which each run of a process finds as at import.

An optimizer may count the steps of all its objects in an attribute of its class. Without more, a
run would go on from the count of the run before it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from enum import Enum

from hypertransfer.training.network_tensors import contents_of
from hypertransfer.training.state_kinds import class_values, is_users

_put_back: dict[type, Callable[[], None]] = {}  # gives a class the values that it had


def restore() -> None:
    """Give the recorded classes their values, and to these what they held."""
    for put_back in _put_back.values():
        put_back()


def record(module: str) -> None:
    """Record the values of the classes of the user's loaded modules, and of a module's package."""
    for cls in _classes(module.partition(".")[0]):
        _put_back[cls] = _recorded(cls)


def as_now() -> Callable[[], None]:
    """A function that gives the recorded classes the values that they have now."""
    put_back = [_recorded(cls) for cls in _put_back]

    def put_all_back() -> None:
        for of_class in put_back:
            of_class()

    return put_all_back


def recorded() -> list[type]:
    """The classes whose values are recorded."""
    return list(_put_back)


def _classes(package: str) -> Iterator[type]:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == package or is_users(name):
            classes = [value for value in vars(module).values() if isinstance(value, type)]
            yield from (c for c in classes if c.__module__ == name and not issubclass(c, Enum))


def _recorded(cls: type) -> Callable[[], None]:
    values = class_values(cls)
    put_contents_back = contents_of(values.values())

    def put_back() -> None:
        for name in class_values(cls).keys() - values.keys():
            delattr(cls, name)
        for name, value in values.items():
            if vars(cls).get(name, cls) is not value:
                setattr(cls, name, value)
        put_contents_back()

    return put_back
