"""A small project of its own, on which the tests run Snakemake itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

STUDY: dict[str, Any] = {
    "study": "micro",
    "title": "A study in seconds",
    "question": "Does the workflow rerun what it should, and nothing else?",
    "paper": {"title": "None", "authors": "Nobody", "arxiv": "0000.00000", "venue": "here"},
    "grids": {
        "sweep": {
            "base": {
                "model": "residual_mlp",
                "data": {"name": "digits", "train": 256, "test": 64},
                "base": {"width": 4, "depth": 1},
                "shape": {"width": 4, "depth": 1},
                "parameterisation": "mup",
                "optimizer": "sgd",
                "lr": 0.1,
                "batch_size": 32,
                "steps": 6,
                "log_every": 2,
                "seed": 0,
            },
            "axes": {
                "optimizer": ["sgd", "adam"],
                "shape.width": [4, 8],
                "lr": [0.05, 0.1, 0.2],
                "seed": [0, 1],
            },
            "probes": {
                "sharpness": {
                    "probe": "hessian",
                    "where": {"optimizer": "sgd", "lr": 0.1},
                    "checkpoints": {"count": 3},
                    "samples": 32,
                    "tolerance": 0.05,
                }
            },
        }
    },
    "figures": [
        {
            "id": "sweep",
            "kind": "lr_sweep",
            "title": "A sweep",
            "caption": "A sweep.",
            "where": {"optimizer": "sgd"},
        },
        {
            "id": "sharpness",
            "kind": "sharpness",
            "title": "Sharpness",
            "caption": "Sharpness.",
            "where": {"optimizer": "sgd", "lr": 0.1},
        },
    ],
    "claims": [
        {
            "id": "wider-is-better",
            "sentence": "Wider is better.",
            "source": "nowhere",
            "kind": "ours",
            "confidence": "low",
            "bar_from": "ours",
            "measure": "transfer_gain",
            "where": {"optimizer": "sgd"},
            "bar": {"min": 0},
        }
    ],
}


@dataclass
class Ran:
    """What one call of Snakemake did, read off the jobs' own logs."""

    code: int
    output: str
    seconds: float
    jobs: list[str] = field(default_factory=list)
    trained: int = 0
    probed: int = 0

    def of(self, *rules: str) -> int:
        """How many jobs ran that belong to one of the rules' log folders."""
        return sum(job in rules for job in self.jobs)


class Project:
    """A copy of the workflow with a study of its own, in a folder of its own."""

    first: Ran

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.surroundings: dict[str, str] = {}  # environment variables beside the caller's
        folder.mkdir(exist_ok=True)
        for name in ("Snakefile", "workflow", "envs", "config"):
            source, ignore = ROOT / name, shutil.ignore_patterns("__pycache__", "*.egg-info")
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=ignore)
            else:
                shutil.copy(source, folder / name)
        (folder / "profiles").symlink_to("workflow/profiles")
        self.write_notebook()
        self.write_study(STUDY)
        self.write_config()

    @classmethod
    def copied(cls, source: Path, folder: Path) -> Project:
        """A copy of another project, with all that was made there."""
        shutil.copytree(source, folder, symlinks=True)
        project = cls.__new__(cls)
        project.folder, project.surroundings = folder, {}
        return project

    def write_config(self, **changes: Any) -> None:
        """The main config; the store lies in the project."""
        config = {
            "scale": "desk",
            "studies": ["micro"],
            "device": "cpu",
            "store": "results/store",
            "job_minutes": 3,
            "save_minutes": 5,
            **changes,
        }
        (self.folder / "config/config.yaml").write_text(yaml.safe_dump(config))

    def write_study(self, study: dict[str, Any]) -> None:
        """The study's config."""
        file = self.folder / "config/studies/micro.yaml"
        file.write_text(yaml.safe_dump(study, sort_keys=False))

    def write_notebook(self) -> None:
        """A report of two cells: what is under test is when it is made."""
        notebook = nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_code_cell(
                    "study, scale, tables, claims, figures, captions = {}, '', [], '', {}, {}",
                    metadata={"tags": ["parameters"]},
                ),
                nbformat.v4.new_code_cell(
                    "from hypertransfer.storage import parquet\n"
                    "print(study['title'], parquet.read(tables[0]).num_rows, 'runs')"
                ),
            ],
            metadata={
                "kernelspec": {"name": "python3", "display_name": "Python 3"},
                "language_info": {"name": "python"},
            },
        )
        nbformat.write(notebook, self.folder / "workflow/notebooks/micro.ipynb")

    def environment(self) -> dict[str, str]:
        """The caller's environment without its PYTHONPATH: the project finds its own library."""
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        # The tests' environment has the library installed from the working tree; the copy in the
        # project must win, as it does for a user whose folder it is.
        path = f"{BIN}{os.pathsep}{kept['PATH']}"
        return {**kept, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **self.surroundings}

    def command(self, *arguments: str) -> list[str]:
        """A call of Snakemake with plain output."""
        return [str(BIN / "snakemake"), *arguments, "--cores", "2", "--quiet", "progress"]

    def run(self, *arguments: str, timeout: float = 300) -> Ran:
        """Call Snakemake and say what ran."""
        before = self._logs()
        started = time.monotonic()
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        ran = Ran(done.returncode, done.stdout, time.monotonic() - started)
        for path, text in self._logs().items():
            new = text.removeprefix(before.get(path, ""))
            if new:
                study, folder = path.relative_to(self.folder / "logs").parts[:2]
                ran.jobs.append("index" if study == "index" else folder)
                ran.trained += len(re.findall(r"INFO training [0-9a-f]{24}-", new))
                ran.probed += len(re.findall(r"INFO probing [0-9a-f]{24}-", new))
        return ran

    def _logs(self) -> dict[Path, str]:
        return {path: path.read_text() for path in (self.folder / "logs").rglob("*.log")}

    def edit(self, file: str, change: Callable[[str], str]) -> str:
        """Change a file of the project; returns what it was."""
        path = self.folder / file
        text = path.read_text()
        changed = change(text)
        assert changed != text, f"the edit of {file} changed nothing"
        path.write_text(changed)
        return text

    def tables(self) -> dict[str, bytes]:
        """The stable tables, without columns that say when and how fast runs were made."""
        return self._plain("results/micro/tables/*.parquet")

    def made_tables(self) -> dict[str, bytes]:
        """The same under the names that digests give them, where they were made once only."""
        return self._plain("results/micro/made/tables/*/*.parquet")

    def _plain(self, pattern: str) -> dict[str, bytes]:
        from hypertransfer.storage import parquet

        out = {}
        for path in sorted(self.folder.glob(pattern)):
            table = parquet.read(path)
            kept = [name for name in table.column_names if not name.endswith("seconds")]
            out[path.name] = parquet.to_bytes(table.select(kept))
        return out
