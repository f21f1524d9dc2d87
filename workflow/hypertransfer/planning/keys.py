"""Keys of runs, of probes and of weights in the run store.

A run's key is `<identity>-<context>`. The identity is the digest of the spec, the context the
digest of the code, the data set and the parameterisation's table. Runs of one spec under
different code are stored side by side, so that `hypertransfer plan` can say what has changed
since a run was trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hypertransfer.catalogue import dataset_options, lookup
from hypertransfer.catalogue.cards import optimizers, probes
from hypertransfer.catalogue.lookup import table
from hypertransfer.catalogue.versions import installed_version
from hypertransfer.planning.fingerprint import fingerprint
from hypertransfer.runs.canonical import canonical, digest
from hypertransfer.runs.spec import RunSpec

TRAIN_ENTRY = "hypertransfer.training.loop"
MEASURE_ENTRY = "hypertransfer.probes.checkpoint"


def _data_digest(spec: RunSpec) -> str:
    if ":" in spec.data.name:  # a data set of one's own: its loader's code is its identity
        return digest({"loader": spec.data.name, "options": dict(spec.data.options)})
    return dataset_options.digest(spec.data.name, spec.data.options)


def context(spec: RunSpec) -> dict[str, Any]:
    """All that decides a run's numbers beside its spec, as plain values."""
    parts = {
        "model": lookup.import_path("model", spec.model.name),
        "optimizer": lookup.import_path("optimizer", spec.optimizer.name),
        "data": lookup.import_path("data", spec.data.name),
    }
    modules = {name: path.partition(":")[0] for name, path in parts.items()}
    parts |= optimizers.fixed(spec.optimizer)
    if lookup.of_package(spec.optimizer):
        modules.pop("optimizer")  # the code of an installed package counts by its version
    return {
        "code": fingerprint(TRAIN_ENTRY, *modules.values()),
        "data": _data_digest(spec),
        "parts": parts,
        "packages": _versions(lookup.packages(spec.optimizer)),
        "table": table(spec).as_dict(),
    }


def _versions(packages: Iterable[str]) -> dict[str, str]:
    return {package: installed_version(package) for package in packages}


def probe_context(settings: Mapping[str, Any]) -> dict[str, Any]:
    """All that decides a probe's numbers beside the run and the settings, as plain values."""
    card = probes.PROBES[settings["probe"]]
    return {
        "code": fingerprint(MEASURE_ENTRY, card.module),
        "data": {name: dataset_options.digest(name, {}) for name in card.data},
        "packages": _versions(card.packages),
    }


def identity(spec: RunSpec) -> dict:
    """The spec as plain values, without the folder of its data and the weights that are kept.

    Neither changes what a run computes. A run that lacks weights at some steps is trained again
    for them, bit-equal, under the same key.
    """
    plain = spec.plain()
    plain["data"].pop("directory", None)
    plain.pop("checkpoints")
    return plain


def weights_key(run: str, step: int) -> str:
    """The key of weights at a step at which the run's first training kept none."""
    return f"{digest({'run': run, 'step': step}, 24)}-{run.partition('-')[2]}"


def lacking_weights(steps: Iterable[int], record: Mapping[str, Any]) -> list[int]:
    """Those of the steps at which a stored run had weights and did not keep them.

    A run that diverged has weights up to the step before its last.
    """
    last = record["steps_done"] - (record["status"] == "diverged")
    return sorted({step for step in steps if step <= last} - set(record["checkpoints"]))


class Contexts:
    """Computes keys of many runs and probes, and each context only once.

    Runs that differ in numbers alone have the same context, and so have the settings of one
    probe. A context is computed from the code on the disk at its first use.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def key(self, spec: RunSpec) -> str:
        """The key of a run."""
        names = (spec.model.name, spec.optimizer.plain(), spec.data.plain(), spec.parameterisation)
        text = canonical(list(names))
        if text not in self._known:
            self._known[text] = digest(context(spec), 16)
        return f"{digest(identity(spec), 24)}-{self._known[text]}"

    def probe_key(self, run: str, settings: Mapping[str, Any]) -> str:
        """The key of a probe with its settings on a run."""
        name = settings["probe"]
        if name not in self._known:
            self._known[name] = digest(probe_context(settings), 16)
        return f"{digest({'run': run, 'settings': dict(settings)}, 24)}-{self._known[name]}"


def run_key(spec: RunSpec) -> str:
    """The key of one run."""
    return Contexts().key(spec)
