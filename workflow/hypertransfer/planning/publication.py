"""Stable names of results: copies of files that are named by digests."""

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
    """The stable names below a folder, and the files that are copied to these names.

    Attributes:
        root: the folder.
        files: the file named by a digest, by stable name relative to `root`.
        study: the name of the study; empty for the index above all studies.
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
        """The file that lists the copies, with their sizes and modification times."""
        return Path(self.job.file)

    def stands(self) -> bool:
        """Whether every copy still has the size and modification time that the marker lists."""
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
    """Size in bytes and modification time in ns, which tell whether a copy was changed."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
