"""Results do not depend on the user's environment, home, working folder, locale and threads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.support import surroundings
from tests.workflow.project import Project

from hypertransfer.storage import parquet

pytestmark = pytest.mark.workflow

CLOCKED = ("published",)  # folders of files with times


def made(project: Project) -> dict[str, bytes]:
    """Every file that is named by a digest, by its path; tables without measured times."""
    files = {}
    for path in sorted((project.folder / "results").glob("**/made/**/*.*")):
        name = path.relative_to(project.folder).as_posix()
        if path.is_dir() or any(f"/{folder}/" in name for folder in CLOCKED):
            continue
        files[name] = path.read_bytes()
        if path.suffix == ".parquet":
            table = parquet.read(path)
            kept = [n for n in table.column_names if not n.endswith("seconds")]
            files[name] = parquet.to_bytes(table.select(kept))
    return files


def test_hostile_surroundings_change_no_byte(project: Project, tmp_path: Path):
    folder = tmp_path / "Übung 1"
    folder.mkdir()
    other = Project(folder / "das Gewächs")
    other.surroundings = surroundings.variables(tmp_path / "surroundings")
    for name in ("random", "statistics", "html", "seaborn"):
        (other.folder / f"{name}.py").write_text(surroundings.RAISE)
    shutil.copy(tmp_path / "surroundings/matplotlibrc", other.folder)
    former = os.umask(0o077)
    try:
        ran = other.run()
    finally:
        os.umask(former)
    assert ran.code == 0, ran.output
    plain, hostile = made(project), made(other)
    assert {Path(name).suffix for name in plain} == {".parquet", ".svg", ".png", ".ipynb", ".html"}
    assert set(hostile) == set(plain)
    assert not [name for name, content in plain.items() if hostile[name] != content]
