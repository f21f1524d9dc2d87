"""A search of three methods, and a study that has it."""

from __future__ import annotations

import yaml

from hypertransfer.studies.study import load_study

BASE = {
    "model": "residual_mlp",
    "data": {"name": "digits", "train": 64, "test": 32},
    "base": {"width": 4, "depth": 2},
    "shape": {"width": 4, "depth": 2},
    "parameterisation": "completed_p",
    "optimizer": "adam",
    "lr": 0.01,
    "batch_size": 16,
    "steps": 4,
    "seed": 0,
    "log_every": 2,
}
SEARCH = {
    "base": BASE,
    "space": {
        "lr": {
            "groups": {"hidden": ["weight"], "ends": ["input.weight", "readout.weight"]},
            "depth": 2,
        },
        "init_std": {"groups": {"readout": ["readout.weight"]}},
    },
    "octaves": 3,
    "generations": 3,
    "trials": 4,
    "methods": {
        "global": {"kind": "trust_region", "over": "global"},
        "types": {"kind": "trust_region", "over": "types"},
        "factored": {"kind": "bayesian", "over": "factored"},
    },
    "transfer": {
        "seeds": [7, 8],
        "targets": {"wider": {"shape.width": 8}, "same": {}},  # not in order of the alphabet
        "line": {"from": "global", "to": "factored", "points": [0, 0.5], "targets": ["wider"]},
    },
}
STUDY = {
    "study": "mine",
    "title": "t",
    "question": "q",
    "paper": {"title": "p", "authors": "a"},
    "grids": {"one": {"base": BASE, "axes": {"seed": [0]}}},
    "searches": {"modules": SEARCH},
}


def search_study(folder, **changes):
    """A study with the search, some of whose settings are changed."""
    values = {**STUDY, "searches": {"modules": {**SEARCH, **changes}}}
    (folder / "mine.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_study("mine", "desk", folder)
