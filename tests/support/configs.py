"""Config files of studies, written for a test."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from tests.support.project import STUDY

from hypertransfer.studies import study as studies_study
from hypertransfer.studies.document import ConfigError


def study_file(folder: Path, text: str) -> Path:
    """Write the text of a study `mine` into a folder."""
    folder.mkdir(exist_ok=True)
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def load(folder: Path, study: dict) -> studies_study.Study:
    """Write a study into a folder, and load it."""
    file = study_file(folder / "studies", yaml.safe_dump(study, sort_keys=False))
    return studies_study.load_study("mine", "desk", file.parent)


def with_grid(**changes) -> dict:
    """The small study with changes of its grid."""
    study = json.loads(json.dumps(STUDY))
    study["grids"]["sweep"] |= changes
    return study


def problems(folder: Path, study: dict) -> list[str]:
    """The problems of a study, written into a folder, as texts."""
    try:
        load(folder, study)
    except ConfigError as error:
        return list(map(str, error.problems))
    return []
