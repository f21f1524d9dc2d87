"""Optimizers that a config can name, without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypertransfer.catalogue.cards.lmo_presets import LMO_PRESETS, NORMS
from hypertransfer.catalogue.options import COUNT, FLAG, FRACTION, POSITIVE
from hypertransfer.runs.spec import Component


@dataclass(frozen=True)
class OptimizerCard:
    """An optimizer: its import path, its gradient power (see scaling), and its options."""

    path: str
    gradient_power: float
    options: Mapping[str, dict] = field(default_factory=dict)
    betas: tuple[float, ...] = ()  # of the base, unless the option of that name says otherwise
    fixed: Mapping[str, Any] = field(default_factory=dict)  # options that the name stands for
    steepest: bool = False  # whether its updates come from norms, on whose boundary weights may lie


ADAM_BETAS = (0.9, 0.999)  # torch's
LION_BETAS = (0.9, 0.99)  # Chen et al. 2302.06675
SOPHIA_BETAS = (0.965, 0.99)  # Liu et al. 2305.14342, their code
LMO_BETAS = (0.9, 0.95)  # of the parameters that a preset leaves to AdamW
_BETAS = {"type": "array", "prefixItems": [FRACTION, FRACTION], "minItems": 2, "maxItems": 2}
_EPS = {"type": "number", "minimum": 0}
_ADAM_OPTIONS = {"betas": _BETAS, "eps": _EPS, "fused": FLAG}
_PLACES = ("input", "hidden", "output")  # vectors have a radius too, routers a norm
_LMO_OPTIONS = {
    "form": {"enum": ["unconstrained", "constrained", "steepest", "clipped"]},
    "norms": {
        "type": "object", "additionalProperties": False,
        "properties": {place: {"enum": [*NORMS]} for place in (*_PLACES, "router")},
    },
    "radii": {
        "type": "object", "additionalProperties": False,
        "properties": dict.fromkeys((*_PLACES, "vector"), POSITIVE),
    },
    "momentum": FRACTION,
    "nesterov": FLAG,
    "light": FLAG,
    "ns_steps": {"type": "integer", "minimum": 0},
    "ns_coefficients": {
        "type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3
    },
    "clip": POSITIVE,
    "adam_lr": POSITIVE,
    "betas": _BETAS,
    "eps": _EPS,
}  # fmt: skip
OPTIMIZERS: Mapping[str, OptimizerCard] = {
    "sgd": OptimizerCard(
        "hypertransfer.optimizers.sgd:make", 1.0, {"momentum": FRACTION, "nesterov": FLAG}
    ),
    "adam": OptimizerCard("hypertransfer.optimizers.adam:make", 0.0, _ADAM_OPTIONS, ADAM_BETAS),
    "adamw": OptimizerCard("hypertransfer.optimizers.adam:make", 0.0, _ADAM_OPTIONS, ADAM_BETAS),
    "lion": OptimizerCard(
        "hypertransfer.optimizers.lion:make", 0.0, {"betas": _BETAS}, LION_BETAS
    ),
    "sophia": OptimizerCard(
        "hypertransfer.optimizers.sophia:make",
        0.0,
        {
            "betas": _BETAS, "rho": POSITIVE, "every": COUNT, "scale_rho": FLAG,
            "estimator": {"enum": ["gauss_newton", "hutchinson"]},
        },
        SOPHIA_BETAS,
    ),
    **{
        name: OptimizerCard(
            "hypertransfer.optimizers.lmo:make", 0.0, _LMO_OPTIONS, LMO_BETAS,
            {"preset": name}, steepest=True,
        )
        for name in LMO_PRESETS
    },
}  # fmt: skip


def fixed(optimizer: Component) -> dict[str, Any]:
    """The options that an optimizer's name stands for."""
    return {} if ":" in optimizer.name else dict(OPTIMIZERS[optimizer.name].fixed)


def gradient_power(optimizer: Component) -> float:
    """The gradient power of an optimizer; one of your own says it in `gradient_power`."""
    if ":" in optimizer.name:
        return float(optimizer.options.get("gradient_power", 0.0))
    return OPTIMIZERS[optimizer.name].gradient_power


def betas(optimizer: Component) -> tuple[float, ...]:
    """The betas of an optimizer at the base; none where it has none."""
    default = () if ":" in optimizer.name else OPTIMIZERS[optimizer.name].betas
    return tuple(float(beta) for beta in optimizer.options.get("betas", default))
