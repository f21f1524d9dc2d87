"""Options of the command line that have no effect without another one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple


class Need(NamedTuple):
    """An option that has no effect without another one.

    Attributes:
        name, needed: the names of their values.
        option, other: both as they are written.
        default: the value of an option that is not given.
    """

    name: str
    option: str
    needed: str
    other: str
    default: Any


def add_with(
    command: argparse._ActionsContainer, other: str, option: str, default: Any, **how: Any
) -> None:
    """Add an option that has no effect without the option `other`, and is refused without it."""
    # Left out of what is parsed, so that an option with the value of its default is seen, too.
    action = command.add_argument(option, default=argparse.SUPPRESS, **how)
    needed = other.removeprefix("--").replace("-", "_")
    found = Need(action.dest, option, needed, other, default)
    command.set_defaults(needs=(*(command.get_default("needs") or ()), found))


class Parser(argparse.ArgumentParser):
    """Refuses options that have no effect without another one that is not given."""

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """The options of a command, with their defaults."""
        parsed = super().parse_args(args, namespace)
        for need in getattr(parsed, "needs", ()):
            if hasattr(parsed, need.name) and not getattr(parsed, need.needed):
                self.error(f"argument {need.option}: has no effect without {need.other}")
            setattr(parsed, need.name, getattr(parsed, need.name, need.default))
        return parsed
