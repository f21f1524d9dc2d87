"""Read and write the files of registrations of claims."""

from __future__ import annotations

from pathlib import Path

from hypertransfer.claims.registration import Registration
from hypertransfer.runs.problem import Problem
from hypertransfer.storage.atomic import replace_atomically
from hypertransfer.studies.document import ConfigError, block, read
from hypertransfer.studies.schema import schema_problems

HEADER = """\
# When the claims of the study were fixed, and why they were changed since; `hypertransfer claims`
# writes this file. docs/reference/claims.md explains it.
"""


def registration_file(name: str, studies: Path) -> Path:
    """The file of a study's registration, in the folder beside that of the studies."""
    return studies.parent / "registrations" / f"{name}.yaml"


def load_registration(name: str, studies: Path) -> Registration:
    """The registration of a study; without claims if there is no file.

    Raises:
        ConfigError: every problem of the file.
    """
    file = registration_file(name, studies)
    if not file.exists():
        return Registration(study=name)
    document = read(file, str(file))
    problems = schema_problems("registration", document.values)
    if not problems and document.values["study"] != name:
        problems = [Problem(("study",), document.values["study"], f"the file's name, {name!r}")]
    if problems:
        raise ConfigError(map(document.locate, problems))
    return Registration.parse(document.values)


def save_registration(registration: Registration, studies: Path) -> Path:
    """Write the file of a registration, and return its path."""
    file = registration_file(registration.study, studies)
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_atomically(file, (HEADER + block(registration.plain())).encode())
    return file
