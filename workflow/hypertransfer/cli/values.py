"""Values of options on the command line, in which numbers may be powers of two, such as 2^-5.

This module imports the standard library, and modules of this package that do so, as `arguments`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypertransfer.runs.numbers import power_of_two
from hypertransfer.runs.paths import expand_home, path_fault
from hypertransfer.runs.problem import known_names
from hypertransfer.runs.table_values import name_of

SIZES = ("width", "depth", "batch_size", "steps")  # of a target


def with_powers(value: Any) -> Any:
    """A plain value with the numbers in place of powers of two, in lists and mappings as well."""
    if isinstance(value, Mapping):
        return {name: with_powers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [with_powers(one) for one in value]
    found = power_of_two(value) if isinstance(value, str) else None
    return value if found is None else found


def number(text: str) -> float:
    """A number."""
    found = power_of_two(text)
    try:
        return float(text if found is None else found)
    except ValueError:
        text = f"{text!r} is no number, such as 0.03 or 2^-5"
        raise argparse.ArgumentTypeError(text) from None


def whole(text: str) -> int:
    """A whole number."""
    found = power_of_two(text)
    try:
        if found is None:
            return int(text)
    except ValueError:
        pass
    if isinstance(found, int):
        return found
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number, such as 64 or 2^6")


def pair(text: str) -> tuple[str, str]:
    """A column and its value, in which a power of two has the form of tables of runs."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form COLUMN=VALUE")
    found = power_of_two(value)
    return name, value if found is None else name_of(found)


def size(text: str) -> tuple[str, int]:
    """One size of a target, by its name."""
    name, value = pair(text)
    if name not in SIZES:
        raise argparse.ArgumentTypeError(f"{name!r} is no size; {known_names(name, SIZES)}")
    if not value.isdecimal() or not int(value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number above 0")
    return name, int(value)


def role(text: str) -> tuple[str, str]:
    """A pattern of names, and the role of the parameters that match."""
    pattern, equals, name = text.partition("=")
    if not (pattern and equals and name):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form PATTERN=ROLE")
    return pattern, name


def days(text: str) -> float:
    """A number of days."""
    found = float(text)
    if not 0 <= found < 1e5:
        raise argparse.ArgumentTypeError(f"{text} is not a number of days from 0 to 99999")
    return found


def path(text: str) -> Path:
    """A path, with `~` expanded, which a shell leaves as it is in `--out=~/space.yaml`."""
    found = expand_home(text)
    if fault := path_fault(found):
        raise argparse.ArgumentTypeError(fault)
    return Path(found)
