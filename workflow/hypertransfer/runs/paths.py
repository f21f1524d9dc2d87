"""Paths that a person writes, on the command line and in configs.

A shell expands `~` and variables only where it sees them as such, e.g. not in `--out=~/space.yaml`
and not in a config. This module imports the standard library only, since the command line parses
its arguments with it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_VARIABLE = re.compile(r"(?:^|/)(\$\{?[A-Za-z_]\w*\}?)")


def expand_home(path: str) -> str:
    """A path with `~` or `~user` at its beginning replaced by the home folder.

    The path of a user who is not known stays as it is.
    """
    return os.path.expanduser(path)  # noqa: PTH111 (pathlib's raises where no home is known)


def path_fault(path: str) -> str | None:
    """What is wrong with a path in which `~` has been expanded where its folder is known.

    A path that begins with `~` afterwards names an unknown user, and one with a variable would
    become a folder with the name of the variable.
    """
    if path.startswith("~"):
        return f"the home folder of {path.partition('/')[0]} is not known: write the whole path"
    if variable := _VARIABLE.search(path):
        return f"{variable[1]} in {path!r} is not replaced by its value: write the path, or use ~"
    return None


def is_file(text: str) -> bool:
    """Whether a text is the path of a file; False of texts that no path can be, as a long one."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False
