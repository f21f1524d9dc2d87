"""A project with one small study, and a store with entries for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import yaml
from safetensors.numpy import save

from hypertransfer.cli import main
from hypertransfer.maintenance import scan
from hypertransfer.planning import keys, load, study_plan
from hypertransfer.storage import parquet, schemas
from hypertransfer.storage.run_store import Store

STUDY = {
    "study": "mine",
    "title": "A study",
    "question": "Does it hold?",
    "paper": {"title": "A paper", "authors": "Nobody"},
    "grids": {
        "sweep": {
            "base": {
                "model": "residual_mlp",
                "data": "digits",
                "base": {"width": 4, "depth": 1},
                "shape": {"width": 4, "depth": 1},
                "parameterisation": "mup",
                "optimizer": "sgd",
                "lr": 0.1,
                "batch_size": 32,
                "steps": 4,
                "seed": 0,
                "log_every": 2,
            },
            "axes": {"lr": [0.1, 0.2], "seed": [0, 1]},
            "probes": {
                "sharpness": {"probe": "hessian", "where": {"lr": 0.1}, "checkpoints": [0, 4]}
            },
        }
    },
    "figures": [{"id": "sweep", "kind": "lr_sweep", "title": "A sweep", "caption": "A sweep."}],
    "scales": {"smoke": {"grids": {"sweep": {"axes": {"seed": [0]}}}}},
}


def files() -> dict[str, bytes]:
    """Files as the engine writes them."""
    history = {name: [None, None] for name in schemas.HISTORY.names}
    history |= {
        "step": [0, 2],
        "train_loss": [2.0, 1.0],
        "eval_loss": [None, 1.5],
        "eval_accuracy": [None, 0.5],
    }
    return {
        "history.parquet": parquet.to_bytes(parquet.columns(history, schemas.HISTORY)),
        "checkpoints.safetensors": save({"0/weight": np.arange(12, dtype=np.float32)}),
    }


class Project:
    """A folder with a config, and a store."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.folder, self.store = folder, Store(store)
        (folder / "config/studies").mkdir(parents=True)
        config = {
            "scale": "desk",
            "studies": ["mine"],
            "device": "cpu",
            "store": str(store),
            "job_minutes": 3,
        }
        (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
        self.write(STUDY)

    def write(self, study: dict, name: str = "mine") -> None:
        file = self.folder / f"config/studies/{name}.yaml"
        file.write_text(yaml.safe_dump(study, sort_keys=False))

    def plan(self, scale: str = "desk") -> study_plan.StudyPlan:
        config = {"studies": ["mine"], "scale": scale, "job_minutes": 3, "device": "cpu"}
        return load.load(config, self.folder / "config/studies")[0]

    def fill(self, scale: str = "desk") -> None:
        """Write an entry for every run and probe of the plan, and its made files."""
        planned = self.plan(scale)
        for runs in planned.runs.values():
            for run in runs:
                self.store.put("runs", run.key, {"context": keys.context(run.run.spec)}, files())
        for job in planned.probe_jobs:
            for probe, run in zip(job.probe_keys, job.parts["runs"], strict=True):
                self.store.put("probes", probe, {"run": run["key"]}, {})
        for file in planned.made:
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / file).write_bytes(b"")


def stored(store: Store) -> set[tuple[str, str]]:
    """Kind and key of every entry of a store."""
    return {(p.kind, p.key) for p in scan.scan_store(store.root) if p.is_entry}


def changed(path: str, value: object) -> dict:
    """The study with one value of its grid set."""
    study = json.loads(json.dumps(STUDY))
    *parents, last = path.split("/")
    inner = study["grids"]["sweep"]
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return study


def output_of(capsys, *arguments: str, code: int = 0) -> str:
    """The standard output of a command that returns `code`."""
    assert main.main(list(arguments)) == code
    return capsys.readouterr().out
