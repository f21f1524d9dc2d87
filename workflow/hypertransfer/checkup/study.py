"""The study of a check-up, as the values of its YAML file: sweeps over sizes, and a run along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypertransfer.runs.spec import RunSpec

WIDER = (1, 2, 4)  # times the base width, along training; the sweeps are at the ends
DEEPER = 4  # times the base depth
ROUNDS = 5  # of a sweep of learning rates
FINEST = 0.5  # octaves between learning rates around the best one
RECORDS = 20  # of the training loss in a run
CHECKPOINTS = 5  # at which the landscape is measured
GROUPS = 8  # of samples, whose gradients show the noise
SAMPLES = 64  # at most, of the training set, on which it is measured
ROUTED = 512  # the same for routers: few would miss experts by chance


def study(
    name: str, spec: RunSpec, seeds: int, *, samples: int, over_depth: bool, routers: bool
) -> dict[str, Any]:
    """The study of a network as the values of its YAML file.

    Learning rates are swept over the width, and over the depth if branches scale with it; at the
    rate of `spec` the sharpness and the noise of the gradient are measured along training.

    Args:
        name: the name of the study.
        spec: the run at the base, with the table, the data and the number of steps.
        seeds: the number of seeds of the runs, at which claims are tested once. Tests at several
            numbers would share the level, and decide less with few seeds.
        samples: the number of training samples.
        over_depth: whether learning rates are swept over the depth, too.
        routers: whether the network has routers of experts, which are measured along training.
    """
    return {
        "study": name,
        "title": f"Check-up of {spec.model.name}",
        "question": f"Do hyperparameters of {spec.model.name} stay with its size?",
        "grids": _grids(spec, seeds, samples, over_depth, routers),
        "figures": list(_figures(spec, over_depth, routers)),
        "claims": list(_claims(spec, over_depth)),
        "scales": {"desk": {}},
    }


def _grids(
    spec: RunSpec, seeds: int, samples: int, over_depth: bool, routers: bool
) -> dict[str, Any]:
    """The sweeps over the width and the depth, and the runs along training."""
    base = {
        **spec.plain(),
        "log_every": max(1, spec.steps // RECORDS),
        "eval_every": spec.steps,
        "schedule": {"name": "linear", "warmup": 0.1},
    }
    for key in ("order_seed", "checkpoints", "multipliers", "base_batch_size", "base_steps"):
        base.pop(key)
    width, depth = spec.base.width, spec.base.depth
    # At the peak of the learning rate, for which the edge of stability is known.
    steady = {**base, "schedule": {"name": "constant", "warmup": 0.1}}
    rates = {"adaptive": {"start": spec.lr, "rounds": ROUNDS, "finest": FINEST}}
    widths = [factor * width for factor in WIDER]
    text = "Learning-rate sweeps over {}× {}."
    ends = [widths[0], widths[-1]]
    grids = {
        "width": _grid(text.format(WIDER[-1], "width"), base, "shape.width", ends, rates, seeds),
        "along": {
            **_grid(
                "Runs at one learning rate, with the landscape of the loss on the way.",
                steady, "shape.width", widths, [spec.lr], seeds,
            ),
            "probes": _probes(spec, samples, routers),
        },
    }  # fmt: skip
    if over_depth:
        depths = [depth, DEEPER * depth]
        text = text.format(DEEPER, "depth")
        grids["depth"] = _grid(text, base, "shape.depth", depths, rates, seeds)
    return grids


def _grid(
    description: str,
    base: Mapping[str, Any],
    size: str,
    sizes: list[int],
    rates: Any,
    seeds: int,
) -> dict[str, Any]:
    """A grid over a size, learning rates and seeds."""
    return {
        "description": description,
        "base": base,
        "axes": {size: sizes, "lr": rates, "seed": {"range": seeds}},
        "inner": ["lr", "seed", size],
    }


def _is_adam(spec: RunSpec) -> bool:
    return spec.optimizer.name in ("adam", "adamw")


def _probes(spec: RunSpec, samples: int, routers: bool) -> dict[str, Any]:
    """The probes along training: sharpness, also under Adam's preconditioner, noise, routers."""
    checkpoints = {"checkpoints": {"count": CHECKPOINTS}}
    common = {**checkpoints, "samples": min(SAMPLES, samples) // GROUPS * GROUPS}
    probes = {"sharpness": {"probe": "hessian", "tolerance": 0.03, **common}}
    if _is_adam(spec):
        probes["edge"] = {"probe": "preconditioned", "tolerance": 0.03, **common}
    probes["noise"] = {"probe": "gradient_noise", "batches": GROUPS, **common}
    if routers:
        routed = {"samples": min(ROUTED, samples)}
        probes["routers"] = {"probe": "router_load", **checkpoints, **routed}
    return probes


def _figures(spec: RunSpec, over_depth: bool, routers: bool) -> Iterator[dict[str, Any]]:
    caption = "Final training loss, a mean over seeds, which bands span. Stars mark the best rates."
    for size in ["width", "depth"] if over_depth else ["width"]:
        yield {
            "id": size,
            "kind": "lr_sweep",
            "title": f"Learning rates over the {size}",
            "caption": caption,
            "where": {"grid": size},
            "options": {"size": f"shape.{size}"},
        }
    adam = _is_adam(spec)
    yield {
        "id": "along",
        "kind": "along",
        "title": "Along training",
        "caption": (
            "At one learning rate, constant after warm-up, for all widths: the training loss, the "
            + (
                "sharpness of the loss, that of Adam's preconditioned Hessian over its stability "
                "threshold,"
                if adam
                else "sharpness, the same times the learning rate, whose threshold is 2 for SGD,"
            )
            + " and the noise of a batch's gradient over its signal"
            + (
                ", the entropy of routers over that of even scores, and the share of experts that "
                "are the first choice of no token"
                if routers
                else ""
            )
            + ". Bands span the seeds."
        ),
        "where": {"grid": "along"},
        "options": {
            "quantities": [
                "train_loss",
                "scaled_sharpness",
                "stability" if adam else "edge",
                "noise_to_signal",
                *(["routing_entropy", "dead_experts"] if routers else []),
            ]
        },
    }


def _claims(spec: RunSpec, over_depth: bool) -> Iterator[dict[str, Any]]:
    """The claims of a network that transfers; all bars are ours."""
    times = WIDER[-1]
    octave = {"max": 1}, "ours: one octave, two steps of the sweep"
    text = f"Over {times}× width the best learning rate moves by at most one octave."
    yield _claim("rate-stays", text, "optimum_shift", "width", *octave)
    if over_depth:
        text = f"Over {DEEPER}× depth the best learning rate moves by at most one octave."
        options = {"size": "shape.depth"}
        yield _claim("rate-stays-over-depth", text, "optimum_shift", "depth", *octave, options)
    if spec.loss == "cross_entropy":
        text = (
            f"The best learning rate of the base costs a network {times} times as wide at most "
            "0.05 in the final training loss."
        )
        bar = {"max": 0.05}, "ours: 0.05 nats"
        yield _claim("rate-costs-little", text, "transfer_regret", "width", *bar)
    text = (
        f"A network {times} times as wide ends with a lower training loss than the base, both at "
        "the learning rate that is best at the base for the other seeds."
    )
    bar = {"min": 0}, "the sign alone"
    yield _claim("wider-is-better", text, "transfer_gain", "width", *bar)
    text = "From 3 % to a third of the steps the training losses of all widths agree within 10 %."
    options = {"quantity": "train_loss", "tail": 0.3, "until": 0.333}
    bar = {"max": 1.1}, "ours: 10 %"
    yield _claim("curves-agree-early", text, "sharpness_spread", "along", *bar, options)
    adam = _is_adam(spec)
    sharpness = "sharpness under Adam's preconditioner" if adam else "scaled sharpness"
    text = f"In the last third of training the {sharpness} of all widths agrees within 50 %."
    options = {"quantity": "stability" if adam else "scaled_sharpness"}
    bar = {"max": 1.5}, "ours: 50 %"
    yield _claim("sharpness-agrees", text, "sharpness_spread", "along", *bar, options)


def _claim(
    name: str,
    sentence: str,
    measure: str,
    grid: str,
    bar: Mapping[str, float],
    bar_from: str,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A claim of ours as the values of its entry in the file."""
    return {
        "id": name,
        "sentence": sentence,
        "source": "our own bar",
        "kind": "ours",
        "confidence": "medium",
        "bar_from": bar_from,
        "measure": measure,
        **({"options": dict(options)} if options else {}),
        "where": {"grid": grid},
        "bar": dict(bar),
    }
