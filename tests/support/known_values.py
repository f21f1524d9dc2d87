"""A project's folder whose cache of known values a test reads anew, as a new process would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hypertransfer.storage import known_values


def forgetting(*caches: Callable) -> Callable[[], None]:
    """A function that forgets what this process has read: known values, and further caches."""

    def anew() -> None:
        known_values.known_values.cache_clear()
        for cache in caches:
            cache.cache_clear()

    return anew


def project_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, anew: Callable[[], None]
) -> Iterator[Path]:
    """A folder in which Snakemake has run, as the working directory of a test."""
    monkeypatch.chdir(folder)
    (folder / ".snakemake").mkdir()
    anew()
    yield folder
    anew()
