"""A job of the plan, named by a digest of everything that decides what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hypertransfer.planning.fingerprint import fingerprint
from hypertransfer.runs.canonical import canonical, digest

RESULTS = Path("results")


@dataclass(frozen=True)
class Job:
    """Something to make: the parts that decide it, and the code that does it."""

    code: Mapping[str, str]
    parts: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """The name of what the job makes: a digest of its parts and of its code."""
        return name_of(self.code, self.parts)

    @cached_property
    def made_from(self) -> str:
        """The parts as text, for the job itself: see `jobs.Running`."""
        return canonical(self.parts)


def code_of(script: str) -> dict[str, str]:
    """The fingerprint of a rule's script, with all that it imports."""
    return fingerprint(f"scripts.{script}")


def name_of(code: Mapping[str, str], parts: Mapping[str, Any]) -> str:
    """Digest of the parts and of the code."""
    return digest({"parts": parts, "code": code}, 12)
