"""Where the source of a module stands: in the library, or in the project's own folder."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

PACKAGE = "hypertransfer"
PACKAGE_ROOT = Path(__file__).resolve().parents[2]


def roots() -> tuple[Path, ...]:
    """Where modules are looked for: the library, then the working directory for your own."""
    return (PACKAGE_ROOT, Path.cwd())


def find(module: str, where: Iterable[Path] | None = None) -> Path | None:
    """The source file of a module under the roots; None for anything else."""
    relative = Path(*module.split("."))
    for root in where or roots():
        for candidate in (root / relative / "__init__.py", root / relative.with_suffix(".py")):
            if candidate.is_file():
                return candidate
    return None


def own(module: str) -> Path | None:
    """The source of a module that a config may name; None for any other.

    That is one of the library or of the project's folder, found without importing anything:
    never one of Python's own or of an installed package, nor one that a link leads out to.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", module, re.ASCII):
        return None
    path = find(module)
    top = module.partition(".")[0]
    if path is None or not is_followed(path) or top in sys.stdlib_module_names:
        return None
    inside = any(path.resolve().is_relative_to(root.resolve()) for root in roots())
    return path if inside else None


@lru_cache(maxsize=4096)
def is_followed(path: Path) -> bool:
    """Whether a source file is followed: installed libraries are not, wherever they lie."""
    return "site-packages" not in path.parts
