"""Versions of installed packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

ABSENT = "not installed"


def installed_version(package: str) -> str:
    """The version of an installed package, or `not installed`.

    A plan can be made on a machine that lacks a package, for example in an environment with
    nothing but Snakemake; a job that needs the package fails there with its name.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return ABSENT
