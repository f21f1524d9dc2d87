"""Optimizers that a config can name, without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypertransfer.catalogue.cards.lmo_presets import NEWTON_SCHULZ, NORMS, PRESETS, Preset
from hypertransfer.catalogue.cards.package_optimizers import GRADIENT_POWERS
from hypertransfer.catalogue.options import COUNT, FLAG, FRACTION, POSITIVE, Option, option
from hypertransfer.runs.spec import Component


@dataclass(frozen=True)
class OptimizerCard:
    """An optimizer: its import path, gradient power (see `Parameterisation`) and options."""

    path: str
    gradient_power: float
    options: Mapping[str, Option] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)  # options that the name implies
    steepest: bool = False  # whether its norms may draw the weights (weights: boundary)
    packages: tuple[str, ...] = ()  # packages other than torch whose code computes the update


GRADIENT_POWER = "gradient_power"  # the option of optimizers that are named by import path
_BETA_PAIR = {"type": "array", "prefixItems": [FRACTION, FRACTION], "minItems": 2, "maxItems": 2}
_AMOUNT = {"type": "number", "minimum": 0}


SCALED = {  # options of an optimizer named by import path that tables scale, where it has them
    "betas": {
        "type": "array",
        "items": FRACTION,
        "minItems": 1,
        "description": "a list of numbers from 0 to below 1",
    },
    "eps": {**_AMOUNT, "description": "a number of at least 0"},
}


def _betas(first: float, second: float) -> Option:
    return option(
        _BETA_PAIR, [first, second], "Decays of the moving averages at the base batch size."
    )


_EPS = option(_AMOUNT, 1e-8, "Term ε in Adam's denominator, at the base shape.")
_ADAM = {
    "betas": _betas(0.9, 0.999),  # torch's
    "eps": _EPS,
    "fused": option(FLAG, True, "Whether to use torch's fused implementation; false for foreach."),
}
_SGD = {
    "momentum": option(FRACTION, 0.0, "Factor on the previous value of the momentum buffer."),
    "nesterov": option(FLAG, False, "Whether to use Nesterov momentum."),
}
_SOPHIA = {
    "betas": _betas(0.965, 0.99),  # Liu et al. 2305.14342, their code
    "eps": option(
        POSITIVE, 1e-8, "ε at the base shape; `scale_rho` uses the table's factor on it."
    ),
    "rho": option(POSITIVE, 0.04, "ρ: entries of m/h are clipped at ρ, at the base shape."),
    "every": option(COUNT, 10, "Number of steps between estimates of the Hessian's diagonal."),
    "estimator": option(
        {"enum": ["gauss_newton", "hutchinson"]},
        "gauss_newton",
        "Sophia-G (Gauss–Newton–Bartlett) or Sophia-H (Hutchinson).",
    ),
    "scale_rho": option(FLAG, True, "Whether ρ is divided by the table's factor on eps."),
}
_PLACES = ("input", "hidden", "output")
_RADII = (*_PLACES, "vector")  # routers have a norm, and the radius of the output


def _lmo(preset: Preset) -> Mapping[str, Option]:
    return {
        "form": option(
            {"enum": ["unconstrained", "constrained", "steepest", "clipped"]},
            "unconstrained",
            "Form of the update (Pethick et al. 2502.07529, 2506.01913).",
        ),
        "norms": option(
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {place: {"enum": [*NORMS]} for place in (*_PLACES, "router")},
            },
            {},
            "Norms of kinds of weights, in place of those of the preset.",
        ),
        "radii": option(
            {
                "type": "object",
                "additionalProperties": False,
                "properties": dict.fromkeys(_RADII, POSITIVE),
            },
            {},
            "Radii ρ of kinds of parameters, 1 by default.",
        ),
        "momentum": option(
            FRACTION,
            preset.momentum,
            "Weight of the previous value in the moving average of gradients.",
        ),
        "nesterov": option(FLAG, preset.nesterov, "Whether to use Nesterov momentum."),
        "light": option(FLAG, False, "Whether the gradient itself stores the average."),
        "ns_steps": option(
            {"type": "integer", "minimum": 0},
            5,
            "Number of Newton–Schulz steps of spectral norms; 0 for the exact polar factor.",
        ),
        "ns_coefficients": option(
            {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3},
            [*NEWTON_SCHULZ],
            "Coefficients a, b, c of the Newton–Schulz polynomial.",
        ),
        "clip": option(POSITIVE, 1.0, "Largest factor on the update of the clipped form."),
        "adam_lr": option(
            POSITIVE,
            1.0,
            "Learning rate of the parameters that AdamW updates, over that of the others.",
        ),
        "betas": _betas(0.9, 0.95),  # of the parameters that AdamW updates
        "eps": _EPS,
    }


OPTIMIZERS: Mapping[str, OptimizerCard] = {
    "sgd": OptimizerCard("hypertransfer.optimizers.sgd:make", 1.0, _SGD),
    "adam": OptimizerCard("hypertransfer.optimizers.adam:make", 0.0, _ADAM),
    "adamw": OptimizerCard("hypertransfer.optimizers.adam:make", 0.0, _ADAM),
    "lion": OptimizerCard(
        "hypertransfer.optimizers.lion:make",
        0.0,
        {"betas": _betas(0.9, 0.99)},  # Chen et al. 2302.06675
        packages=("pytorch_optimizer",),
    ),
    "sophia": OptimizerCard(
        "hypertransfer.optimizers.sophia:make", 0.0, _SOPHIA, packages=("pytorch_optimizer",)
    ),
    **{
        name: OptimizerCard(
            "hypertransfer.optimizers.lmo:make",
            0.0,
            _lmo(preset),
            fixed={"preset": name},
            steepest=True,
        )
        for name, preset in PRESETS.items()
    },
}


def without_defaults(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an optimizer, whose `radii` and `norms` lack entries that change nothing.

    These are radii of 1, and the preset's own norms.
    """
    preset = PRESETS.get(name)
    radii, norms = options.get("radii"), options.get("norms")
    if preset is None or not isinstance(radii, Mapping) or not isinstance(norms, Mapping):
        return dict(options)
    usual = {"hidden": preset.hidden, "output": preset.output}
    usual["router"] = preset.router or norms.get("output", preset.output)
    if preset.input == preset.one_hot:  # the norm of `input` is that of embeddings, too
        usual["input"] = preset.input
    return {
        **options,
        "radii": {k: radius for k, radius in radii.items() if k not in _RADII or radius != 1.0},
        "norms": {k: norm for k, norm in norms.items() if k not in usual or norm != usual[k]},
    }


def fixed(optimizer: Component) -> dict[str, Any]:
    """The options that the name of an optimizer implies."""
    return {} if ":" in optimizer.name else dict(OPTIMIZERS[optimizer.name].fixed)


def gradient_power(optimizer: Component) -> float | None:
    """The gradient power of an optimizer; None if one named by import path does not give it.

    Such an optimizer has its power in the option `gradient_power`, which `completed` fills in for
    classes whose power is known.
    """
    if ":" in optimizer.name:
        power = optimizer.options.get(GRADIENT_POWER)
        return float(power) if isinstance(power, int | float) else None
    return OPTIMIZERS[optimizer.name].gradient_power


def completed(optimizer: Component) -> dict[str, Any]:
    """The options of an optimizer named by import path, with the gradient power of its class."""
    options = dict(optimizer.options)
    if optimizer.name in GRADIENT_POWERS:
        options.setdefault(GRADIENT_POWER, GRADIENT_POWERS[optimizer.name])
    power = options.get(GRADIENT_POWER)
    if isinstance(power, float) and power.is_integer():
        options[GRADIENT_POWER] = int(power)  # 1.0 and 1 are one run
    return options


def betas(optimizer: Component) -> tuple[float, ...]:
    """The betas of an optimizer at the base batch size; empty if the optimizer has none."""
    return tuple(float(beta) for beta in optimizer.options.get("betas", ()))
