"""The sweeps of a study with the specs of their runs, which the run store keeps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cache

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.catalogue import lookup
from hypertransfer.recommendation.hold_out import Sweeps
from hypertransfer.recommendation.observations import observations
from hypertransfer.recommendation.selection import arms
from hypertransfer.runs.parse import run_spec
from hypertransfer.runs.spec import RunSpec
from hypertransfer.storage.run_store import Store, StoreError

log = logging.getLogger(__name__)


def spec_reader(store: Store) -> Callable[[str], RunSpec]:
    """A function that returns the spec of a stored run, each of which is read once.

    Raises:
        StoreError: the store does not have the run.
    """

    @cache
    def spec_of(key: str) -> RunSpec:
        entry = store.get("runs", key)
        if entry is None:
            raise StoreError(
                f"{store.root} has no run {key}: run snakemake again, or name the store in the "
                "main config"
            )
        return run_spec(entry.record["spec"])

    return spec_of


def sweeps_of(study: str, runs: pd.DataFrame, store: Store) -> Iterator[Sweeps]:
    """The sweeps of all arms of a study; arms whose runs cannot be analysed are left out.

    Raises:
        StoreError: the store lacks a run.
    """
    spec_of = spec_reader(store)
    for arm in arms(runs):
        try:
            found = observations(arm.runs, lambda key: base_of(spec_of(key)))
        except AnalysisError as error:  # such as two runs that differ in what no column shows
            log.warning("%s, %s is left out: %s", study, arm.label, error)
            continue
        spec = spec_of(arm.runs["key"].iloc[0])
        yield Sweeps(study, arm.label, lookup.table(spec), spec.optimizer, found)


def base_of(spec: RunSpec) -> tuple[int, ...]:
    """The base values of the columns `observations.SIZE`."""
    return spec.base.width, spec.base.depth, spec.base_batch_size, spec.base_steps
