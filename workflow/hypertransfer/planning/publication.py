"""Stable names: copies of files that are named by a digest, each renamed into place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hypertransfer.planning.job_digest import code_of
from hypertransfer.planning.jobs import PlannedJob


@dataclass(frozen=True)
class Publication:
    """Stable names below a folder, and the file named by a digest behind each name.

    `study` is the name of the study; empty for the index above all studies.
    """

    root: Path
    files: Mapping[str, str]
    study: str = ""

    @cached_property
    def job(self) -> PlannedJob:
        """The job that copies the files to the stable names."""
        return PlannedJob(
            rule="publish_study" if self.study else "publish_index",
            study=self.study,
            code=code_of("publish"),
            parts={"root": str(self.root), "files": self.files},
            output_patterns={"marker": f"{self.root}/made/published/{{digest}}.json"},
            input={"made": list(self.files.values())},
        )

    @property
    def marker(self) -> Path:
        """The file that lists the copies, with their sizes and times of change."""
        return Path(self.job.file)

    def stands(self) -> bool:
        """Whether every stable name still holds the copy that the marker lists."""
        try:
            states = json.loads(self.marker.read_text(encoding="utf-8"))
            return all(file_state(Path(path)) == state for path, state in states.items())
        except (OSError, ValueError, AttributeError, TypeError, RecursionError):
            return False

    def retract_if_false(self) -> None:
        """Remove the marker if a copy was changed, so that the files are copied again."""
        if self.marker.exists() and not self.stands():
            self.marker.unlink(missing_ok=True)


def file_state(path: Path) -> list[int]:
    """Size in bytes and time of change in ns, by which a changed copy is recognised."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
