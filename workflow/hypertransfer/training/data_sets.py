"""The data set of a spec, in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import lru_cache

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data.samples import Samples
from hypertransfer.data.torch_datasets import samples_of
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import class_values, data_checks, imports, randomness
from hypertransfer.training.settings import reproducible

LOADED_TWICE = 5.0  # seconds; data of the user that are loaded faster are loaded twice, to compare


def samples(spec: RunSpec) -> Samples:
    """The data set of the spec; the last two data sets stay in memory for the next runs.

    Recorded classes have the values that they had after the data set was loaded, which may keep
    something in a class, such as the mean of the samples.

    Raises:
        DatasetError: files are missing or damaged, the options ask for more samples than exist, or
            the samples cannot be used.
    """
    path = lookup.import_path("data", spec.data.name)
    found, put_classes_back = _data(path, canonical(dict(spec.data.options)))
    put_classes_back()
    data_checks.check_use(spec.data.name, found, spec.loss, spec.batch_size)
    return found


@lru_cache(maxsize=2)
def _data(path: str, options: str) -> tuple[Samples, Callable[[], None]]:
    """The data set, and what gives classes the values that they have after one loading."""
    before = class_values.as_now()
    started = time.monotonic()
    samples = _loaded(path, options)
    after = class_values.as_now()
    if not imports.of_library(path) and time.monotonic() - started < LOADED_TWICE:
        before()
        data_checks.check_alike(path, samples, _loaded(path, options))
    return samples, after


def _loaded(path: str, options: str) -> Samples:
    function = imports.load("data", path)
    with randomness.seeded(f"data/{path}/{options}"):
        found = function(**json.loads(options))
        try:
            samples = samples_of(found)
        except DatasetError as error:
            raise DatasetError(f"data set {path}: {error}") from error
    if not imports.of_library(path):
        reproducible()
    return data_checks.check(path, samples)
