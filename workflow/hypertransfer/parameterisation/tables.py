"""The parameterisations: literal tables, each row with its source.

A row gives the factors on the base values of one role, as powers of the width ratio m_N (`W`), the
depth ratio m_L (`D`), the batch ratio over the duration ratio, m_B/m_D (`NOISE`), and the
granularity ratio of experts, m_G (`G`). Where a table has no rows for mixtures of experts, routers
scale as outputs and experts as hidden matrices (`algebra.CLASSES`).

Tables are in the standard form, in which each weight has a standard deviation of its own;
`Parameterisation.unit()` gives the equivalent N(0, 1) form of the NTK and mean-field papers. A
parameterisation has one table per family of optimizers, with its gradient power as key: 1 for SGD,
0 for Adam and other scale-free optimizers.

A config can name a table of another module by import path, such as
`parameterisation: my_tables:mine`: a `Parameterisation`, or a mapping {gradient power:
Parameterisation}.
"""

from __future__ import annotations

from collections.abc import Mapping

from hypertransfer.parameterisation.algebra import ONE, Parameterisation, Power, Role, Rule

SGD, SCALE_FREE = 1.0, 0.0


def W(exponent: float) -> Power:
    """m_N to the given exponent."""
    return Power(width=exponent)


def D(exponent: float) -> Power:
    """m_L to the given exponent."""
    return Power(depth=exponent)


def G(exponent: float) -> Power:
    """m_G to the given exponent: experts' inner layers are 1/m_G times as wide."""
    return Power(granularity=exponent)


def NOISE(exponent: float) -> Power:
    """(m_B/m_D) to the given exponent: the batch ratio over the duration ratio."""
    return Power(batch=exponent, duration=-exponent)


# PyTorch's standard: variance 1/fan_in, one learning rate. Yang et al. 2203.03466, Table 3 (SP).
_SP_RULES = {
    Role.INPUT: Rule(),
    Role.HIDDEN: Rule(init_std=W(-1 / 2)),
    Role.OUTPUT: Rule(init_std=W(-1 / 2)),
    Role.VECTOR: Rule(),
    Role.FINAL_VECTOR: Rule(),
    Role.READOUT_BIAS: Rule(),
    Role.QK_GAIN: Rule(),
    Role.EXPERT_DOWN: Rule(init_std=W(-1 / 2) * G(+1 / 2)),
}
SP_SGD = Parameterisation("sp", SGD, "Yang et al. 2203.03466, Table 3", _SP_RULES)
SP_ADAM = Parameterisation("sp", SCALE_FREE, "Yang et al. 2203.03466, Table 3", _SP_RULES)

# Jacot et al. 1806.07572: N(0, 1) weights, 1/sqrt(fan_in) in the forward pass, one learning rate.
# The table is in the standard form; `unit()` returns the exponents of the paper. In the Adam
# version eps scales as the gradients of the N(0, 1) form.
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
        Role.QK_GAIN: Rule(),
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
        Role.QK_GAIN: Rule(),
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
        Role.QK_GAIN: Rule(),
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
        Role.QK_GAIN: Rule(),
    },
)


def depth(alpha: float, gradient_power: float, *, keep_decay: bool = False) -> Parameterisation:
    """Residual branches times m_L^-alpha, with learning rates that keep changes of features O(1).

    Learning rates in branches scale as m_L^(alpha-1) for scale-free updates, and as
    m_L^(2 alpha - 1) for SGD, since gradients have the factor m_L^-alpha of the branch.
    alpha = 1/2: Yang et al. 2310.02244 and Bordelon et al. 2309.16620; alpha = 1: Dey et al.
    2505.01618 (CompleteP). Weight decay scales inversely to the learning rate, so that weights
    decay in the same number of steps; with `keep_decay` weight decay does not scale. For scale-free
    updates and alpha = 1 both choices are equal.
    """
    lr = D((1 + gradient_power) * alpha - 1)
    branch = Rule(
        lr=lr,
        weight_decay=ONE if keep_decay else lr**-1,
        eps=D(-alpha) if gradient_power == 0 else ONE,
    )
    return Parameterisation(
        name=f"depth({alpha})",
        gradient_power=gradient_power,
        source="Yang et al. 2310.02244; Dey et al. 2505.01618",
        rules=dict.fromkeys(Role, branch),  # apply to parameters inside residual branches only
        residual_multiplier=D(-alpha),
    )


# Depth-muP of the Super Consistency paper: residual branches times 1/sqrt(L).
DEPTH_MUP_SGD = (MUP_SGD * depth(1 / 2, SGD)).named("depth_mup")
DEPTH_MUP_ADAM = (MUP_ADAM * depth(1 / 2, SCALE_FREE)).named("depth_mup")

# CompleteP: residual branches times 1/L. In Dey et al. 2505.01618, Table 1, eps scales inside
# residual blocks only, unlike in µP's table above. The SGD version, which has no eps, is
# `mup_depth` of the Super Consistency authors' code.
_COMPLETEP_WIDTH = Parameterisation(
    "completep width",
    SCALE_FREE,
    "Dey et al. 2505.01618, Table 1",
    {
        Role.INPUT: Rule(),
        Role.HIDDEN: Rule(init_std=W(-1 / 2), lr=W(-1), weight_decay=W(+1), eps=W(-1)),
        Role.OUTPUT: Rule(multiplier=W(-1)),
        Role.VECTOR: Rule(eps=W(-1)),
        Role.FINAL_VECTOR: Rule(),
        Role.READOUT_BIAS: Rule(),
        Role.QK_GAIN: Rule(eps=W(-1)),  # not in the paper's table: scaled as VECTOR
    },
)
COMPLETEP_SGD = (MUP_SGD * depth(1, SGD)).named("completep")
COMPLETEP_ADAM = (_COMPLETEP_WIDTH * depth(1, SCALE_FREE)).named("completep")
COMPLETEP_HALF = (_COMPLETEP_WIDTH * depth(1 / 2, SCALE_FREE, keep_decay=True)).named(
    "completep_half"
)

# Complete(d)P, Mlodozeniec et al. 2512.22382, Table 1, factor by factor. Width: µP with the
# readout's multiplier folded into its weights, and a row for the gains of QK-norm, whose
# gradients sum over heads. As in the paper, eps of the final norm does not scale.
_COMPLETED_P_WIDTH = Parameterisation(
    "completed_p width",
    SCALE_FREE,
    "Mlodozeniec et al. 2512.22382, Table 1",
    {
        Role.INPUT: Rule(eps=W(-1)),
        Role.HIDDEN: Rule(init_std=W(-1 / 2), lr=W(-1), weight_decay=W(+1), eps=W(-1)),
        Role.OUTPUT: Rule(init_std=W(-1), lr=W(-1), weight_decay=W(+1)),
        Role.VECTOR: Rule(eps=W(-1)),
        Role.FINAL_VECTOR: Rule(),
        Role.READOUT_BIAS: Rule(),
        Role.QK_GAIN: Rule(),
    },
)

# Batch size and duration: the scaling that preserves Adam's stochastic differential equation, with
# κ = m_B/m_D. Malladi et al. 2205.10287 for the batch size, Mlodozeniec et al. 2512.22382 for
# weight decay and duration. The config sets the number of steps, m_D/m_B times that of the base.
ADAM_SDE = Parameterisation(
    "adam_sde",
    SCALE_FREE,
    "Mlodozeniec et al. 2512.22382, Table 1; Malladi et al. 2205.10287",
    dict.fromkeys(Role, Rule(lr=NOISE(+1 / 2), weight_decay=NOISE(+1 / 2), eps=NOISE(-1 / 2))),
    forgetting=NOISE(+1),
)
# Only the learning rate scales, by √(m_B/m_D): a common practice, for comparison.
_LR_ALONE = Parameterisation(
    "sqrt_lr", SCALE_FREE, "our choice", dict.fromkeys(Role, Rule(lr=NOISE(+1 / 2)))
)

_COMPLETED_P_SHAPE = _COMPLETED_P_WIDTH * depth(1, SCALE_FREE)
COMPLETED_P = (_COMPLETED_P_SHAPE * ADAM_SDE).named("completed_p")
COMPLETED_P_HALF = (
    _COMPLETED_P_WIDTH * depth(1 / 2, SCALE_FREE, keep_decay=True) * ADAM_SDE
).named("completed_p_half")
COMPLETED_P_SHAPE = _COMPLETED_P_SHAPE.named("completed_p_shape")
COMPLETED_P_LR = (_COMPLETED_P_SHAPE * _LR_ALONE).named("completed_p_lr")

# Mixtures of experts: router as an output, experts as hidden matrices (Małaśnicki et al.
# 2508.09752, "µP"). In the variant "simpleP" the router does not scale; in the authors' code
# (llm-random, branch mup_moe) no initial standard deviation depends on the granularity.
_EXPERT = Rule(init_std=W(-1 / 2), lr=W(-1), weight_decay=W(+1), eps=W(-1))
MUP_MOE = Parameterisation(
    "mup_moe",
    SCALE_FREE,
    "Małaśnicki et al. 2508.09752; its classes in Yang et al. 2203.03466, Table 8",
    {
        **MUP_ADAM.rules,
        Role.ROUTER: Rule(multiplier=W(-1), eps=W(-1)),
        Role.EXPERT_UP: _EXPERT,
        Role.EXPERT_DOWN: _EXPERT * Rule(init_std=G(+1 / 2)),  # 1/√fan_in
    },
)
SIMPLEP_MOE = Parameterisation(
    "simplep_moe",
    SCALE_FREE,
    "Małaśnicki et al. 2508.09752, simpleP; their code",
    {
        **MUP_ADAM.rules,
        Role.ROUTER: Rule(),
        Role.EXPERT_UP: _EXPERT,
        Role.EXPERT_DOWN: _EXPERT,
    },
)
# Jiang et al. 2601.20205: CompleteP, with weights and updates of the router that scale as 1/N, and
# with down-projections of experts whose weights and updates compensate for a finer granularity. The
# table is meant for transfer over the granularity, too, if the gates are sigmoids, averaged instead
# of summed (options of the model).
_COMPLETEP_MOE_WIDTH = Parameterisation(
    "completep_moe width",
    SCALE_FREE,
    "Jiang et al. 2601.20205",
    {
        **_COMPLETEP_WIDTH.rules,
        Role.ROUTER: Rule(init_std=W(-1), lr=W(-1), weight_decay=W(+1)),
        Role.EXPERT_UP: _EXPERT,
        Role.EXPERT_DOWN: _EXPERT * Rule(init_std=G(+1), lr=G(+1), weight_decay=G(-1)),
    },
)
COMPLETEP_MOE = (_COMPLETEP_MOE_WIDTH * depth(1, SCALE_FREE)).named("completep_moe")

# The spectral condition, for optimizers whose updates have a fixed operator norm (LMOs; Scion): at
# every width such an update changes features by the same size, so that learning rates do not scale.
SPECTRAL = Parameterisation(
    "spectral",
    SCALE_FREE,
    "Yang et al. 2310.17813; Pethick et al. 2502.07529, Lemma C.6",
    {
        **dict.fromkeys(Role, Rule()),
        Role.HIDDEN: Rule(init_std=W(-1 / 2)),
        Role.OUTPUT: Rule(init_std=W(-1)),
        Role.NARROWING: Rule(init_std=W(-1)),
        Role.ROUTER: Rule(init_std=W(-1)),
        Role.EXPERT_UP: Rule(init_std=W(-1 / 2)),
        Role.EXPERT_DOWN: Rule(init_std=W(-1 / 2) * G(+1 / 2)),
    },
)
SPECTRAL_DEPTH = (SPECTRAL * depth(1, SCALE_FREE)).named("spectral_depth")


def _mup_hidden(name: str, source: str, hidden: Rule) -> Parameterisation:
    """µP for Adam with another rule for hidden matrices, including those of experts.

    An update of `narrowing` has the operator norm of a hidden one, but fewer outputs share its
    effect: each changes by √m_N times as much, and the learning rate falls accordingly. The
    operator norm of an update of `widening` grows as its outputs do, without a rule.
    """
    experts = {Role.EXPERT_UP: hidden, Role.EXPERT_DOWN: hidden * Rule(init_std=G(+1 / 2))}
    narrowing = hidden * Rule(init_std=W(-1 / 2), lr=W(-1 / 2), weight_decay=W(+1 / 2))
    bottleneck = {Role.NARROWING: narrowing, Role.WIDENING: Rule(eps=W(-1))}
    rules = {**MUP_MOE.rules, Role.HIDDEN: hidden, **experts, **bottleneck}
    return Parameterisation(name, SCALE_FREE, source, rules)


# µP if Muon updates the hidden matrices and Adam all other parameters. With Keller Jordan's factor
# √max(1, rows/columns) the operator norm of an update does not depend on the width; with
# Moonlight's 0.2·√max(rows, columns) (2502.16982) it grows as the square root of the width.
MUP_MUON = _mup_hidden(
    "mup_muon", "Yang et al. 2310.17813; Jordan 2024", Rule(init_std=W(-1 / 2), eps=W(-1))
)
MUP_MOONLIGHT = _mup_hidden(
    "mup_moonlight",
    "Yang et al. 2310.17813; Liu et al. 2502.16982",
    Rule(init_std=W(-1 / 2), lr=W(-1 / 2), weight_decay=W(+1 / 2), eps=W(-1)),
)

# Nothing is scaled: a network at the size of the run as its author wrote it. The control of tables.
AS_BUILT_SGD, AS_BUILT = (
    Parameterisation(
        "as_built",
        power,
        "no table: the builder's initial values, and one learning rate for all sizes",
        {
            role: Rule()
            for role in (
                Role.INPUT,
                Role.HIDDEN,
                Role.OUTPUT,
                Role.VECTOR,
                Role.FINAL_VECTOR,
                Role.READOUT_BIAS,
                Role.QK_GAIN,
            )
        },
        keeps_values=True,
    )
    for power in (SGD, SCALE_FREE)
)

PARAMETERISATIONS: Mapping[str, Mapping[float, Parameterisation]] = {
    "sp": {SGD: SP_SGD, SCALE_FREE: SP_ADAM},
    "ntp": {SGD: NTP_SGD, SCALE_FREE: NTP_ADAM},
    "mup": {SGD: MUP_SGD, SCALE_FREE: MUP_ADAM},
    "depth_mup": {SGD: DEPTH_MUP_SGD, SCALE_FREE: DEPTH_MUP_ADAM},
    "completep": {SGD: COMPLETEP_SGD, SCALE_FREE: COMPLETEP_ADAM},
    "completep_half": {SCALE_FREE: COMPLETEP_HALF},
    "completed_p": {SCALE_FREE: COMPLETED_P},
    "completed_p_half": {SCALE_FREE: COMPLETED_P_HALF},
    "completed_p_shape": {SCALE_FREE: COMPLETED_P_SHAPE},  # no scaling with batch size and duration
    "completed_p_lr": {SCALE_FREE: COMPLETED_P_LR},  # batch size and duration scale lr only
    "mup_moe": {SCALE_FREE: MUP_MOE},
    "simplep_moe": {SCALE_FREE: SIMPLEP_MOE},
    "completep_moe": {SCALE_FREE: COMPLETEP_MOE},
    "spectral": {SCALE_FREE: SPECTRAL},
    "spectral_depth": {SCALE_FREE: SPECTRAL_DEPTH},
    "mup_muon": {SCALE_FREE: MUP_MUON},
    "mup_moonlight": {SCALE_FREE: MUP_MOONLIGHT},
    "as_built": {SGD: AS_BUILT_SGD, SCALE_FREE: AS_BUILT},
}
