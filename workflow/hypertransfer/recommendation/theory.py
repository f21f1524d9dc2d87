"""What a table and theory say of how the best learning rate at the base moves with the size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from hypertransfer.parameterisation.algebra import Parameterisation, Role
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE
from hypertransfer.recommendation.observations import DIMENSIONS, Observation

WEIGHTS = (Role.INPUT, Role.HIDDEN, Role.OUTPUT)
CARRIED, THEORY, UNKNOWN = "carried", "theory", "unknown"  # bases of a slope
# Tables of optimizers whose norms scale the updates of weights over the width.
BY_NORMS = ("spectral", "spectral_depth", "mup_muon")


@dataclass(frozen=True)
class Slope:
    """How the best learning rate is expected to move with one dimension of the size.

    Attributes:
        basis: `CARRIED` if the table scales the dimension, so that the rate is to stay; `THEORY` if
            the power is that of a theory; `UNKNOWN` otherwise.
        power: of the dimension.
    """

    basis: str
    power: float = 0.0


def carried(table: Parameterisation) -> frozenset[str]:
    """The dimensions among width, depth, batch and duration that a table scales for transfer.

    Those of the depth, batch and duration of which it has any power; the width if its rules for
    input, hidden and output weights are those of µP, in whatever of the equivalent forms, or if the
    norms of the optimizer are to do it. SP and NTP, whose learning rates move with the width, have
    powers of it as well.
    """
    powers = [getattr(rule, f.name) for rule in table.rules.values() for f in fields(rule)]
    powers += [table.residual_multiplier, table.forgetting]
    others = {d for d in ("depth", "batch", "duration") if any(getattr(p, d) for p in powers)}
    over_width = table.name in BY_NORMS or _is_maximal(table)
    return frozenset(others | ({"width"} if over_width else set()))


def carried_by(table: Parameterisation, found: Sequence[Observation]) -> frozenset[str]:
    """The dimensions that a table scales in the sweeps of an arm.

    A dimension is not among them if the size varies and its ratio to the base does not, as where
    the base batch size is that of each run.
    """
    dimensions = carried(table)
    return frozenset(
        name
        for name in dimensions
        if len({getattr(one.ratios, name) for one in found}) > 1
        or len({one.logs[DIMENSIONS.index(name)] for one in found}) == 1
    )


def _is_maximal(table: Parameterisation) -> bool:
    """Whether a table scales weights over the width as µP does, but for the abc symmetry."""
    known = PARAMETERISATIONS["mup"].get(table.gradient_power)
    return known is not None and all(
        _over_width(table, role) == _over_width(known, role) for role in WEIGHTS
    )


def _over_width(table: Parameterisation, role: Role) -> tuple[float, float]:
    """The powers of the width in the initial deviation and the rate, with no multiplier."""
    rule = table.rules[role]
    rule = rule.shifted(rule.multiplier**-1, table.gradient_power)
    return rule.init_std.width, rule.lr.width


def theory(table: Parameterisation, found: Sequence[Observation]) -> dict[str, Slope]:
    """By dimension, how the best learning rate at the base is expected to move.

    It stays in the dimensions that the table scales. For updates that do not scale with the
    gradient, such as Adam's, it moves in others

    * over the width as µP scales the rate of hidden weights more than the table does (Yang et al.
      2203.03466): with the power −1 for SP;
    * over the batch size and the number of samples with the powers ½ and −½ (Malladi et al.
      2205.10287; Mlodozeniec et al. 2512.22382).

    How it moves over the depth, and with SGD, no theory says that held in this project's studies.
    """
    known = carried_by(table, found)
    free = table.gradient_power == SCALE_FREE
    powers = {"width": width_power(table), "batch": 0.5, "duration": -0.5} if free else {}
    return {
        name: Slope(CARRIED)
        if name in known
        else (Slope(THEORY, powers[name]) if name in powers else Slope(UNKNOWN))
        for name in DIMENSIONS
    }


def width_power(table: Parameterisation) -> float:
    """The power of the width by which µP's rate for hidden weights differs from a table's.

    −1 for SP with Adam. 0 for µP itself, and for tables of an optimizer for which there is no µP.
    """
    known = PARAMETERISATIONS["mup"].get(table.gradient_power)
    if known is None or table.name in BY_NORMS:
        return 0.0
    return _over_width(known, Role.HIDDEN)[1] - _over_width(table, Role.HIDDEN)[1]
