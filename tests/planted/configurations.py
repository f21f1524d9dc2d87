"""Builders and tables of all configurations, as the modules of users offer theirs.

`mlp_frozen_1003` builds the perceptron of the seed 1003 with the fault `frozen`, and
`table_mlp_frozen_1003` is its table if the fault is one of the table. Without a fault the name is
`mlp_sound_3`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import torch
from tests.planted.families import FAMILIES, SOUND, Settings
from torch import Tensor, nn

from hypertransfer.parameterisation.algebra import ONE, Parameterisation, Role, Rule
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE, W

NAME = re.compile(r"(table_)?([a-z]+)_(\w+)_(\d+)")
SPARE = Role.EXPERT_UP  # a role that no parameter of the families has


def __getattr__(name: str) -> Callable[[int, int], nn.Module] | Parameterisation:
    """The builder or the table of a configuration."""
    found = NAME.fullmatch(name)
    families = {**FAMILIES, **SOUND}
    if found is None or found[2] not in families:
        raise AttributeError(name)
    of = settings(found[3], int(found[4]))
    if found[1]:
        return table(found[3], of.table)

    def build(width: int, depth: int) -> nn.Module:
        return families[found[2]](width, depth, of)

    return build


def settings(fault: str, seed: int) -> Settings:
    """The settings of a configuration."""
    of = Settings.drawn(seed)
    of = replace(of, frozen=fault == "frozen", root=fault == "attention", tied=fault == "tied")
    if fault.endswith("_factor"):
        return replace(of, loud=fault.removesuffix("_factor"))
    if fault == "residual" and of.table == "mup":  # which does not scale with the depth
        return replace(of, table="completep")
    return replace(of, weight_decay=of.weight_decay or 0.05) if fault == "decay" else of


def table(fault: str, name: str) -> Parameterisation:
    """The table of a name with a fault; `SPARE` is the row of parameters that a fault singles out.

    Raises:
        KeyError: the fault is none of a table.
    """
    sound = PARAMETERISATIONS[name][SCALE_FREE]
    if fault == "residual":
        return replace(sound, residual_multiplier=ONE)
    first, hidden, last = (sound.rules[role] for role in (Role.INPUT, Role.HIDDEN, Role.OUTPUT))
    widening = sound.rules[Role.WIDENING]
    row = {
        "readout_rate": (Role.OUTPUT, last * Rule(lr=W(+1))),
        "root_rate": (Role.OUTPUT, last * Rule(lr=W(-1 / 2), weight_decay=W(+1 / 2))),
        "input_rate": (Role.INPUT, first * Rule(lr=W(-1))),
        "hidden_rate": (SPARE, hidden * Rule(lr=W(+1))),
        "embedding": (Role.INPUT, first * Rule(init_std=W(-1 / 2))),
        "frozen": (Role.WIDENING, widening * Rule(lr=W(-1), weight_decay=W(+1))),
        "decay": (SPARE, hidden * Rule(weight_decay=W(-1))),
        "tied": (Role.OUTPUT, first),
    }[fault]
    return replace(sound, rules={**sound.rules, row[0]: row[1]})


def images() -> Tensor:
    """Inputs of ConvNets; by default they would be larger."""
    return torch.zeros(2, 3, 6, 6)
