"""Keys of runs, of probes and of weights in the run store.

The key of a run is `<identity>-<context>`. The identity is the digest of the spec; the context is
the digest of the code, the versions of packages, the data set and the parameterisation's table.
Runs of one spec with different code are stored side by side, so that `hypertransfer plan` can say
what has changed since a run was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from hypertransfer.catalogue import dataset_options, lookup
from hypertransfer.catalogue.cards import optimizers, package_optimizers, probes
from hypertransfer.catalogue.lookup import table
from hypertransfer.catalogue.run_identity import IdentityDigests
from hypertransfer.catalogue.versions import imported_versions, planned_versions
from hypertransfer.planning import job_digest
from hypertransfer.planning.fingerprint import Sources, fingerprint, foreign_imports
from hypertransfer.runs.adoption import adoption
from hypertransfer.runs.canonical import digest
from hypertransfer.runs.spec import RunSpec

TRAIN_ENTRY = "hypertransfer.training.loop"
MEASURE_ENTRY = "hypertransfer.probes.checkpoint"
TIMED_ENTRY = "hypertransfer.probes.turns"
Code = Callable[..., dict[str, str]]  # returns the fingerprint of entry modules
ANY_DEVICE = "auto"  # of the main config: the first GPU if there is one, else the CPU


def _data_digest(spec: RunSpec) -> str:
    if ":" in spec.data.name:  # a data set of the user is identified by the code of its loader
        return digest({"loader": spec.data.name, "options": dict(spec.data.options)})
    return dataset_options.digest(spec.data.name, spec.data.options)


def context(spec: RunSpec, code: Code | None = None) -> dict[str, Any]:
    """Everything except the spec that determines the numbers of a run, as plain values."""
    parts = {
        "model": lookup.import_path("model", spec.model.name),
        "optimizer": lookup.import_path("optimizer", spec.optimizer.name),
        "data": lookup.import_path("data", spec.data.name),
    }
    modules = {name: path.partition(":")[0] for name, path in parts.items()}
    parts |= optimizers.fixed(spec.optimizer)
    if spec.optimizer.name in package_optimizers.WITH_CLOSURE:
        parts["closure"] = True
    if (how := adoption(spec.model)) and how.inputs:
        modules["inputs"] = how.inputs.partition(":")[0]
    if ":" in spec.loss:
        modules["loss"] = spec.loss.partition(":")[0]
    if lookup.of_package(spec.optimizer):
        modules.pop("optimizer")  # the code of an installed package counts by its version
    hashes = (code or fingerprint)(TRAIN_ENTRY, *modules.values())
    return {
        "code": hashes,
        "data": _data_digest(spec),
        "parts": parts,
        "packages": planned_versions(lookup.packages(spec.optimizer))
        | imported_versions(foreign_imports(hashes)),
        "table": table(spec).as_dict(),
    }


def probe_context(settings: Mapping[str, Any], code: Code | None = None) -> dict[str, Any]:
    """Everything except run and settings that determines a probe's numbers, as plain values."""
    card = probes.PROBES[settings["probe"]]
    entry = TIMED_ENTRY if card.timed else MEASURE_ENTRY
    return {
        "code": (code or fingerprint)(entry, card.module),
        "columns": dict(card.columns),
        "data": {name: dataset_options.digest(name, {}) for name in card.data},
        "packages": planned_versions(card.packages),
    }


def weights_key(run: str, step: int) -> str:
    """The key of a run's weights at a step that is not among the checkpoints of the stored run."""
    return f"{digest({'run': run, 'step': step}, 24)}-{run.partition('-')[2]}"


def lacking_weights(steps: Iterable[int], record: Mapping[str, Any]) -> list[int]:
    """The steps that the run reached and at which its record has no checkpoint, ascending.

    A diverged run has weights up to the step before its last step.
    """
    last = record["steps_done"] - (record["status"] == "diverged")
    return sorted({step for step in steps if step <= last} - set(record["checkpoints"]))


class Contexts:
    """Computes the keys of many runs and probes, with each context computed only once.

    Runs with the same model, optimizer, data, parameterisation and loss have one context, and so
    have all settings of a probe. A context is computed at its first use, from the code on the disk,
    and so are the fingerprints in contexts and of scripts.

    Args:
        device: the device of the main config, whose kind belongs to the keys of timed probes.
    """

    def __init__(self, device: str = ANY_DEVICE) -> None:
        self.device = device.partition(":")[0]
        self._identities = IdentityDigests()
        self._runs: dict[tuple[str, ...], str] = {}
        self._probes: dict[str, str] = {}
        sources = Sources()
        self._code = cache(partial(fingerprint, sources=sources))
        self._scripts = cache(partial(job_digest.code_of, sources=sources))

    def code_of(self, script: str, *modules: str) -> dict[str, str]:
        """The fingerprint of a script, as `job_digest.code_of` computes it."""
        return self._scripts(script, *modules)

    def key(self, spec: RunSpec) -> str:
        """The key of a run."""
        how = adoption(spec.model)
        model = spec.model.name, how.inputs if how else ""
        parts = (*model, spec.optimizer.text, spec.data.text, spec.parameterisation, spec.loss)
        if parts not in self._runs:
            self._runs[parts] = digest(context(spec, self._code), 16)
        return f"{self._identities.of(spec)}-{self._runs[parts]}"

    def probe_key(self, run: str, settings: Mapping[str, Any], rivals: Sequence[str] = ()) -> str:
        """The key of a probe with its settings on a run.

        `rivals` are the keys of all runs with which a timed probe measures the run in turns, the
        run among them. Their order does not matter. With another rival, all have other keys, since
        a time can only be compared with those of the same occasion. The kind of the device belongs
        to the keys of timed probes alone: other results depend on it by rounding.
        """
        name = settings["probe"]
        if name not in self._probes:
            self._probes[name] = digest(probe_context(settings, self._code), 16)
        parts = {"run": run, "settings": dict(settings)}
        parts |= {"rivals": sorted(rivals), "device": self.device} if rivals else {}
        return f"{digest(parts, 24)}-{self._probes[name]}"

    def probe_keys(
        self, runs: Sequence[tuple[str, RunSpec]], settings: Sequence[Mapping[str, Any]]
    ) -> list[str]:
        """The keys of a probe of a grid on runs, given as key and spec, with settings for each.

        The rivals of a run in a timed probe are the runs with its seed.
        """
        rivals: dict[int, list[str]] = {}
        for (key, spec), own in zip(runs, settings, strict=True):
            if probes.PROBES[own["probe"]].timed:
                rivals.setdefault(spec.seed, []).append(key)
        return [
            self.probe_key(key, own, rivals.get(spec.seed, ()))
            for (key, spec), own in zip(runs, settings, strict=True)
        ]


def run_key(spec: RunSpec) -> str:
    """The key of one run."""
    return Contexts().key(spec)
