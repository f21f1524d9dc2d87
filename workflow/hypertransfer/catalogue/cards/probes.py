"""Probes that a config can name: their modules, settings and columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypertransfer.catalogue.cards import datasets, decoders
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.catalogue.options import COUNT, Option, completed, defaults, option
from hypertransfer.runs.adoption import OPTION
from hypertransfer.runs.problem import Problem
from hypertransfer.runs.spec import RunSpec

# Columns of every probe beside its own. `error` is a relative error bound of the quantity or its
# standard error; the docstring of the probe says which.
PROBED = {"error": "number", "converged": "flag", "products": "count"}


def _any_run(spec: RunSpec) -> Iterator[Problem]:
    yield from ()


@dataclass(frozen=True)
class ProbeCard:
    """A probe.

    Attributes:
        module: the module that measures.
        settings: the options, by name.
        columns: the kind of each column: `number` (null where nothing is measured), or `list` of
            numbers. No two probes have a column of the same name.
        needs: yields the problems of a run that the probe cannot measure.
        data: the data sets that the probe reads beside that of the run.
        packages: the packages other than torch that compute the numbers.
        of_outputs: whether the probe computes with the loss as a function of the outputs, which a
            training step of the user does not give.
        reads_training: whether `samples` is a number of training samples.
        equal_groups: whether `samples` are split into `batches` groups of equal size.
        times: the columns that are times or speeds. If there are any, the runs of one seed in a
            grid are measured in turns, by a job beside which no other job runs (`probes.turns`).
            Such a probe has the setting `repeats`.
    """

    module: str
    settings: Mapping[str, Option]
    columns: Mapping[str, str]
    needs: Callable[[RunSpec], Iterator[Problem]] = _any_run
    data: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    reads_training: bool = True
    times: tuple[str, ...] = ()
    equal_groups: bool = False
    of_outputs: bool = False

    @property
    def timed(self) -> bool:
        """Whether a column is a time or a speed."""
        return bool(self.times)

    def lacks_samples(self, settings: Mapping[str, Any], available: int) -> bool:
        """Whether settings ask for more training samples than the `available` ones of a run."""
        wanted = settings.get("samples")
        return self.reads_training and isinstance(wanted, int) and wanted > available

    def has_unequal_groups(self, settings: Mapping[str, Any]) -> bool:
        """Whether settings ask for groups into which the samples cannot be split equally."""
        if not self.equal_groups:
            return False
        full = completed(self.settings, settings)
        samples, batches = full["samples"], full["batches"]
        are_counts = all(isinstance(value, int) and value > 0 for value in (samples, batches))
        return are_counts and samples % batches != 0


def _adam(spec: RunSpec) -> Iterator[Problem]:
    if spec.optimizer.name not in ("adam", "adamw"):
        text = "adam or adamw, whose second moments the preconditioned probe needs"
        yield Problem(("optimizer",), spec.optimizer.name, text)


def _stated(spec: RunSpec) -> Iterator[Problem]:
    if OPTION in spec.model.options:
        text = "a network whose residual branches are Branch, as the probe linearisation requires"
        yield Problem(("model",), spec.model.plain(), text)


def _bytes(spec: RunSpec) -> Iterator[Problem]:
    known = spec.data.name in datasets.CARDS and datasets.kind(spec.data.name) == "text"
    if not known or spec.data.options["tokens"] != datasets.BYTES:
        yield Problem(
            ("data",), spec.data.plain(), "text in bytes, which the downstream probe reads"
        )


def _theory(spec: RunSpec) -> Iterator[Problem]:
    wanted = {
        "model": (spec.model.name, "linear"),
        "data": (spec.data.name, "gaussian_regression"),
        "optimizer": (
            spec.optimizer.plain(),
            {"name": "sgd", **defaults(OPTIMIZERS["sgd"].options)},
        ),
        "weights": (spec.weights, "unit"),
        "schedule.warmup": (spec.schedule.warmup, 0),
        "weight_decay": (spec.weight_decay, 0.0),
        "batch_size": (spec.batch_size, datasets.card("gaussian_regression").train),
    }
    for path, (given, needed) in wanted.items():
        if given != needed:
            yield Problem(
                tuple(path.split(".")), given, f"{needed}, as the probe linear_theory requires"
            )


def _decoder(spec: RunSpec) -> Iterator[Problem]:
    if spec.model.name not in decoders.DECODERS:
        yield Problem(("model",), spec.model.name, f"one of {', '.join(decoders.DECODERS)}")


def _routers(spec: RunSpec) -> Iterator[Problem]:
    yield from _decoder(spec)
    if not spec.model.options.get("experts"):
        yield Problem(("model", "experts"), 0, "at least 1: the probe measures routers")


def _foreign(spec: RunSpec) -> Iterator[Problem]:
    """Whether a network of the user has a router is known when it is built."""
    if spec.model.name in MODELS:
        text = (
            "a network of one's own: the history of the library's has load_imbalance and "
            "router_entropy"
        )
        yield Problem(("model",), spec.model.name, text)


def _rotary_decoder(spec: RunSpec) -> Iterator[Problem]:
    yield from _decoder(spec)
    if spec.model.options.get("positions", "rotary") != "rotary":
        text = "rotary: the decoding probe reads more tokens than there are learned positions"
        yield Problem(("model", "positions"), "learned", text)


_SAMPLES = {"samples": option(COUNT, 256, "Number of training samples that the probe reads.")}
_SOLVER = {
    "tolerance": option(
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5},
        0.01,
        "Relative error bound at which an eigenvalue counts as converged.",
    ),
    "max_products": option(
        COUNT, 200, "Number of matrix-vector products after which the solver stops."
    ),
}
_EIGENVALUES = {"eigenvalues": option(COUNT, 1, "Number of largest eigenvalues.")}
_TURNS = {
    "repeats": option(
        COUNT, 3, "Number of pairs of timed turns; the median of their means is reported."
    )
}


def _numbers(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "number")


PROBES: Mapping[str, ProbeCard] = {
    "hessian": ProbeCard(
        "hypertransfer.probes.landscape.hessian",
        {**_SAMPLES, **_EIGENVALUES, **_SOLVER},
        {
            **_numbers("scaled_sharpness", "sharpness", "edge", "second", "last", "loss"),
            **_numbers("gradient_norm"),
            "eigenvalues": "list",
        },
    ),
    "gauss_newton": ProbeCard(
        "hypertransfer.probes.landscape.gauss_newton",
        {**_SAMPLES, **_SOLVER},
        _numbers("gauss_newton", "residual", "residual_low"),
        of_outputs=True,
    ),
    "ntk": ProbeCard(
        "hypertransfer.probes.landscape.ntk",
        {**_SAMPLES, **_EIGENVALUES, **_SOLVER},
        {**_numbers("ntk", "ntk_second", "ntk_last"), "ntk_eigenvalues": "list"},
        of_outputs=True,
    ),
    "trace": ProbeCard(
        "hypertransfer.probes.landscape.trace",
        {**_SAMPLES, "vectors": option(COUNT, 30, "Number of random vectors of the estimate.")},
        _numbers("trace"),
    ),
    "alignment": ProbeCard(
        "hypertransfer.probes.landscape.alignment",
        {
            **_SAMPLES,
            "batches": option(
                {"type": "integer", "minimum": 0},
                16,
                "Number of minibatches for batch sharpness; 0 for none.",
            ),
        },
        _numbers("directional_sharpness", "alignment", "batch_sharpness", "batch_edge"),
    ),
    "gradient_noise": ProbeCard(
        "hypertransfer.probes.landscape.gradient_noise",
        {
            **_SAMPLES,
            "batches": option(
                {"type": "integer", "minimum": 3},
                16,
                "Number of equal groups into which the samples are split.",
            ),
        },
        _numbers("noise_scale", "noise_to_signal"),
        equal_groups=True,
    ),
    "preconditioned": ProbeCard(
        "hypertransfer.probes.landscape.preconditioned",
        {**_SAMPLES, **_SOLVER},
        _numbers("preconditioned_sharpness", "stability"),
        _adam,
    ),
    "density": ProbeCard(
        "hypertransfer.probes.landscape.density",
        {
            **_SAMPLES,
            "vectors": option(COUNT, 4, "Number of random vectors of the estimate."),
            "steps": option(COUNT, 60, "Number of Lanczos steps from each vector."),
        },
        {"nodes": "list", "shares": "list", **_numbers("largest_node")},
    ),
    "features": ProbeCard(
        "hypertransfer.probes.activations.features",
        _SAMPLES,
        _numbers("feature_distance", "kernel_distance", "weight_distance"),
    ),
    "coordinates": ProbeCard(
        "hypertransfer.probes.activations.coordinates",
        _SAMPLES,
        _numbers("stream", "stream_change", "logit_change"),
    ),
    "downstream": ProbeCard(
        "hypertransfer.probes.tasks.downstream",
        {
            "samples": option(COUNT, 512, "Number of test windows whose loss is measured."),
            "windows": option(
                COUNT, 8, "Number of windows of a message whose features are averaged."
            ),
        },
        _numbers("program_loss", "messages_loss", "party_accuracy", "delivery_accuracy"),
        _bytes,
        data=("program_text", "state_of_the_union"),
        packages=("scikit-learn",),
        reads_training=False,
        of_outputs=True,
    ),
    "routing": ProbeCard(
        "hypertransfer.probes.activations.routing",
        _SAMPLES,
        _numbers("router_logit", "router_logit_change", "expert_change"),
        _routers,
    ),
    "router_load": ProbeCard(
        "hypertransfer.probes.activations.router_load",
        _SAMPLES,
        _numbers("routing_entropy", "busiest_expert", "dead_experts"),
        _foreign,
    ),
    "attention": ProbeCard(
        "hypertransfer.probes.activations.attention",
        _SAMPLES,
        _numbers("largest_attention_logit"),
        _decoder,
    ),
    "decoding": ProbeCard(
        "hypertransfer.probes.tasks.decoding",
        {
            "batch": option(COUNT, 1, "Number of sequences that are decoded at once."),
            "prompt": option(COUNT, 64, "Number of tokens in the prompt."),
            "tokens": option(COUNT, 64, "Number of tokens that are generated in a turn."),
            **_TURNS,
        },
        _numbers("decoded_per_second", "cache_bytes", "cache_formula", "cache_reduction"),
        _rotary_decoder,
        times=("decoded_per_second",),
    ),
    "step_time": ProbeCard(
        "hypertransfer.probes.tasks.step_time",
        {
            "steps": option(
                COUNT,
                20,
                "Least number of training steps in a turn. For an optimizer of your own that does "
                "something every few steps, a multiple of these.",
            ),
            **_TURNS,
        },
        _numbers("step_seconds", "optimizer_step_seconds"),
        times=("step_seconds", "optimizer_step_seconds"),
    ),
    "memory": ProbeCard(
        "hypertransfer.probes.tasks.memory",
        {
            "samples": option(COUNT, 1, "Number of training samples of the optimizer's step."),
            "batch": option(COUNT, 1, "Number of sequences in the caches."),
            "tokens": option(COUNT, 64, "Number of tokens of each sequence in the caches."),
        },
        _numbers("weight_bytes", "training_bytes", "generation_bytes"),
    ),
    "linearisation": ProbeCard(
        "hypertransfer.probes.activations.linearisation",
        _SAMPLES,
        _numbers("block_nonlinearity", "linearisation_distance"),
        _stated,
    ),
    "linear_theory": ProbeCard(
        "hypertransfer.probes.tasks.linear_theory",
        {},
        _numbers("theory_error", "theory_gauss_newton", "theory_residual"),
        _theory,
    ),
}


# The names of all columns of probes.
COLUMNS = frozenset(name for card in PROBES.values() for name in card.columns)
# Those that are times or speeds.
TIMES = frozenset(name for card in PROBES.values() for name in card.times)


def measured() -> Iterator[str]:
    """The names of all columns of probes that are numbers."""
    for card in PROBES.values():
        yield from (name for name, kind in card.columns.items() if kind == "number")
