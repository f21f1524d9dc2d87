"""The paper's claims of super_consistency: decided per core-hour, and decided again.

Two projects run the grids that these claims read, each from an empty store: one as the study has
them, with found learning rates and seeds as needed, and one with the learning rates and seeds that
the study listed before. The claims, their measures and bars are the same. Further projects have
more of the listed seeds, or run the first one with other random numbers, and with instructions of
the processor that round differently.
"""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hypertransfer.analysis.looks import Looks
from hypertransfer.claims.verdicts import scorecard
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.scorecard import UNDECIDED
from hypertransfer.storage import collect
from hypertransfer.studies.study import Study

STUDY = "super_consistency"
LISTED = Path(__file__).parent / "data/listed_axes.yaml"
TIMES = (1, 2, 4)  # multiples of the listed seeds
ARMS = {"sweep": {"parameterisation": ["mup", "ntp"]}}  # the third arm is of controls
BIN = Path(sys.executable).parent


class Change(NamedTuple):
    """A text of a module of the library, and what takes its place in a project's copy."""

    module: str
    old: str
    new: str


LIBRARY = Path("workflow/hypertransfer")
# Starts, batches and noise of all runs are drawn anew; the data sets are the same.
OTHER_SEEDS = Change("runs/seeds.py", "text.encode()", 'f"other/{text}".encode()')
# Torch without vector instructions, as on a processor that lacks them.
OTHER_ROUNDING = Change(
    "execution/surroundings.py", "SET = {\n", 'SET = {\n    "ATEN_CPU_CAPABILITY": "default",\n'
)


class Spent(NamedTuple):
    """What a project found, and what that cost.

    Attributes:
        verdicts: the verdict on each claim, by id.
        values: the value of each claim, by id.
        seconds: core seconds of training and probing, as the runs and probes recorded them.
    """

    verdicts: Mapping[str, str]
    values: Mapping[str, float]
    seconds: float

    @property
    def decided(self) -> int:
        """The number of claims that hold or fail."""
        return sum(verdict != UNDECIDED for verdict in self.verdicts.values())

    @property
    def per_hour(self) -> float:
        """Decided claims per core-hour."""
        return self.decided / self.seconds * 3600

    def decided_in_both(self, other: Spent) -> list[str]:
        """The ids of the claims that hold or fail here and in another project."""
        both = zip(self.verdicts.items(), other.verdicts.values(), strict=True)
        return [claim for (claim, here), there in both if UNDECIDED not in (here, there)]


def paper_study(listed: int | None = None) -> dict[str, Any]:
    """The study with claims of the paper and the grids that these read, at desk scale.

    The claims are those on grids whose learning rates and seeds the study had listed.

    Args:
        listed: learning rates and seeds are listed, with this multiple of the seeds that the study
            had; by default they are found.
    """
    written = yaml.safe_load(Path(f"config/studies/{STUDY}.yaml").read_text(encoding="utf-8"))
    lists = yaml.safe_load(LISTED.read_text(encoding="utf-8"))
    of_claims = {
        claim["id"]: _grids_of(claim, written["grids"])
        for claim in written["claims"]
        if claim["kind"] == "paper"
    }
    claims = [c for c in written["claims"] if of_claims.get(c["id"], {""}) <= lists.keys()]
    read = set().union(*(of_claims[claim["id"]] for claim in claims))
    followed = {"sweep"} if "ntp-best" in read else set()
    grids = {
        name: copy.deepcopy(grid)
        for name, grid in written["grids"].items()
        if name in read | followed
    }
    for name, axes in ARMS.items():
        grids[name]["axes"] |= axes
        grids[name]["overrides"] = [
            override
            for override in grids[name].get("overrides", [])
            if all(override["when"][axis] in held for axis, held in axes.items())
        ]
    kept = ("study", "title", "question", "paper", "spending")
    study = {key: written[key] for key in kept} | {"grids": grids, "claims": claims}
    return _with_listed_axes(study, listed) if listed else study


def _grids_of(claim: Mapping[str, Any], grids: Iterable[str]) -> set[str]:
    """The names of the grids that a claim and its control read."""
    return {
        name
        for name in grids
        for part in filter(None, (claim, claim.get("control")))
        if matches({"grid": part["where"]["grid"]}, {"grid": name})
    }


def _with_listed_axes(study: dict[str, Any], times: int) -> dict[str, Any]:
    """The study with listed axes in place of those that are found."""
    listed = yaml.safe_load(LISTED.read_text(encoding="utf-8"))
    for name, grid in study["grids"].items():
        grid["axes"] = listed[name]["axes"]
        grid["overrides"] = listed[name].get("overrides", [])
        for part in (grid, *grid["overrides"]):
            if "seed" in part["axes"]:
                part["axes"]["seed"] = {"range": times * part["axes"]["seed"]["range"]}
    for claim in study["claims"]:  # of one learning rate that the listed grid does not have
        if claim["where"].get("grid") == "dynamics":
            claim["where"].pop("lr", None)
    return {key: value for key, value in study.items() if key != "spending"}


def spent(
    place: Path,
    study: Mapping[str, Any],
    store: str = "results/store",
    change: Change | None = None,
    cores: int = 2,
) -> Spent:
    """Run a study in an empty project, and judge its claims.

    Runs that the store has are not trained again, and count with the seconds that they recorded.
    With a change, `store` has to be empty, since not every change gives runs other keys.
    """
    for name in ("workflow", "config", "envs"):
        shutil.copytree(name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    if change:
        module = place / LIBRARY / change.module
        text = module.read_text(encoding="utf-8")
        if text.count(change.old) != 1:
            raise ValueError(f"{module} has {text.count(change.old)} times {change.old!r}")
        module.write_text(text.replace(change.old, change.new), encoding="utf-8")
    shutil.copy("Snakefile", place)
    (place / "profiles").symlink_to("workflow/profiles")
    file = place / f"config/studies/{STUDY}.yaml"
    file.write_text(yaml.safe_dump(dict(study), sort_keys=False), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"
    command = [BIN / "snakemake", "collect_all", "--cores", str(cores)]
    subprocess.run(
        [*command, "--config", f"studies=[{STUDY}]", f"store={store}"],
        cwd=place,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    plan = StudyPlan(Study.parse(study, "desk"), 3.0)
    # A change of the library names the tables anew, and this process has the library without it.
    made = place / f"results/{STUDY}/made/tables"
    (folder,) = made.iterdir()
    tables = collect.frames(sorted(folder.glob("*.parquet")))
    looks = plan.check_claims.parts.get("looks")
    table = scorecard(
        study["claims"],
        tables,
        study=STUDY,
        scale="desk",
        edition="",
        registered=dict.fromkeys((claim["id"] for claim in study["claims"]), ""),
        looks=looks and Looks(tuple(looks["seeds"]), frozenset(looks["claims"])),
    )
    runs = tables["runs"].drop_duplicates("key")
    probes = tables["probes"].drop_duplicates(["key", "probe", "step"])
    seconds = float(runs["seconds"].sum() + probes["seconds"].sum())
    verdicts, values = (
        dict(zip(table["claim"], table[name], strict=True)) for name in ("verdict", "value")
    )
    return Spent(verdicts, values, seconds)


def each(store: str = "results/store") -> Iterator[Spent]:
    """What is found and spent with found learning rates and seeds, and with each of `TIMES`."""
    for listed in (None, *TIMES):
        with tempfile.TemporaryDirectory() as folder:
            yield spent(Path(folder), paper_study(listed), store)


def again(change: Change) -> Spent:
    """What is found and spent with found learning rates and seeds after a change."""
    with tempfile.TemporaryDirectory() as folder:
        return spent(Path(folder), paper_study(), change=change)
