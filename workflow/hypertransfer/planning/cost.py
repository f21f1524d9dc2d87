"""Estimates of the time and the memory of runs and probes, and the division of cells into jobs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hypertransfer.catalogue import dataset_options
from hypertransfer.catalogue.cards import datasets
from hypertransfer.planning.flops import (
    EVALUATED,
    FORWARD_AND_BACKWARD,
    forward_flops,
    sizes,
    train_flops,
)
from hypertransfer.runs.spec import RunSpec

T = TypeVar("T")


@dataclass(frozen=True)
class Rates:
    """The rates of the cost model, for one core or one GPU.

    The defaults were fitted to the 303 runs and 30 probes of the study super_consistency at the
    desk scale, on one core of an AMD EPYC.
    """

    operations_per_second: float = 2.5e10
    seconds_per_step: float = 1.5e-3
    products_per_checkpoint: float = 12.0  # Hessian-vector products to find one eigenvalue

    def seconds(self, operations: float, steps: float) -> float:
        """The estimated seconds of `operations` floating-point operations in `steps` steps."""
        return operations / self.operations_per_second + steps * self.seconds_per_step


def train_seconds(spec: RunSpec, rates: Rates) -> float:
    """The estimated seconds of one run."""
    return rates.seconds(train_flops(spec), spec.steps)


def probe_seconds(spec: RunSpec, settings: Mapping[str, Any], rates: Rates) -> float:
    """The estimated seconds of one probe.

    A Hessian-vector product costs as much as two gradients.
    """
    if settings["probe"] in TIMED:
        return TIMED[settings["probe"]](spec, settings, rates)
    samples = settings.get("samples", 256)
    flops = FORWARD_AND_BACKWARD * forward_flops(spec) * samples
    products = probe_products(settings, rates) * len(settings["checkpoints"])
    return products * 2 * rates.seconds(flops, 1)


def _turns(settings: Mapping[str, Any]) -> int:
    """The number of turns of a timed probe: one to warm up, and two for each repeat."""
    return 1 + 2 * settings["repeats"]


def _decoding_seconds(spec: RunSpec, settings: Mapping[str, Any], rates: Rates) -> float:
    """The seconds to read a prompt and to decode further tokens, each of which counts as a step."""
    tokens = _turns(settings) * settings["tokens"]
    positions = settings["batch"] * (settings["prompt"] + tokens)
    flops = positions * forward_flops(spec) / _targets(spec)
    return len(settings["checkpoints"]) * rates.seconds(flops, tokens)


def _step_seconds(spec: RunSpec, settings: Mapping[str, Any], rates: Rates) -> float:
    """The seconds of as many training steps as there are in all turns."""
    steps = _turns(settings) * settings["steps"] * len(settings["checkpoints"])
    return steps * train_seconds(spec, rates) / spec.steps


# The estimated seconds of timed probes, which compute no products with the Hessian.
TIMED = {"decoding": _decoding_seconds, "step_time": _step_seconds}


def probe_products(settings: Mapping[str, Any], rates: Rates) -> float:
    """The estimated cost of a probe at one checkpoint, in Hessian-vector products; 0 if timed."""
    first = rates.products_per_checkpoint  # products for the first eigenvalue
    several = first + 3 * (settings.get("eigenvalues", 1) - 1)
    estimates = {
        "hessian": several,
        "ntk": 1.5 * several,  # a product needs a backward and a forward pass
        "gauss_newton": 5 * first,  # three eigenvalues, two of them of a difference of operators
        "trace": settings.get("vectors", 0),
        "density": settings.get("vectors", 0) * settings.get("steps", 0),
        "preconditioned": first,
        "gradient_noise": 0.5,  # one gradient of all samples
        "alignment": 1 + 2 * settings.get("batches", 0),  # each batch needs its own backward graph
        "features": 1,
        "coordinates": 1,
        "routing": 1,
        "router_load": 1,
        "attention": 1,
        "linearisation": 3,
        "downstream": 1,  # forward passes only, of more samples than `samples`
        "linear_theory": 1,
        "memory": 1,
        **dict.fromkeys(TIMED, 0),
    }
    return estimates[settings["probe"]]


PROCESS = 900e6  # bytes of a Python process with torch, pyarrow, and small buffers
VALUE = 4  # bytes of a float32
COPIES = 4  # arrays with the size of the weights in training: weights, gradients, two moments
BASIS = 200  # arrays with the size of the weights: Lanczos vectors, their images, and copies


def train_bytes(spec: RunSpec, kept_steps: int) -> float:
    """The estimated memory of one run in bytes: weights, gradients, moments, activations, data.

    The weights kept at `kept_steps` steps are in memory until the end of the run, and a second time
    as the bytes of their file.
    """
    network = sizes(spec)
    kept = (COPIES + 2 * kept_steps * _kept_of(spec)) * network.factors
    active = 2 * network.outputs * max(spec.batch_size, EVALUATED / 2 / _targets(spec))
    return PROCESS + _data_bytes(spec) + VALUE * (kept + active)


def probe_bytes(spec: RunSpec, settings: Mapping[str, Any], kept_steps: int) -> float:
    """The estimated memory of one probe in bytes.

    The estimate includes all kept weights, a Lanczos basis, and a double backward pass.
    """
    network = sizes(spec)
    kept = (BASIS + 2 * kept_steps * _kept_of(spec)) * network.factors
    active = 6 * network.outputs * settings.get("samples", 256)
    return PROCESS + _data_bytes(spec) + VALUE * (kept + active)


def rivals_bytes(specs: Sequence[RunSpec], kept_steps: Sequence[int]) -> float:
    """The estimated memory of a timed probe in bytes, which has all runs of a seed in memory.

    Each is counted as in training. Runs of one seed often share their data, which are counted for
    each of them.
    """
    by_seed: dict[int, float] = {}
    for spec, kept in zip(specs, kept_steps, strict=True):
        own = train_bytes(spec, kept) - PROCESS
        by_seed[spec.seed] = by_seed.get(spec.seed, PROCESS) + own
    return max(by_seed.values())


KEPT_BYTES = 10e6  # bytes of weights for each second of training that stay in the store
FEW_BYTES = 2e6  # bytes of weights of a run that stay in any case
PASSING_BYTES = 500e6  # bytes of weights that the runs of a training job write and do not keep
RUN_BYTES = 27e3  # disk space of a run without weights: record, history, folders
PROBE_BYTES = 18e3  # disk space of the result of a probe


def weights_bytes(spec: RunSpec, steps: Collection[int]) -> float:
    """About how many bytes a run's weights at some steps take in the store.

    Those of Adam have its preconditioner beside them, except at step 0.
    """
    later = sum(step > 0 for step in steps) if _is_adam(spec) else 0
    return VALUE * sizes(spec).weights * (len(steps) + later)


def are_kept(spec: RunSpec, steps: Collection[int], seconds: float) -> bool:
    """Whether weights that probes read stay in the store after all probes have read them.

    Weights of short trainings of large networks would fill the disk. They do not stay: where a
    probe is added later, a second training makes them again, in about `seconds`.
    """
    return weights_bytes(spec, steps) <= max(FEW_BYTES, KEPT_BYTES * seconds)


def passing_bytes(spec: RunSpec, written: Collection[int], seconds: float) -> float:
    """The bytes of a run's weights that do not stay; `written` are the steps that always stay."""
    probed = {*spec.checkpoints}.difference(written)
    return 0.0 if not probed or are_kept(spec, probed, seconds) else weights_bytes(spec, probed)


def _is_adam(spec: RunSpec) -> bool:
    return spec.optimizer.name.rpartition(":")[2].lower() in ("adam", "adamw")


def _targets(spec: RunSpec) -> int:
    """The number of targets of a sample: the tokens of a text, else 1."""
    if ":" in spec.data.name or datasets.kind(spec.data.name) != "text":
        return 1
    return dataset_options.shape(spec.data.name, spec.data.options)[0][0]


def _kept_of(spec: RunSpec) -> int:
    """The number of tensors that a checkpoint keeps for each weight: 2 with a preconditioner."""
    return 1 if spec.optimizer.name == "sgd" else 2


def _data_bytes(spec: RunSpec) -> float:
    """The bytes of the inputs, as they are read and as tensors."""
    if ":" in spec.data.name:
        return 0.0
    return 2.0 * VALUE * dataset_options.size(spec.data.name, spec.data.options)


def shards(items: Sequence[T], seconds: Sequence[float], limit: float) -> list[list[T]]:
    """Divide items, in order, into the least number of shards whose mean cost is within the limit.

    Each shard holds at least one item, so there are at most as many shards as items. A shard costs
    at most the mean of all shards plus its most expensive item.

    Args:
        items: the items to divide.
        seconds: the cost of each item.
        limit: the largest mean cost of a shard, in seconds.
    """
    count = max(1, min(len(items), math.ceil(sum(seconds) / limit))) if items else 0
    mean = sum(seconds) / count if count else 0.0
    pieces: list[list[T]] = [[] for _ in range(count)]
    spent = 0.0
    for item, cost in zip(items, seconds, strict=True):
        pieces[min(int((spent + cost / 2) / mean), count - 1) if mean else 0].append(item)
        spent += cost
    return [piece for piece in pieces if piece]
