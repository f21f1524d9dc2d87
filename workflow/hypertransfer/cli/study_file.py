"""The file of the study of a check-up: written once, and compared with what a call would write."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hypertransfer.cli import claims
from hypertransfer.cli.errors import CommandError
from hypertransfer.runs.problem import ProblemError
from hypertransfer.storage.atomic import replace_atomically
from hypertransfer.studies.document import ConfigError, block, flow, printable, read, value_in
from hypertransfer.studies.main_config import MAIN, studies_folder

WRITTEN = "# Written by `hypertransfer check-up"
EDITABLE = ("claims", "figures")
# The option that decides a value of the grids, by the beginning of its path below the grid.
OPTIONS = {
    ("base", "model", "name"): "MODULE:NAME",
    ("base", "model", "adopt", "width"): "--width-name",
    ("base", "model", "adopt", "depth"): "--depth-name",
    ("base", "model", "adopt", "inputs"): "--inputs",
    ("base", "model", "adopt", "roles"): "--role",
    ("base", "base", "width"): "--width",
    ("base", "base", "depth"): "--depth",
    ("base", "parameterisation"): "--table",
    ("base", "optimizer"): "--optimizer",
    ("base", "lr"): "--lr",
    ("base", "weight_decay"): "--weight-decay",
    ("base", "data"): "--data",
    ("base", "loss"): "--loss",
    ("base", "batch_size"): "--batch",
    ("base", "steps"): "--steps",
    ("axes", "seed", "range"): "--repeats",
}
LONGEST = 60  # characters of a value in a message
ABSENT = "none"


def write(
    name: str, values: Mapping[str, Any], config: list[str], command: str, *, as_is: bool
) -> Path:
    """Write the file of the study and register its claims.

    A file that is there must be the same, unless it is to be used `as_is`. A file that this call
    wrote does not stay if planning refuses it.

    Raises:
        ConfigError: there is another study of this name, or planning refuses the study.
    """
    file = _file_of(name)
    is_new = not file.exists()
    if is_new and not as_is:
        replace_atomically(file, f"# Written by `{command}`\n{block(values)}".encode())
    else:
        _compare(file, values, as_is=as_is)
    try:
        _register(name, config)
    except (ConfigError, ProblemError):
        if is_new:
            file.unlink()
        raise
    return file


def check(name: str, values: Callable[[bool, bool], Mapping[str, Any]], *, as_is: bool) -> None:
    """Check the file of a study, if it is there, before the modules of the network are measured.

    Args:
        name: the name of the study.
        values: returns what a call would write, if learning rates are swept over the depth and if
            the network has routers. What the file says of both is taken here, and compared by
            `write` after the measurement.
        as_is: whether claims and figures of the file may be edited.

    Raises:
        ConfigError: there is another study of this name, or none that could be used `as_is`.
    """
    file = _file_of(name)
    if not (file.exists() or as_is):
        return
    found = read(file).values if file.exists() else {}
    over_depth = _at(found, "grids", "depth") is not None
    routers = _at(found, "grids", "along", "probes", "routers") is not None
    _compare(file, values(over_depth, routers), as_is=as_is)


def _at(values: Any, *path: str) -> Any:
    """The value at a path of keys; None if there is none."""
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _file_of(name: str) -> Path:
    return studies_folder(MAIN) / f"{name}.yaml"


def _compare(file: Path, values: Mapping[str, Any], *, as_is: bool) -> None:
    """Check that a file holds the values, or that it may be used `as_is`.

    Raises:
        ConfigError: it does not, or it cannot be read.
    """
    if not file.exists():
        raise CommandError("--as-is", f"{file} is not there: leave the option out to write it")
    if text := _objection(file, value_in(block(values)), as_is=as_is):
        raise CommandError("--study", text)


def _objection(file: Path, ours: Mapping[str, Any], *, as_is: bool) -> str:
    """Why a file is no study of this call, and what to do; empty if it is.

    With `as_is` claims and figures may be edited. The grids may not: the page would show the
    modules of one network above the runs of another.

    Raises:
        ConfigError: the file cannot be read.
    """
    found = read(file).values
    found = found if isinstance(found, Mapping) else {}
    grids = list(_of_grids(found.get("grids"), ours["grids"]))
    edited = [key for key in {**ours, **found} if found.get(key) != ours.get(key)]
    if not edited or (as_is and not grids):
        return ""
    if not file.read_text(encoding="utf-8").startswith(WRITTEN):
        return f"{file} is a study that check-up did not write: name another study"
    differs = f"{file} is there, and differs from what this call"
    if grids:
        verb = "measures" if as_is else "would write"
        text = (
            f"{differs} {verb}: {'; '.join(grids)}. Call it with the options of the file, or name "
            "another study"
        )
        return text if as_is else f"{text}, or remove the file"
    parts = [_of_section(key, found.get(key), ours.get(key)) for key in edited]
    return (
        f"{differs} would write: {'; '.join(parts)}. Keep what you edited with --as-is, name "
        "another study, or remove the file"
    )


def _of_grids(found: Any, ours: Mapping[str, Any]) -> Iterator[str]:
    """Which options differ from those behind a file, or else which values of the grids do."""
    named: dict[str, str] = {}
    others: dict[str, str] = {}
    for path, there, here in _differences(found, ours, ()):
        text = f"{_shown(there)} there and {_shown(here)} here"
        option, detail = _option(path[1:])
        if option:
            named.setdefault(f"{option} ({detail})" if detail else option, text)
        else:
            others[".".join(("grids", *path))] = text
    # What an option decides decides other values as well, such as the sizes of an axis.
    yield from (f"{place} is {text}" for place, text in (named or others).items())


def _option(path: tuple[str, ...]) -> tuple[str, str]:
    """The option that decides a value of a grid, and the rest of the value's path."""
    for beginning, option in OPTIONS.items():
        if path[: len(beginning)] == beginning:
            return option, ".".join(path[len(beginning) :])
    return "", ""


def _differences(there: Any, here: Any, path: tuple[str, ...]) -> Iterator[tuple[Any, Any, Any]]:
    """The path of each value that differs, with both values; None is a value that is not there."""
    if not (isinstance(there, Mapping) and isinstance(here, Mapping)):
        if there != here:
            yield path, there, here
        return
    for key in {**here, **there}:
        yield from _differences(there.get(key), here.get(key), (*path, str(key)))


def _of_section(key: str, there: Any, here: Any) -> str:
    """What differs in a part of the file beside its grids: ids of claims and figures."""
    if key not in EDITABLE or not isinstance(there, list | None):
        return f"{key} is {_shown(there)} there and {_shown(here)} here"
    first, second = ({_name(entry): entry for entry in part or ()} for part in (there, here))
    names = [name for name in {**second, **first} if first.get(name) != second.get(name)]
    return f"{key} ({', '.join(names) or 'their order'})"


def _name(entry: Any) -> str:
    """The id of a claim or a figure, or else the beginning of the entry."""
    return _shown(entry["id"] if isinstance(entry, Mapping) and "id" in entry else entry)


def _shown(value: Any) -> str:
    """A value as YAML on one line; the beginning of a long one."""
    return ABSENT if value is None else printable(flow(value), LONGEST)


def _register(name: str, config: list[str]) -> None:
    """Register the claims before there are results."""
    reason = "the file of the check-up was edited or written anew"
    options = {"register": True, "studies": [name], "reason": reason, "only": []}
    claims.run(argparse.Namespace(configfile=MAIN, config=config, **options))
