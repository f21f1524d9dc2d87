"""The notebook template of a study's report, and a digest of the template and of its code."""

from __future__ import annotations

import json
from pathlib import Path

from hypertransfer.catalogue.module_source import find
from hypertransfer.planning.fingerprint import fingerprint, imports
from hypertransfer.runs.canonical import digest
from hypertransfer.studies.document import ConfigError, LocatedProblem

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def notebook(study: str) -> Path:
    """The notebook template of a study: `<study>.ipynb` if there is one, else `any_study.ipynb`.

    Raises:
        ConfigError: the template is a link to a file outside the folder of notebooks.
    """
    own = NOTEBOOKS / f"{study}.ipynb"
    path = own if own.is_file() else NOTEBOOKS / "any_study.ipynb"
    if path.resolve().parent != NOTEBOOKS:
        text = f"{path} is a link that leads out of {NOTEBOOKS}: put the notebook itself there"
        raise ConfigError([LocatedProblem(f"config/studies/{study}.yaml", None, "study", text)])
    return path


def notebook_digest(path: Path) -> str:
    """The digest of the template's cells, the page template, and the code that cells import."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    code = [s for s, cell in zip(sources, cells, strict=True) if cell["cell_type"] == "code"]
    ours = [name for name in imports("\n".join(code), "notebook", False) if find(name)]
    pages = sorted((NOTEBOOKS / "templates").rglob("[!.]*.*[!~]"))  # none of an editor
    page = [p.read_text(encoding="utf-8") for p in pages if p.is_file()]
    return digest({"cells": sources, "page": page, "code": fingerprint(*ours)}, 16)
