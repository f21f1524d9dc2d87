"""Source files of modules in the library and in the project's folder."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "hypertransfer"
PACKAGE_ROOT = Path(__file__).resolve().parents[2]


def roots() -> tuple[Path, ...]:
    """The folders that hold modules: that of the library, and the working directory."""
    return (PACKAGE_ROOT, Path.cwd())


def find(module: str, where: Iterable[Path] | None = None) -> Path | None:
    """The source file of a module under the roots `where`; None if there is none."""
    relative = module.replace(".", os.sep)
    for root in where or roots():
        place = f"{root}{os.sep}{relative}"
        for candidate in (f"{place}{os.sep}__init__.py", f"{place}.py"):
            if os.path.isfile(candidate):  # noqa: PTH113 - quick, for tens of thousands
                return Path(candidate)
    return None


def own(module: str) -> Path | None:
    """The source file of a module that a config may name; None for other modules.

    A config may name modules of the library and of the project's folder. Modules of Python and of
    installed packages are refused, as are links to files outside these folders. No module is
    imported.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", module, re.ASCII):
        return None
    path = find(module)
    top = module.partition(".")[0]
    if path is None or not is_followed(path) or top in sys.stdlib_module_names:
        return None
    inside = any(path.resolve().is_relative_to(root.resolve()) for root in roots())
    return path if inside else None


@lru_cache
def is_hidden(module: str, source: Path) -> bool:
    """Whether an import of the module would load another file; determined without an import."""
    spec = find_spec(module.partition(".")[0])
    places = [spec.origin, *(spec.submodule_search_locations or [])] if spec else [source]
    real = source.resolve()
    return not any(place and real.is_relative_to(Path(place).resolve()) for place in places)


@lru_cache(maxsize=4096)
def is_followed(path: Path) -> bool:
    """Whether imports are followed into a source file; not into those of installed packages."""
    return "site-packages" not in path.parts
