"""The jobs of a study's searches: generations, and runs of the results at other targets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from hypertransfer.catalogue.versions import planned_versions
from hypertransfer.planning import cost, keys
from hypertransfer.planning.jobs import PlannedJob
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies.searches import LATER, Search

BAYESIAN = "bayesian"  # kind of method whose proposals depend on the versions of PACKAGES
PACKAGES = ("scikit-learn", "scipy")


def search_jobs(
    study: str, search: Search, contexts: keys.Contexts, rates: cost.Rates, job_minutes: float
) -> Iterator[PlannedJob]:
    """The jobs of each search's generations in order, then the job that carries results over.

    A job trains consecutive generations, as many as take `job_minutes`.
    """
    tables: list[str] = []
    code = contexts.code_of("search_generations")
    for name in search.settings.methods:
        for one in search.independent():
            for job in _generations(study, one, name, code, contexts, rates, job_minutes):
                yield job
                tables.append(job.file)
    if search.settings.transfer:
        specs = search.transfer_specs()
        parts = {
            "search": search.name,
            "values": search.plain(),
            "starts": sorted(set(map(contexts.key, specs))),
            "files": tables,
        }
        code = contexts.code_of("carry_over")
        yield _carry_over(study, search, code, parts, specs, rates)


def _generations(
    study: str,
    search: Search,
    name: str,
    code: Mapping[str, str],
    contexts: keys.Contexts,
    rates: cost.Rates,
    job_minutes: float,
) -> Iterator[PlannedJob]:
    """The jobs of the generations of one independent search by the method `name`."""
    method = search.settings.methods[name]
    parts = {
        "search": search.name,
        "values": {key: value for key, value in search.plain().items() if key not in LATER},
        "method": {"name": name, **method.plain()},
        # The runs of a search are unknown until they are proposed. The key of the start stands for
        # them, since the start has the same defaults, code, data set and table.
        "start": contexts.key(search.base),
        "versions": planned_versions(PACKAGES if method.kind == BAYESIAN else ()),
    }
    earlier: list[str] = []
    number = search.settings.generations
    shares = number * _seconds(search, rates) / (60 * job_minutes)
    pieces = max(1, min(number, math.ceil(shares)))
    ends = [number * piece // pieces for piece in range(pieces + 1)]
    for first, end in pairwise(ends):
        own = {**parts, "generations": [first, end]}
        job = _job_of(study, search, code, own, earlier, rates)
        yield job
        earlier.append(job.file)


def _seconds(search: Search, rates: cost.Rates) -> float:
    """The estimated duration of a generation."""
    return search.settings.trials * cost.train_seconds(search.base, rates)


def _job_of(
    study: str,
    search: Search,
    code: Mapping[str, str],
    parts: Mapping[str, Any],
    earlier: Sequence[str],
    rates: cost.Rates,
) -> PlannedJob:
    """The job of consecutive generations."""
    folder = f"results/{study}/made/searches/{search.name}"
    first, end = parts["generations"]
    return PlannedJob(
        rule="search_generations",
        study=study,
        code=code,
        parts=parts,
        output_patterns={
            "table": f"{folder}/{{digest}}.parquet",
            "proposals": f"{folder}/{{digest}}.json",
        },
        input={"earlier": tuple(earlier)},
        seconds=(end - first) * _seconds(search, rates),
        bytes=_bytes(search.base),
    )


def _carry_over(
    study: str,
    search: Search,
    code: Mapping[str, str],
    parts: Mapping[str, Any],
    specs: Sequence[RunSpec],
    rates: cost.Rates,
) -> PlannedJob:
    return PlannedJob(
        rule="carry_over",
        study=study,
        code=code,
        parts=parts,
        output_patterns={
            "table": f"results/{study}/made/transfers/{search.name}/{{digest}}.parquet"
        },
        input={"generations": tuple(parts["files"])},
        seconds=sum(cost.train_seconds(spec, rates) for spec in specs),
        bytes=max(map(_bytes, specs)),
    )


def _bytes(spec: RunSpec) -> float:
    return cost.train_bytes(spec, len(spec.checkpoints))
