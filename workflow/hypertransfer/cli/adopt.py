"""`hypertransfer adopt MODULE:BUILD`: the roles of the parameters of a network as it is."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Any

from torch import nn

from hypertransfer.cli.errors import CommandError
from hypertransfer.cli.text import aligned, json_text
from hypertransfer.networks.adopted.example import example_inputs, forward_arguments
from hypertransfer.networks.adopted.inferred import Inference, Inferred
from hypertransfer.networks.adopted.overrides import (
    module_pattern,
    pattern_of,
    with_patterns,
)
from hypertransfer.networks.adopted.roles import infer
from hypertransfer.networks.adopted.shapes import built
from hypertransfer.networks.tagged import RoleError
from hypertransfer.runs.problem import known_names
from hypertransfer.storage.atomic import replace_atomically

HEAD = ("role", "parameters", "shape", "fan_in", "fan_out", "grow", "branch")


def run(arguments: argparse.Namespace) -> int:
    """Print the role of each parameter, and what cannot be told; returns 1 if anything is doubtful.

    Raises:
        CommandError: the builder, the inputs or the overrides cannot be used.
    """
    build = builder(arguments)
    width, depth = arguments.width, arguments.depth
    try:
        network = at_base(arguments, build)
        inputs = given_inputs(arguments, lambda: network)
        found = infer(build, width, depth, inputs, dict(arguments.role))
    except RoleError as error:
        raise CommandError(arguments.build, str(error)) from error
    print(*lines(found), sep="\n")
    if arguments.json:
        try:
            replace_atomically(arguments.json, json_text(plain(found)).encode())
        except OSError as error:
            text = f"{arguments.json} cannot be written: {error.strerror or error}"
            raise CommandError("--json", text) from error
        print(f"\nwritten to {arguments.json}")
    return int(bool(found.doubtful or found.faults))


def lines(found: Inference) -> Iterator[str]:
    """The lines of the report: a row for each kind of parameter, branches, and doubts."""
    widths, depths = (", ".join(map(str, part)) for part in (found.widths, found.depths))
    yield f"compared at the widths {widths} and the depths {depths}; shapes are those of the first"
    yield ""
    rows = list(_rows(found.parameters))
    table = aligned([HEAD, *(row[:-1] for row in rows)], 2)
    reasons = ("because", *(row[-1] for row in rows))
    yield from (f"{line}  {reason}" for line, reason in zip(table, reasons, strict=True))
    yield ""
    kinds = dict.fromkeys(map(module_pattern, found.branches))
    if kinds:
        yield f"residual branches end in: {', '.join(kinds)}"
    elif not found.faults:
        yield "no residual branches: tables for the depth change nothing"
    for fault in dict.fromkeys(map(with_patterns, found.faults)):
        yield f"fault: {fault}"
    for doubt in found.doubts:
        yield f"note: {doubt}"
    of_pattern: dict[tuple[str, str], int] = {}
    for parameter in found.doubtful:
        place = pattern_of(parameter.name), with_patterns(parameter.doubt)
        of_pattern[place] = of_pattern.get(place, 0) + 1
    for (pattern, doubt), count in of_pattern.items():
        yield f"doubtful: {pattern}{f' ({count} parameters)' if count > 1 else ''}: {doubt}"
    if not of_pattern:
        yield "no parameter is doubtful"


def _rows(parameters: Sequence[Inferred]) -> Iterator[tuple[str, ...]]:
    """One row for parameters that differ in the numbers of their blocks only."""
    rows: dict[tuple[str, ...], None] = {}
    for parameter in parameters:
        role = _role(parameter)
        shared = "".join(f" + {other.value}" for other in parameter.shared)
        grow = ", ".join(map(str, parameter.growing)) or "–"
        rows[
            f"{role}{shared}",
            pattern_of(parameter.name),
            " × ".join(map(str, parameter.shape)),
            str(parameter.fan_in),
            str(parameter.fan_out),
            grow,
            "yes" if parameter.in_branch else "no",
            parameter.reason,
        ] = None
    return iter(rows)


def _role(parameter: Inferred) -> str:
    """The role, and that of the rule if it is another one."""
    if parameter.role is None:
        return "?"
    try:
        rule = parameter.scaled_as
    except RoleError:
        return f"{parameter.role.value} (?)"
    same = rule is parameter.role
    return parameter.role.value if same else f"{parameter.role.value} ({rule.value})"


def plain(found: Inference) -> dict[str, Any]:
    """The inference as values that JSON can hold."""
    parameters = [
        {**asdict(parameter), "fan_in": parameter.fan_in, "fan_out": parameter.fan_out}
        for parameter in found.parameters
    ]
    return {
        "widths": found.widths,
        "depths": found.depths,
        "parameters": parameters,
        "branches": found.branches,
        "faults": found.faults,
        "doubts": found.doubts,
    }


def builder(arguments: argparse.Namespace) -> Callable[[int, int], nn.Module]:
    """The function or class that builds the network of a width and a depth.

    Raises:
        CommandError: it cannot be imported.
    """
    make = _imported("MODULE:NAME", arguments.build)
    names = arguments.width_name, arguments.depth_name

    def build(width: int, depth: int) -> nn.Module:
        return make(**dict(zip(names, (width, depth), strict=True)))

    return build


def given_inputs(
    arguments: argparse.Namespace, network: Callable[[], nn.Module]
) -> Mapping[str, Any] | Sequence[Any]:
    """The arguments of the forward pass: those that a function returns, or a guess.

    `network` returns the network at the base, of which a guess is made.

    Raises:
        CommandError: the function cannot be imported.
        RoleError: the network cannot be built, or nothing can be guessed.
    """
    if arguments.inputs:
        return forward_arguments(_imported("--inputs", arguments.inputs))
    return example_inputs(network())


def at_base(arguments: argparse.Namespace, build: Callable[[int, int], nn.Module]) -> nn.Module:
    """The network at the base.

    Raises:
        RoleError: it cannot be built.
    """
    width, depth = arguments.width, arguments.depth
    try:
        network = build(width, depth)
    except Exception as error:
        raise RoleError(_not_built(arguments, width, depth, error)) from error
    if not isinstance(network, nn.Module):
        raise RoleError(f"returns a {type(network).__name__}, and not a torch.nn.Module")
    return network


def check_sizes(
    arguments: argparse.Namespace,
    build: Callable[[int, int], nn.Module],
    sizes: Iterable[tuple[int, int]],
) -> None:
    """Check that the network can be built at all sizes, given as width and depth.

    Raises:
        RoleError: it cannot be built at one of them.
    """
    for width, depth in sizes:
        try:
            built(build, width, depth, meta=True)
        except RoleError as error:
            cause = error.__cause__ or error
            raise RoleError(_not_built(arguments, width, depth, cause)) from error


def _not_built(arguments: argparse.Namespace, width: int, depth: int, error: BaseException) -> str:
    """Why the network of a size cannot be built, and what to do."""
    names = arguments.width_name, arguments.depth_name
    pairs = ((width, arguments.width, "--width"), (depth, arguments.depth, "--depth"))
    times = [f" ({size // base} × {option})" if size > base else "" for size, base, option in pairs]
    sizes = f"{names[0]}={width}{times[0]}, {names[1]}={depth}{times[1]}"
    text = f"cannot be called with {sizes}: {error!r}"
    try:
        own = inspect.signature(_imported("MODULE:NAME", arguments.build))
        own.bind(**dict.fromkeys(names))
    except TypeError:
        lacking = [name for name in names if name not in own.parameters]
        takes_any = any(one.kind is one.VAR_KEYWORD for one in own.parameters.values())
        if len(lacking) == 1 and not takes_any:
            return f"{text}; {_lacks(lacking[0], names, own)}"
        known = {*names} <= own.parameters.keys()
        others = ", ".join(name for name in own.parameters if name not in names)
        if known:
            return f"{text}; name a function of {' and '.join(names)} alone, which sets {others}"
        return (
            f"{text}; if its arguments have other names, give them by --width-name and "
            f"--depth-name: {others or 'it has none'}"
        )
    except ValueError:  # a class or function without a signature
        return text
    if depth > arguments.depth:
        return f"{text}; let it build deeper networks, or give a smaller depth by --depth"
    return (
        f"{text}; let what must divide {names[0]} grow with it, such as a number of "
        f"heads ({names[0]} // 16), or give other sizes by --width and --depth"
    )


def _lacks(name: str, names: Sequence[str], own: inspect.Signature) -> str:
    """What to do where a builder takes one of width and depth only, and not that of a name."""
    is_width = name == names[0]
    others = ", ".join(one for one in own.parameters if one not in names)
    option = "--width-name" if is_width else "--depth-name"
    rename = f"if it has another name, give it by {option}: {others}; or " if others else ""
    add = "add one, with which its layers grow"
    if not is_width:
        add = "add one, which it may ignore; the network is then compared over the width alone"
    return f"it has no argument {name}: {rename}{add}"


def _imported(place: str, path: str) -> Any:
    """The object at `module:attribute`.

    Raises:
        CommandError: there is none.
    """
    module, colon, attribute = path.partition(":")
    if not (module and colon and attribute):
        raise CommandError(place, f"{path!r} is not of the form MODULE:NAME")
    try:
        found = import_module(module)
    except Exception as error:
        raise CommandError(place, f"{module} cannot be imported: {error!r}") from error
    if not callable(getattr(found, attribute, None)):
        own = [
            name for name, one in vars(found).items() if getattr(one, "__module__", "") == module
        ]
        known = known_names(attribute, own)
        raise CommandError(place, f"{module} has no function {attribute!r}; {known}")
    return getattr(found, attribute)
