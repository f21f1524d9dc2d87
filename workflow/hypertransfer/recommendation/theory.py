"""What a table and theory say of how the best learning rate at the base moves with the size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from hypertransfer.catalogue.cards.lmo_presets import PRESETS
from hypertransfer.parameterisation.algebra import Parameterisation, Role
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE
from hypertransfer.recommendation.observations import Observation
from hypertransfer.runs.spec import Component

WEIGHTS = (Role.INPUT, Role.HIDDEN, Role.OUTPUT)
CARRIED, THEORY, UNKNOWN = "carried", "theory", "unknown"  # bases of a slope
# Tables of optimizers whose norms scale the updates of weights over the width.
BY_NORMS = ("spectral", "spectral_depth", "mup_muon", "mup_moonlight")
ENTRYWISE = ("adam", "adamw", "lion", "sophia")  # optimizers whose updates have entries of one size
# Powers of the width for the rate of hidden weights, by the norm of their updates.
NORMS = {"max": -1.0, "moonlight": -0.5} | dict.fromkeys(
    ("keller", "spectral", "sign", "col", "row"), 0.0
)


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


def theory(
    table: Parameterisation, optimizer: Component, found: Sequence[Observation]
) -> dict[str, Slope]:
    """By dimension, how the best learning rate at the base is expected to move.

    It stays in the dimensions that the table scales. For updates that do not scale with the
    gradient, such as Adam's, it moves in others

    * over the width with the power by which the rate of hidden weights should scale less that of
      the table (`hidden_power`): −1 for SP with Adam;
    * over the batch size and the number of samples with the powers ½ and −½, which theory gives for
      Adam (Malladi et al. 2205.10287; Mlodozeniec et al. 2512.22382).

    How it moves over the depth, and with SGD, no theory says that held in this project's studies.

    Args:
        table: the parameterisation.
        optimizer: the optimizer.
        found: the sweeps of the arm. A base that is in all of them that of the run, as the base
            batch size is by default, scales nothing.
    """
    free = table.gradient_power == SCALE_FREE
    follows = following(found)
    known = dimensions(table)
    slopes = {"width": _width(table, optimizer, known), "depth": Slope(UNKNOWN)}
    if "depth" in known:
        slopes["depth"] = Slope(CARRIED)
    slopes |= {name: Slope(UNKNOWN) for name in follows & set(slopes)}
    along = {"batch": Slope(UNKNOWN), "duration": Slope(UNKNOWN)}
    of_both = {"batch_size", "steps"} & follows
    if not of_both and {"batch", "duration"} <= known:
        along = dict.fromkeys(along, Slope(CARRIED))
    elif free and (len(of_both) == 2 or not {"batch", "duration"} & known):
        along = {"batch": Slope(THEORY, 0.5), "duration": Slope(THEORY, -0.5)}
    return slopes | along


def following(found: Sequence[Observation]) -> frozenset[str]:
    """The dimensions `width` and `depth`, and the columns `batch_size` and `steps`, without a base.

    These are those whose base is that of the run in all sweeps; of width and depth, which have a
    base of their own in every config, if they vary.
    """
    width, depth, batch, steps = (
        all(one.size[place] == one.base[place] for one in found) for place in range(4)
    )
    varied = [len({one.size[place] for one in found}) > 1 for place in range(2)]
    flags = {"width": width and varied[0], "depth": depth and varied[1]}
    flags |= {"batch_size": batch, "steps": steps}
    return frozenset(name for name, follows in flags.items() if follows)


def dimensions(table: Parameterisation) -> frozenset[str]:
    """The dimensions of which a table has powers; the width, if it is meant for transfer over it.

    SP and NTP, whose learning rates move with the width, have powers of it as well. The width
    counts if the rules for input, hidden and output weights are those of µP, in whatever of the
    equivalent forms, or if the norms of an optimizer are to scale the rest.
    """
    powers = [getattr(rule, f.name) for rule in table.rules.values() for f in fields(rule)]
    powers += [table.residual_multiplier, table.forgetting]
    others = {d for d in ("depth", "batch", "duration") if any(getattr(p, d) for p in powers)}
    over_width = table.name.partition("*")[0] in BY_NORMS or _is_maximal(table)
    return frozenset(others | ({"width"} if over_width else set()))


def _width(table: Parameterisation, optimizer: Component, known: frozenset[str]) -> Slope:
    """How the best rate moves over the width."""
    if table.gradient_power != SCALE_FREE:
        return Slope(CARRIED if "width" in known else UNKNOWN)
    wanted = hidden_power(optimizer)
    if wanted is None:
        return Slope(UNKNOWN)
    power = wanted - _over_width(table, Role.HIDDEN)[1]
    return Slope(CARRIED) if "width" in known and not power else Slope(THEORY, power)


def hidden_power(optimizer: Component) -> float | None:
    """The power of the width with which the rate of hidden weights should scale; None if unknown.

    −1 for updates whose entries have one size, as Adam's; 0 where the norm of the update is one of
    the operator or of its rows or columns, as Scion's; −½ for Moonlight's factor, which gives
    orthogonal updates entries of one size (Yang et al. 2310.17813).
    """
    if optimizer.name in ENTRYWISE:
        return -1.0
    preset = PRESETS.get(optimizer.name)
    if preset is None:
        return None
    return NORMS.get(dict(optimizer.options.get("norms") or {}).get("hidden", preset.hidden))


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


def width_power(table: Parameterisation, optimizer: Component) -> float:
    """The power of the width by which µP's rate for hidden weights differs from a table's.

    −1 for SP with Adam; 0 for optimizers for which there is no such rate.
    """
    known = PARAMETERISATIONS["mup"].get(table.gradient_power)
    if table.gradient_power == SCALE_FREE:
        wanted = hidden_power(optimizer)
    else:
        wanted = None if known is None else _over_width(known, Role.HIDDEN)[1]
    return 0.0 if wanted is None else wanted - _over_width(table, Role.HIDDEN)[1]
