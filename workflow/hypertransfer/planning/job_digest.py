"""The digest that names the files of a job: a hash of the job's settings and of its code.

The plan computes the digest before the job is submitted. When the job starts, it computes the
digest again from the code that is then on the disk (`execution.job.running`). Every job depends on
the code of this module, so the module holds only functions that both need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypertransfer.planning.fingerprint import Sources, fingerprint
from hypertransfer.runs.canonical import canonical, text_digest
from hypertransfer.runs.object_text import object_text

MODULES = "modules"  # key of a job's parts: modules that its script imports by name


def code_of(script: str, *modules: str, sources: Sources | None = None) -> dict[str, str]:
    """The fingerprint of a script in `workflow/scripts` and of all modules that it imports.

    `modules` are further entry modules, which the script imports by name at run time; `sources`
    are modules that are read already.
    """
    return fingerprint(f"scripts.{script}", *modules, sources=sources)


def job_digest(code: Mapping[str, str], parts: str) -> str:
    """The digest of a job, whose parts are given as canonical text: 12 hexadecimal digits."""
    return text_digest(object_text({"code": canonical(code), "parts": parts}), 12)


def digest_on_disk(script: str, parts: Mapping[str, Any]) -> str:
    """The digest of a job with the code that is on the disk now."""
    return job_digest(code_of(script, *parts.get(MODULES, ())), canonical(parts))
