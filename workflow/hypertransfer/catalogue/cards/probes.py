"""Probes that a config can name: their modules, settings and columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hypertransfer.catalogue.cards import datasets, decoders
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.catalogue.options import COUNT, Option, defaults, option
from hypertransfer.runs.problem import Problem
from hypertransfer.runs.spec import RunSpec

# What every probe's table says beside its own columns; `error` is a relative error bound of the
# quantity, or its standard error, as the probe's docstring says.
PROBED = {"error": "number", "converged": "flag", "products": "count"}


def _any_run(spec: RunSpec) -> Iterator[Problem]:
    yield from ()


@dataclass(frozen=True)
class ProbeCard:
    """A probe: its module, its settings, its columns, and what it needs of a run.

    Each setting has a JSON schema and a default. Columns are `number`s (null where nothing is
    measured) or `list`s of numbers; names are unique over all probes.
    """

    module: str
    settings: Mapping[str, Option]
    columns: Mapping[str, str]
    needs: Callable[[RunSpec], Iterator[Problem]] = _any_run
    data: tuple[str, ...] = ()  # data sets that it reads beside the run's own
    packages: tuple[str, ...] = ()  # packages other than torch whose code computes its numbers


def _adam(spec: RunSpec) -> Iterator[Problem]:
    if spec.optimizer.name not in ("adam", "adamw"):
        text = "adam or adamw, whose second moments the preconditioned probe needs"
        yield Problem(("optimizer",), spec.optimizer.name, text)


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
            yield Problem(tuple(path.split(".")), given, f"{needed}, which linear_theory is about")


def _decoder(spec: RunSpec) -> Iterator[Problem]:
    if spec.model.name not in decoders.DECODERS:
        yield Problem(("model",), spec.model.name, f"one of {', '.join(decoders.DECODERS)}")


def _routers(spec: RunSpec) -> Iterator[Problem]:
    yield from _decoder(spec)
    if not spec.model.options.get("experts"):
        yield Problem(("model", "experts"), 0, "at least 1, as the routing probe looks at routers")


def _rotary_decoder(spec: RunSpec) -> Iterator[Problem]:
    yield from _decoder(spec)
    if spec.model.options.get("positions", "rotary") != "rotary":
        text = "rotary, as the decoding probe reads more tokens than learned positions have"
        yield Problem(("model", "positions"), "learned", text)


_SAMPLES = {"samples": option(COUNT, 256, "Training samples that the probe looks at.")}
_SOLVER = {
    "tolerance": option(
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5},
        0.01,
        "Relative error bound at which an eigenvalue counts as converged.",
    ),
    "max_products": option(COUNT, 200, "Matrix-vector products after which the solver stops."),
}
_EIGENVALUES = {"eigenvalues": option(COUNT, 1, "How many of the largest eigenvalues.")}


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
    ),
    "ntk": ProbeCard(
        "hypertransfer.probes.landscape.ntk",
        {**_SAMPLES, **_EIGENVALUES, **_SOLVER},
        {**_numbers("ntk", "ntk_second", "ntk_last"), "ntk_eigenvalues": "list"},
    ),
    "trace": ProbeCard(
        "hypertransfer.probes.landscape.trace",
        {**_SAMPLES, "vectors": option(COUNT, 30, "Random vectors that the estimate averages.")},
        _numbers("trace"),
    ),
    "alignment": ProbeCard(
        "hypertransfer.probes.landscape.alignment",
        {
            **_SAMPLES,
            "batches": option(
                {"type": "integer", "minimum": 0},
                16,
                "Minibatches for batch sharpness; 0 for none.",
            ),
        },
        _numbers("directional_sharpness", "alignment", "batch_sharpness", "batch_edge"),
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
            "vectors": option(COUNT, 4, "Random vectors that the estimate averages."),
            "steps": option(COUNT, 60, "Lanczos steps from each vector."),
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
            "samples": option(COUNT, 512, "Test windows whose loss is measured."),
            "windows": option(COUNT, 8, "Windows of a message that its features average."),
        },
        _numbers("program_loss", "messages_loss", "party_accuracy", "delivery_accuracy"),
        _bytes,
        data=("program_text", "state_of_the_union"),
        packages=("scikit-learn",),
    ),
    "routing": ProbeCard(
        "hypertransfer.probes.activations.routing",
        _SAMPLES,
        _numbers("router_logit", "router_logit_change", "expert_change"),
        _routers,
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
            "batch": option(COUNT, 1, "Sequences that are decoded at once."),
            "prompt": option(COUNT, 64, "Tokens of the prompt."),
            "tokens": option(COUNT, 64, "Tokens that are generated."),
            "repeats": option(COUNT, 3, "Timed repetitions; the median counts."),
        },
        _numbers("decoded_per_second", "cache_bytes", "cache_formula", "cache_reduction"),
        _rotary_decoder,
    ),
    "linearisation": ProbeCard(
        "hypertransfer.probes.activations.linearisation",
        _SAMPLES,
        _numbers("block_nonlinearity", "linearisation_distance"),
    ),
    "linear_theory": ProbeCard(
        "hypertransfer.probes.tasks.linear_theory",
        {},
        _numbers("theory_error", "theory_gauss_newton", "theory_residual"),
        _theory,
    ),
}


def measured() -> Iterator[str]:
    """The names of all numbers that probes measure."""
    for card in PROBES.values():
        yield from (name for name, kind in card.columns.items() if kind == "number")
