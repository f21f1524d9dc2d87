"""A recommendation as JSON, as param groups in Python, for Optuna, and as a grid's axis."""

from __future__ import annotations

import enum
import math
import re
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypertransfer.recommendation.advice import Recommendation
from hypertransfer.recommendation.observations import DIMENSIONS, SIZE, Observation
from hypertransfer.recommendation.trend import LEVEL

POINTS = 5  # learning rates of an exported grid
FILLED = 96  # characters in a line of the docstring of an exported module


def plain(advice: Recommendation) -> dict[str, Any]:
    """The recommendation as plain values, some of them infinite; without a trend, `lr` is None."""
    left = advice.left_out
    values: dict[str, Any] = {
        "verdict": advice.verdict,
        "reasons": list(advice.reasons),
        "target": dict(zip(SIZE, advice.size, strict=True)),
        "measured": [_measured(one) for one in advice.found],
        "lr": None,
    }
    if advice.forecast is None or advice.cost is None or advice.fitted is None:
        return values
    return values | {
        "lr": advice.lr,
        "interval": {"level": LEVEL, "low": advice.interval[0], "high": advice.interval[1]},
        "octaves_beyond_measured": dict(advice.extrapolation),
        "expected_excess_percent": advice.cost.percent,
        "probability_of_divergence": advice.cost.diverges,
        "slopes": {
            name: {
                "value": slope.log2_lr,
                "deviation": slope.deviation,
                "expected": advice.slopes[name].power,
                "basis": advice.slopes[name].basis,
            }
            for name, slope in ((name, advice.fitted.slope(name)) for name in DIMENSIONS)
        },
        "left_out": left
        and {
            "size": dict(zip(SIZE, left.size, strict=True)),
            "predicted_lr": 2**left.forecast.log2_lr,
            "found_lr": 2**left.found,
            "octaves": left.octaves,
            "inside_interval": left.inside,
            "excess_percent": left.regret,
        },
        "next_sweeps": [
            {
                **dict(zip(SIZE, size_at(one.logs), strict=True)),
                "minutes": one.minutes,
                "deviation_octaves": one.deviation,
            }
            for one in advice.next_sweeps
        ],
    }


def size_at(logs: Sequence[float]) -> tuple[int, ...]:
    """The size at log2 of its dimensions, in the columns `SIZE`."""
    width, depth, batch, samples = (2**log for log in logs)
    return round(width), round(depth), round(batch), round(samples / batch)


def _measured(one: Observation) -> dict[str, Any]:
    return {
        **dict(zip(SIZE, one.size, strict=True)),
        "lr": 2**one.optimum.log2_lr,
        "error_octaves": one.error,
        "loss": one.sweep.least_loss(),
        "seeds": one.seeds,
        "rates": len(one.sweep.lrs),
    }


def optuna(advice: Recommendation) -> dict[str, Any]:
    """The interval of the rate, as `optuna.distributions.json_to_distribution` reads it."""
    low, high = advice.interval
    attributes = {"low": low, "high": high, "log": True, "step": None}
    return {"name": "FloatDistribution", "attributes": attributes}


def axis(advice: Recommendation) -> dict[str, Any]:
    """The axis of a grid of this workflow: learning rates over the interval, evenly in log2."""
    low, high = (math.log2(end) for end in advice.interval)
    steps = (low + (high - low) * step / (POINTS - 1) for step in range(POINTS))
    return {"axes": {"lr": [float(f"{2**place:.4g}") for place in steps]}}


MODULE = '''"""{about}"""

import re

import torch

{factors}HYPERPARAMETERS = {{  # by names of parameters; * is a number
{lines}
}}


def groups(network):
    """Param groups for an optimizer of torch."""
    used = {of_groups!r}
    return [
        {{"params": [parameter], **{{n: v for n, v in values.items() if n in used}}}}
        for _, parameter, values in _found(network)
    ]


{initialise}def _found(network):
    """The parameters of the network with their names and hyperparameters."""
    found, unknown = [], []
    for name, parameter in network.named_parameters():
        pattern = name if name in HYPERPARAMETERS else re.sub(r"\\b\\d+\\b", "*", name)
        if pattern in HYPERPARAMETERS:
            found.append((name, parameter, HYPERPARAMETERS[pattern]))
        else:
            unknown.append(name)
    if unknown:
        raise ValueError(f"no hyperparameters for {{', '.join(unknown)}}: it is another network")
    return found
'''
OF_GROUPS = ("lr", "weight_decay", "eps", "betas")
SCALED = '''def initialise(network):
    """Multiply the weights, as the network draws them, so that they have the deviations `init_std`.

    The draws are those of the network: call `torch.manual_seed` before it is built.
    """
    with torch.no_grad():
        for name, parameter, values in _found(network):
            if "init_std" not in values:
                continue
            drawn = float(parameter.float().std(correction=0))
            if not drawn > 0:
                raise ValueError(f"{name} has equal entries, which nothing scales: draw it first")
            parameter.mul_(values["init_std"] / drawn)


'''
DRAWN = '''def initialise(network, generator=None):
    """Draw the weights from Gaussians with the standard deviations `init_std`.

    Args:
        network: the network, which is changed in place.
        generator: draws the weights, on their device; by default that of torch, which
            `torch.manual_seed` seeds.
    """
    with torch.no_grad():
        drawn = set()
        for _, parameter, values in _found(network):
            if "init_std" in values:
                parameter.normal_(0.0, values["init_std"], generator=generator)
                drawn.add(id(parameter))
        for module in network.modules():
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                if id(module.weight) in drawn:
                    module.weight[module.padding_idx] = 0.0


'''


class Initial(enum.Enum):
    """How a function gives a network the standard deviations of its weights.

    `SCALED` multiplies what the network draws, as `Recipe` does; `DRAWN` draws from Gaussians;
    `OTHER` says that no standard deviations describe the draws.
    """

    SCALED = "scaled"
    DRAWN = "drawn"
    OTHER = "other"


INITIALISE = {Initial.SCALED: SCALED, Initial.DRAWN: DRAWN, Initial.OTHER: ""}
CALLS = "    initialise(network)\n    param_groups = groups(network)  # for an optimizer"


@dataclass(frozen=True)
class Factor:
    """A factor of the table on tensors other than parameters.

    Attributes:
        value: the factor.
        text: what is multiplied by it, in words.
        modules: the paths of the modules.
    """

    value: float
    text: str
    modules: Sequence[str]

    @property
    def places(self) -> list[str]:
        """The paths of the modules, with `*` for numbers."""
        return list(dict.fromkeys(map(_pattern, self.modules)))


def _pattern(name: str) -> str:
    """A path with `*` in place of numbers."""
    return re.sub(r"\b\d+\b", "*", name)


def python(
    rows: Sequence[Mapping[str, Any]],
    about: str,
    factors: Mapping[str, Factor] | None = None,
    initial: Initial = Initial.SCALED,
    zeros: Collection[str] = (),
) -> str:
    """A Python module with the hyperparameters by patterns of names, and functions that apply them.

    `groups(network)` returns param groups, and `initialise(network)` sets initial values.

    Args:
        rows: the rows of `resolve.ParameterRow` of the target, as plain values.
        about: what the rows are of, such as a study, and the size.
        factors: factors that the forward pass of the network must apply, by the names of constants.
        initial: how the weights begin.
        zeros: the names of the parameters that begin at zero. Others whose `init_std` is 0 begin as
            their module sets them.
    """
    constants = "".join(
        f"{name} = {one.value!r}  # multiply {one.text} by this: {', '.join(one.places)}\n"
        for name, one in (factors or {}).items()
    )
    begin = [
        row
        if initial is not Initial.OTHER and (row["init_std"] > 0 or row["name"] in zeros)
        else {**row, "init_std": None}
        for row in rows
    ]
    lines = "\n".join(f"    {name!r}: {values!r}," for name, values in by_pattern(begin).items())
    multiplied = any(row["multiplier"] != 1.0 for row in rows)
    return MODULE.format(
        about=_about(about, bool(factors), multiplied, initial),
        factors=constants,
        lines=lines,
        of_groups=OF_GROUPS,
        initialise=INITIALISE[initial],
    )


def _about(about: str, factors: bool, multiplied: bool, initial: Initial) -> str:
    """The docstring of the module, with the sentences that are true of it."""
    safe = about.replace("\\", "\\\\").replace('"""', r"\"\"\"")
    texts = [f"Hyperparameters of {safe}."]
    if initial is Initial.OTHER:
        texts.append(
            "They belong to a network whose parameters have these names, and whose weights begin "
            "on the boundaries of the balls of the optimizer's norms: no function here draws them."
        )
    else:
        texts.append(
            "They belong to a network whose parameters have these names. Its weights begin with "
            "the standard deviations `init_std`, and parameters without one begin as the network "
            "sets them:"
        )
    if multiplied:
        texts.append(
            "The forward pass multiplies weights by `multiplier`, which no function here does."
        )
    if factors:
        texts.append(
            "Constants above the hyperparameters are factors that param groups cannot apply: "
            "multiply in the forward pass."
        )
    if initial is Initial.SCALED:
        texts.append(
            "`hypertransfer.networks.adopted.recipe.Recipe` does all of this for a network of "
            "another author, with the learning rate at the base."
        )
    parts = [textwrap.fill(text, FILLED, break_long_words=False) for text in texts]
    if initial is not Initial.OTHER:
        parts.insert(2, CALLS)
    return "\n\n".join(parts) + "\n"


def by_pattern(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The hyperparameters by name, with `*` for numbers where all agree."""
    alike: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for row in rows:
        names = (*OF_GROUPS, "init_std", "multiplier")
        values = {name: row[name] for name in names if row.get(name) not in (None, (), [])}
        alike.setdefault(_pattern(row["name"]), []).append((row["name"], values))
    found = {}
    for pattern, members in alike.items():
        same = all(values == members[0][1] for _, values in members)
        found |= {pattern: members[0][1]} if same and len(members) > 1 else dict(members)
    return found
