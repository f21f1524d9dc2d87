"""Types and algebra of parameterisations: one rule per role, in powers of target/base ratios.

A parameterisation is an *abc* table as data. Every entry is a power of the ratios m_N (width), m_L
(depth), m_B (batch size), m_D (duration in tokens) and m_G (granularity of experts) of the target
to the base shape. Therefore each table is the identity at the base shape, and tables multiply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """The function of a parameter in the network, which decides how its hyperparameters scale.

    With the width, INPUT grows in fan_out, OUTPUT in fan_in, HIDDEN in both, and vectors in their
    only dimension. Hidden matrices of which a dimension does not grow are NARROWING, WIDENING or
    FIXED; `networks.growth` finds them, so that a network may give them the role HIDDEN. A ROUTER
    has one output per expert, as an OUTPUT has one per class. The matrices of an expert are HIDDEN
    matrices; a finer granularity means more and smaller experts.
    """

    INPUT = "input"
    HIDDEN = "hidden"
    OUTPUT = "output"
    VECTOR = "vector"  # norm gains and biases inside the network
    FINAL_VECTOR = "final_vector"  # norm gain before the readout
    READOUT_BIAS = "readout_bias"  # one entry per class, independent of the width
    QK_GAIN = "qk_gain"  # gain of a norm of queries or keys; of head size, shared by all heads
    ROUTER = "router"  # matrix that computes the logits of experts
    EXPERT_UP = "expert_up"  # matrices into the inner layer of an expert
    EXPERT_DOWN = "expert_down"  # matrix out of the inner layer, whose size is the fan_in
    NARROWING = "narrowing"  # hidden matrix whose fan_in alone grows, e.g. to one head of keys
    WIDENING = "widening"  # hidden matrix whose fan_out alone grows
    FIXED = "fixed"  # hidden matrix that does not grow


# Roles, and the roles of the same class (Yang et al. 2203.03466), whose rules apply in tables
# without rules for the former. A class has the same dimensions that grow.
CLASSES = {
    Role.NARROWING: Role.OUTPUT,
    Role.WIDENING: Role.INPUT,
    Role.FIXED: Role.QK_GAIN,
    Role.ROUTER: Role.OUTPUT,
    Role.EXPERT_UP: Role.HIDDEN,
    Role.EXPERT_DOWN: Role.HIDDEN,
}


@dataclass(frozen=True)
class Ratios:
    """Target over base value of each scaled quantity; all 1 at the base shape.

    Raises:
        ValueError: a ratio is not positive.
    """

    width: float = 1.0
    depth: float = 1.0
    batch: float = 1.0
    duration: float = 1.0
    granularity: float = 1.0

    def __post_init__(self) -> None:
        for f in fields(self):
            if not getattr(self, f.name) > 0:
                raise ValueError(f"ratio {f.name} must be positive, got {getattr(self, f.name)}")


SYMBOLS = {"width": "m_N", "depth": "m_L", "batch": "m_B", "duration": "m_D", "granularity": "m_G"}


@dataclass(frozen=True)
class Power:
    """m_N^width · m_L^depth · m_B^batch · m_D^duration · m_G^granularity.

    `*` adds exponents, `**` multiplies them by a number.
    """

    width: float = 0.0
    depth: float = 0.0
    batch: float = 0.0
    duration: float = 0.0
    granularity: float = 0.0

    def at(self, ratios: Ratios) -> float:
        """The value of this power at the given ratios."""
        value = ratios.width**self.width * ratios.depth**self.depth
        value *= ratios.granularity**self.granularity
        if self.batch == -self.duration:  # a power of m_B/m_D: exactly 1 if the two are equal
            return value * (ratios.batch / ratios.duration) ** self.batch
        return value * ratios.batch**self.batch * ratios.duration**self.duration

    def __str__(self) -> str:
        parts = [(SYMBOLS[f.name], getattr(self, f.name)) for f in fields(self)]
        shown = [
            f"{name}^{exponent:g}" if exponent != 1 else name
            for name, exponent in parts
            if exponent
        ]
        return "·".join(shown) or "1"

    def __mul__(self, other: Power) -> Power:
        return Power(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __pow__(self, exponent: float) -> Power:
        return Power(*(getattr(self, f.name) * exponent for f in fields(self)))


ONE = Power()


@dataclass(frozen=True)
class Rule:
    """One row of an abc table: factors on the base hyperparameters of the parameters of one role.

    Attributes:
        multiplier: factor on the weight in the forward pass.
        init_std: factor on the initial standard deviation (papers often print variances).
        lr: factor on the learning rate.
        weight_decay: factor on the weight decay in torch's convention, in which one step shrinks a
            weight by lr·weight_decay.
        eps: factor on the optimizer's eps.
    """

    multiplier: Power = ONE
    init_std: Power = ONE
    lr: Power = ONE
    weight_decay: Power = ONE
    eps: Power = ONE

    def __mul__(self, other: Rule) -> Rule:
        return Rule(*(getattr(self, f.name) * getattr(other, f.name) for f in fields(self)))

    def shifted(self, s: Power, gradient_power: float) -> Rule:
        """The rule of the equivalent network with weights w/s and multiplier·s (abc symmetry).

        Gradients of the new weights are s times as large. An update proportional to gradient^p,
        with p = `gradient_power`, therefore needs lr·s^-(1+p); lr·weight_decay stays the same
        (Yang and Hu 2011.14522 for p = 1; Yang et al. 2308.01814 for p = 0).
        """
        return Rule(
            multiplier=self.multiplier * s,
            init_std=self.init_std * s**-1,
            lr=self.lr * s ** -(1 + gradient_power),
            weight_decay=self.weight_decay * s ** (1 + gradient_power),
            eps=self.eps * s,
        )


@dataclass(frozen=True)
class Parameterisation:
    """An abc table: a rule for each role, and the scaling of residual branches and betas.

    Attributes:
        name: the name in configs and messages.
        gradient_power: the power of the gradient that an update is proportional to: 1 for SGD, 0
            for scale-free updates (Adam, Lion, Muon).
        source: paper and table.
        rules: the rule of each role; roles in `CLASSES` may be left out. Powers of m_L apply to
            parameters inside residual branches only.
        residual_multiplier: factor on the output of each residual branch.
        forgetting: factor on 1 − β, for each β of the optimizer.
        keeps_values: whether a network keeps the initial values that its builder draws, as only
            adopted networks can.

    Raises:
        ValueError: a role has no rule.
    """

    name: str
    gradient_power: float
    source: str
    rules: Mapping[Role, Rule]
    residual_multiplier: Power = ONE
    forgetting: Power = ONE
    keeps_values: bool = False

    def __post_init__(self) -> None:
        rules = {Role(role): rule for role, rule in self.rules.items()}
        for role, like in CLASSES.items():
            if role not in rules and like in rules:
                rules[role] = rules[like]
        missing = [role.value for role in Role if role not in rules]
        if missing:
            raise ValueError(
                f"parameterisation {self.name!r} has no rule for {', '.join(missing)}: "
                "a table names every role, with Rule() where nothing scales"
            )
        object.__setattr__(self, "rules", MappingProxyType(rules))

    def __mul__(self, other: Parameterisation) -> Parameterisation:
        """The table that applies both tables: exponents add, rule by rule.

        Raises:
            ValueError: the tables have different gradient powers.
        """
        if self.gradient_power != other.gradient_power:
            raise ValueError(
                f"cannot multiply {self.name} for gradient power {self.gradient_power} by "
                f"{other.name} for gradient power {other.gradient_power}: the powers must be equal"
            )
        return Parameterisation(
            name=f"{self.name}*{other.name}",
            gradient_power=self.gradient_power,
            source=f"{self.source}; {other.source}",
            rules={role: self.rules[role] * other.rules[role] for role in Role},
            residual_multiplier=self.residual_multiplier * other.residual_multiplier,
            forgetting=self.forgetting * other.forgetting,
            keeps_values=self.keeps_values or other.keeps_values,
        )

    @property
    def ties(self) -> bool:
        """Whether input and output can share weights: only multipliers of the rules differ."""
        input_rule, output_rule = self.rules[Role.INPUT], self.rules[Role.OUTPUT]
        return replace(input_rule, multiplier=ONE) == replace(output_rule, multiplier=ONE)

    def named(self, name: str) -> Parameterisation:
        """The same table under another name."""
        return replace(self, name=name)

    def shifted(self, role: Role, s: Power) -> Parameterisation:
        """The equivalent table with the rule of one role shifted by s (see `Rule.shifted`)."""
        rule = self.rules[role].shifted(s, self.gradient_power)
        return replace(self, rules={**self.rules, role: rule})

    def unit(self) -> Parameterisation:
        """The equivalent table in which no initial standard deviation depends on the shape.

        NTK and mean-field papers use this form: weights are drawn from N(0, 1), and multipliers and
        learning rates hold all scaling.
        """
        table = self
        for role, rule in self.rules.items():
            table = table.shifted(role, rule.init_std)
        return table

    def betas(self, base: Sequence[float], ratios: Ratios) -> tuple[float, ...]:
        """The optimizer's betas at the ratios: 1 − f·(1 − β) with f = `forgetting` at the ratios.

        Raises:
            ValueError: a beta would be outside [0, 1): the batch is too large for the duration.
        """
        factor = self.forgetting.at(ratios)
        if factor == 1.0:
            return tuple(base)
        scaled = tuple(1 - factor * (1 - beta) for beta in base)
        for number, (beta, base_beta) in enumerate(zip(scaled, base, strict=True), 1):
            if not 0 <= beta < 1:
                raise ValueError(
                    f"{self.name} makes β{number} = 1 − {factor:.4g} · (1 − {base_beta:g}) = "
                    f"{beta:.4g}, outside [0, 1), at m_B = {ratios.batch:.4g} and m_D = "
                    f"{ratios.duration:.4g}: keep m_B/m_D at most {1 / (1 - base_beta):.4g}, or "
                    "use a base with a larger batch or a shorter run"
                )
        return scaled

    def as_dict(self) -> dict:
        """The table as plain values, for run keys and reports, without exponents of zero."""

        def power(value: Power) -> dict:
            return {f.name: getattr(value, f.name) for f in fields(value) if getattr(value, f.name)}

        kept = {"keeps_values": True} if self.keeps_values else {}
        return {
            **kept,
            "gradient_power": self.gradient_power,
            "residual_multiplier": power(self.residual_multiplier),
            "forgetting": power(self.forgetting),
            "rules": {
                role.value: {f.name: power(getattr(rule, f.name)) for f in fields(rule)}
                for role, rule in self.rules.items()
            },
        }
