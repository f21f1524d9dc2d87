"""The parameterisations: literal tables, each row with its source.

Read a row as "how this role departs from its base value", in powers of the width ratio m_N
(`W`) and the depth ratio m_L (`D`). Widths are in the standard form, in which weights are
drawn with a standard deviation of their own; `Parameterisation.unit()` gives the N(0, 1) form
of the NTK and mean-field papers, which is the same network. A table comes in one version for
each optimizer family, told apart by its gradient power: 1 for SGD, 0 for Adam and its kin.

Your own table: a `Parameterisation`, or a mapping {gradient power: Parameterisation}, named in
the config by import path, such as `parameterisation: my_tables:mine`.
"""

from __future__ import annotations

from collections.abc import Mapping

from hypertransfer.scaling import ONE, Parameterisation, Power, Role, Rule

SGD, SCALE_FREE = 1.0, 0.0


def W(exponent: float) -> Power:
    """m_N to the given exponent."""
    return Power(width=exponent)


def D(exponent: float) -> Power:
    """m_L to the given exponent."""
    return Power(depth=exponent)


# PyTorch's habit: variance 1/fan_in, one learning rate. Yang et al. 2203.03466, Table 3 (SP).
_SP_RULES = {
    Role.INPUT: Rule(),
    Role.HIDDEN: Rule(init_std=W(-1 / 2)),
    Role.OUTPUT: Rule(init_std=W(-1 / 2)),
    Role.VECTOR: Rule(),
    Role.FINAL_VECTOR: Rule(),
    Role.READOUT_BIAS: Rule(),
}
SP_SGD = Parameterisation("sp", SGD, "Yang et al. 2203.03466, Table 3", _SP_RULES)
SP_ADAM = Parameterisation("sp", SCALE_FREE, "Yang et al. 2203.03466, Table 3", _SP_RULES)

# Jacot et al. 1806.07572: N(0, 1) weights, 1/sqrt(fan_in) in the forward pass, one learning
# rate. Here in the standard form; `unit()` gives back the exponents of the paper. The eps of
# the Adam version follows the size of the gradients under that form.
NTP_SGD = Parameterisation(
    "ntp",
    SGD,
    "Jacot et al. 1806.07572, Section 3",
    {
        Role.INPUT: Rule(),
        Role.HIDDEN: Rule(init_std=W(-1 / 2), lr=W(-1), weight_decay=W(+1)),
        Role.OUTPUT: Rule(init_std=W(-1 / 2), lr=W(-1), weight_decay=W(+1)),
        Role.VECTOR: Rule(),
        Role.FINAL_VECTOR: Rule(),
        Role.READOUT_BIAS: Rule(),
    },
)
NTP_ADAM = Parameterisation(
    "ntp",
    SCALE_FREE,
    "Jacot et al. 1806.07572, Section 3, with one Adam learning rate for N(0, 1) weights",
    {
        Role.INPUT: Rule(eps=W(-1 / 2)),
        Role.HIDDEN: Rule(init_std=W(-1 / 2), lr=W(-1 / 2), weight_decay=W(+1 / 2), eps=W(-1 / 2)),
        Role.OUTPUT: Rule(init_std=W(-1 / 2), lr=W(-1 / 2), weight_decay=W(+1 / 2)),
        Role.VECTOR: Rule(eps=W(-1 / 2)),
        Role.FINAL_VECTOR: Rule(eps=W(-1 / 2)),
        Role.READOUT_BIAS: Rule(),
    },
)

# The maximal update parameterisation, Yang et al. 2203.03466, Table 8.
MUP_SGD = Parameterisation(
    "mup",
    SGD,
    "Yang et al. 2203.03466, Table 8",
    {
        Role.INPUT: Rule(lr=W(+1), weight_decay=W(-1)),
        Role.HIDDEN: Rule(init_std=W(-1 / 2)),
        Role.OUTPUT: Rule(multiplier=W(-1), lr=W(+1), weight_decay=W(-1)),
        Role.VECTOR: Rule(lr=W(+1), weight_decay=W(-1)),
        Role.FINAL_VECTOR: Rule(lr=W(+1), weight_decay=W(-1)),
        Role.READOUT_BIAS: Rule(),
    },
)
MUP_ADAM = Parameterisation(
    "mup",
    SCALE_FREE,
    "Yang et al. 2203.03466, Table 8; eps as in Mlodozeniec et al. 2512.22382, Table 3",
    {
        Role.INPUT: Rule(eps=W(-1)),
        Role.HIDDEN: Rule(init_std=W(-1 / 2), lr=W(-1), weight_decay=W(+1), eps=W(-1)),
        Role.OUTPUT: Rule(multiplier=W(-1), eps=W(-1)),
        Role.VECTOR: Rule(eps=W(-1)),
        Role.FINAL_VECTOR: Rule(eps=W(-1)),
        Role.READOUT_BIAS: Rule(),
    },
)


def depth(alpha: float, gradient_power: float) -> Parameterisation:
    """Residual branches times m_L^-alpha, with updates that keep the features' change O(1).

    A branch's weights move by m_L^(alpha-1) for a scale-free update and, since gradients carry
    the branch's m_L^-alpha, by m_L^(2 alpha - 1) for SGD. alpha = 1/2: Yang et al. 2310.02244
    and Bordelon et al. 2309.16620; alpha = 1: Dey et al. 2505.01618 (CompleteP).
    """
    lr = D((1 + gradient_power) * alpha - 1)
    branch = Rule(lr=lr, weight_decay=lr**-1, eps=D(-alpha) if gradient_power == 0 else ONE)
    return Parameterisation(
        name=f"depth({alpha})",
        gradient_power=gradient_power,
        source="Yang et al. 2310.02244; Dey et al. 2505.01618",
        rules=dict.fromkeys(Role, branch),  # seen by parameters inside residual branches only
        residual_multiplier=D(-alpha),
    )


# Depth-muP of the Super Consistency paper: residual branches times 1/sqrt(L).
DEPTH_MUP_SGD = (MUP_SGD * depth(1 / 2, SGD)).named("depth_mup")
DEPTH_MUP_ADAM = (MUP_ADAM * depth(1 / 2, SCALE_FREE)).named("depth_mup")

# CompleteP: residual branches times 1/L. Dey et al. 2505.01618; the `mup_depth` of the Super
# Consistency authors' code for SGD.
COMPLETEP_SGD = (MUP_SGD * depth(1, SGD)).named("completep")
COMPLETEP_ADAM = (MUP_ADAM * depth(1, SCALE_FREE)).named("completep")

PARAMETERISATIONS: Mapping[str, Mapping[float, Parameterisation]] = {
    "sp": {SGD: SP_SGD, SCALE_FREE: SP_ADAM},
    "ntp": {SGD: NTP_SGD, SCALE_FREE: NTP_ADAM},
    "mup": {SGD: MUP_SGD, SCALE_FREE: MUP_ADAM},
    "depth_mup": {SGD: DEPTH_MUP_SGD, SCALE_FREE: DEPTH_MUP_ADAM},
    "completep": {SGD: COMPLETEP_SGD, SCALE_FREE: COMPLETEP_ADAM},
}
