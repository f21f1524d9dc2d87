"""The roles that a user gives to parameters by patterns of their names."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from hypertransfer.networks.adopted.inferred import Inferred
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.runs.problem import known_names


def pattern_of(name: str) -> str:
    """The name of a parameter with `*` in place of the numbers of blocks, for an override.

    The number of the module that owns the parameter tells layers of one block apart, and stays:
    `blocks.0.ff.2.weight` is in `blocks.*.ff.2.weight`. It is starred if it is itself that of a
    block: if it is the only number, and not the first part, as in `layers.0.weight`.
    """
    *path, last = name.split(".")
    numbers = [part.isdigit() or part == "*" for part in path]
    starred = ["*" if is_number else part for part, is_number in zip(path, numbers, strict=True)]
    if len(path) == 1 or any(numbers[:-1]):
        starred[-1:] = path[-1:]
    return ".".join([*starred, last])


def with_patterns(text: str) -> str:
    """A text with the patterns of the names of parameters in it."""
    return re.sub(r"[\w*]+(\.[\w*]+){2,}", lambda name: pattern_of(name[0]), text)


def module_pattern(path: str) -> str:
    """The path of a module with `*` in place of the numbers of blocks; empty for the network."""
    return pattern_of(f"{path}.")[:-1]


def advice(about: Inferred) -> str:
    """The override that settles what a parameter is, as an example."""
    role = "vector" if len(about.shape) < 2 else "hidden"
    return f'say what it is, such as "{pattern_of(about.name)}={role}"'


def _hint(pattern: str, parameters: Sequence[Inferred]) -> str:
    """The pattern of a module's parameters, if the module matches, or else the first parameters."""
    inside = [p.name for p in parameters if fnmatch.fnmatchcase(p.name, f"{pattern}.*")]
    if inside:
        module, _, leaf = inside[0].rpartition(".")
        leaf = leaf if fnmatch.fnmatchcase(module, pattern) else "*"
        return f"did you mean {f'{pattern}.{leaf}'!r}, of the parameters of that module?"
    return f"the first are {', '.join(p.name for p in parameters[:8])}"


def overridden(
    parameters: Iterable[Inferred], overrides: Mapping[str, Role | str]
) -> Iterator[Inferred]:
    """The parameters with the roles that overrides give them.

    Raises:
        RoleError: an override matches no parameter, or names no role.
    """
    parameters = list(parameters)
    roles: dict[str, Role] = {}
    for pattern, written in overrides.items():
        names = [p.name for p in parameters if fnmatch.fnmatchcase(p.name, pattern)]
        if not names:
            raise RoleError(
                f"the override {pattern!r} matches no parameter; {_hint(pattern, parameters)}"
            )
        try:
            roles |= dict.fromkeys(names, Role(written))
        except ValueError:
            known = known_names(written, [role.value for role in Role])
            raise RoleError(
                f"the override {pattern!r} has {written!r}, which is no role; {known}"
            ) from None
    for found in parameters:
        if found.name in roles:
            found = replace(found, role=roles[found.name], reason="override", doubt="")
        yield found
