"""Stable names: copies of digest-named files, put in place one atomic rename each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hypertransfer.planning.jobs import Job, code_of


@dataclass(frozen=True)
class Publication:
    """Stable names below a folder, and which made file stands behind each."""

    root: Path
    files: Mapping[str, str]

    @cached_property
    def job(self) -> Job:
        """The job that puts the names in place."""
        return Job(code_of("publish"), {"root": str(self.root), "files": self.files})

    @property
    def marker(self) -> Path:
        """The file that says that this publication stands."""
        return self.root / "made" / "published" / f"{self.job.digest}.json"

    def stands(self) -> bool:
        """Whether every stable name still holds what the marker says was put there."""
        try:
            states = json.loads(self.marker.read_text(encoding="utf-8"))
            return all(file_state(Path(path)) == state for path, state in states.items())
        except (OSError, ValueError, AttributeError, TypeError, RecursionError):
            return False

    def retract_if_false(self) -> None:
        """Remove a marker that is not true, so that the names are put in place again."""
        if self.marker.exists() and not self.stands():
            self.marker.unlink(missing_ok=True)


def file_state(path: Path) -> list[int]:
    """Size and time of change: enough to see that a file is not the one put there."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
