"""Versions of installed packages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

ABSENT = "not installed"
PINS = Path(__file__).resolve().parents[3] / "envs" / "requirements.txt"


@lru_cache
def installed_version(package: str) -> str:
    """The version of an installed package, or `not installed`."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ABSENT


def planned_versions(packages: Iterable[str]) -> dict[str, str]:
    """The version of each package in the environment of the jobs.

    Planning works without the packages, for example in an environment with nothing but Snakemake.
    The jobs then run in the environment of `envs/`, which has the pinned versions.
    """
    return {package: _planned_version(package) for package in packages}


def _planned_version(package: str) -> str:
    found = installed_version(package)
    return _pinned().get(_normalised(package), ABSENT) if found == ABSENT else found


def imported_versions(modules: Iterable[str]) -> dict[str, str]:
    """The versions of the packages that have top-level modules, without those of the library's.

    The library's own packages are pinned in `envs/`, and are no part of the keys of runs. A module
    of no known package, such as one on `PYTHONPATH`, counts as not installed. Edits of a package
    that is installed in editable mode are not seen while its version stays.
    """
    found: dict[str, str] = {}
    for module in sorted(modules):
        names = sorted(set(_packages().get(module, [module])))  # such as scikit-learn of sklearn
        found |= {n: _planned_version(n) for n in names if _normalised(n) not in _pinned()}
    return found


@lru_cache
def _packages() -> dict[str, list[str]]:
    """The names of the packages that hold each top-level module."""
    return dict(packages_distributions())


@lru_cache
def _pinned() -> dict[str, str]:
    """The pinned version of each package; empty if the library is outside of its repository."""
    if not PINS.is_file():
        return {}
    lines = PINS.read_text(encoding="utf-8").splitlines()
    pins = (line.partition("#")[0].partition("==") for line in lines if "==" in line)
    return {_normalised(name): pinned.strip() for name, _, pinned in pins}


def _normalised(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package.strip()).lower()
