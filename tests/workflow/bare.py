"""Snakemake as in an environment of nothing but Snakemake.

    python bare.py [MODULE ...] -- ARGUMENTS [-- ARGUMENTS ...]

Packages that Snakemake does not depend on cannot be imported and have no version; nor can the
modules that are named. Each group of arguments is a call of Snakemake. The process ends with the
first exit status that is not 0.
"""

from __future__ import annotations

import importlib.metadata as metadata
import pkgutil
import re
import sys
from collections.abc import Iterator, Sequence

OWN = {"hypertransfer", "tests"}  # what the folder of the project provides


def name_of(requirement: str) -> str:
    """The normalised name of the distribution that a requirement names."""
    return re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", requirement)[0]).lower()


def closure(distribution: str) -> set[str]:
    """The distribution and all installed distributions that it needs, without its extras."""
    needed: set[str] = set()
    waiting = [distribution]
    while waiting:
        name = name_of(waiting.pop())
        if name in needed:
            continue
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        needed.add(name)
        waiting += [text for text in requires if "extra ==" not in text]
    return needed


def refused_modules(needed: set[str]) -> set[str]:
    """Top-level modules that only distributions outside the needed ones provide."""
    owners = metadata.packages_distributions()
    return {
        module
        for module, names in owners.items()
        if module not in OWN and not needed & {name_of(name) for name in names}
    }


class Refusal:
    """A finder of modules that refuses some top-level modules."""

    def __init__(self, refused: set[str]) -> None:
        self.refused = refused

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in self.refused:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def install(names: Sequence[str]) -> None:
    """Refuse what Snakemake does not need, and the modules of the given names."""
    needed = closure("snakemake")
    refused = refused_modules(needed) | set(names)
    sys.meta_path.insert(0, Refusal(refused))
    version, iter_modules = metadata.version, pkgutil.iter_modules

    def known_version(name: str) -> str:
        if name_of(name) not in needed:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    def known_modules(*arguments: object, **options: object) -> Iterator[pkgutil.ModuleInfo]:
        # Snakemake looks for its plugins among all modules.
        found = iter_modules(*arguments, **options)
        return (module for module in found if module.name not in refused)

    metadata.version, pkgutil.iter_modules = known_version, known_modules


def main(arguments: Sequence[str]) -> None:
    calls: list[list[str]] = [[]]
    for argument in arguments:
        if argument == "--":
            calls.append([])
        else:
            calls[-1].append(argument)
    names, *calls = calls
    install(names)
    from snakemake.cli import main as snakemake

    for call in calls:
        print(f"== snakemake {' '.join(call)}", flush=True)
        try:
            snakemake(call)
        except SystemExit as exit:
            if exit.code:
                raise


if __name__ == "__main__":
    main(sys.argv[1:])
