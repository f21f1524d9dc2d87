"""Powers, rules and tables: their algebra, and the published tables cell by cell."""

import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypertransfer.parameterisation.algebra import (
    CLASSES,
    ONE,
    Parameterisation,
    Power,
    Ratios,
    Role,
    Rule,
)
from hypertransfer.parameterisation.tables import (
    ADAM_SDE,
    COMPLETED_P,
    COMPLETED_P_HALF,
    COMPLETED_P_SHAPE,
    COMPLETEP_ADAM,
    COMPLETEP_HALF,
    DEPTH_MUP_ADAM,
    DEPTH_MUP_SGD,
    MUP_ADAM,
    MUP_SGD,
    NTP_ADAM,
    NTP_SGD,
    PARAMETERISATIONS,
    SCALE_FREE,
    SGD,
    SP_ADAM,
    SP_SGD,
    D,
    W,
    depth,
)

TABLES = {
    f"{name}-{'sgd' if power else 'adam'}": table
    for name, versions in PARAMETERISATIONS.items()
    for power, table in versions.items()
}
DRAWN = (Role.INPUT, Role.HIDDEN, Role.OUTPUT)

# Quarters are exact in binary, so that exponents can be compared with ==.
exponents = st.integers(-12, 12).map(lambda quarters: quarters / 4)
powers = st.builds(Power, exponents, exponents, exponents, exponents)
rules = st.builds(Rule, powers, powers, powers, powers, powers)
ratios = st.builds(Ratios, *[st.floats(0.05, 20)] * 4)
roles = st.sampled_from(Role)
gradient_powers = st.sampled_from([1.0, 0.0, -1.0])


@st.composite
def tables(draw, gradient_power=gradient_powers):
    return Parameterisation(
        name=draw(st.sampled_from("abc")),
        gradient_power=draw(gradient_power),
        source="hypothesis",
        rules={role: draw(rules) for role in Role},
        residual_multiplier=draw(powers),
    )


every_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())


# Powers ------------------------------------------------------------------------------------


@given(powers, powers, ratios)
def test_product_of_powers_multiplies_values(a, b, at):
    assert (a * b).at(at) == pytest.approx(a.at(at) * b.at(at), rel=1e-9)
    assert a * b == b * a
    assert a * ONE == a


@given(powers, exponents, ratios)
def test_power_of_a_power_is_the_power_of_its_value(a, exponent, at):
    assert (a**exponent).at(at) == pytest.approx(a.at(at) ** exponent, rel=1e-9)
    assert a * a**-1 == ONE


def test_value_of_a_power_in_closed_form():
    power = Power(width=-0.5, depth=2, batch=1, duration=-1)
    at = Ratios(width=16, depth=3, batch=10, duration=5)
    assert power.at(at) == pytest.approx(1 / 4 * 9 * 10 / 5)


@given(powers)
def test_every_power_is_one_at_the_base_shape(power):
    assert power.at(Ratios()) == 1.0


@pytest.mark.parametrize("name", [f.name for f in fields(Ratios)])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_ratios_that_are_not_positive_are_refused(name, value):
    with pytest.raises(ValueError, match=f"ratio {name} must be positive"):
        Ratios(**{name: value})


# Rules and tables --------------------------------------------------------------------------


@given(rules, rules)
def test_product_of_rules_adds_exponents_field_by_field(a, b):
    for f in fields(Rule):
        x, y, product = (getattr(rule, f.name) for rule in (a, b, a * b))
        for g in fields(Power):
            assert getattr(product, g.name) == getattr(x, g.name) + getattr(y, g.name)
    assert a * Rule() == a


@given(st.data(), gradient_powers)
def test_product_of_tables_multiplies_every_rule_and_the_residual_multiplier(data, p):
    a, b = (data.draw(tables(st.just(p))) for _ in range(2))
    product = a * b
    assert product.gradient_power == p
    assert product.residual_multiplier == a.residual_multiplier * b.residual_multiplier
    assert all(product.rules[role] == a.rules[role] * b.rules[role] for role in Role)
    assert dict((b * a).rules) == dict(product.rules)


def test_product_of_tables_for_different_optimizers_is_refused():
    with pytest.raises(ValueError, match=r"mup is for gradient power 1\.0, depth.*for 0\.0"):
        MUP_SGD * depth(1 / 2, SCALE_FREE)


@pytest.mark.parametrize("missing", [role for role in Role if role not in CLASSES])
def test_a_table_without_a_role_is_refused_by_name(missing):
    with pytest.raises(ValueError, match=rf"'partial' has no rule for {missing.value}:"):
        Parameterisation("partial", 1.0, "", {r: Rule() for r in Role if r is not missing})


@pytest.mark.parametrize(("role", "like"), CLASSES.items())
def test_parts_of_experts_are_treated_as_their_class_where_a_table_is_silent(role, like):
    rules = {r: Rule(lr=W(i)) for i, r in enumerate(Role) if r not in CLASSES}
    table = Parameterisation("dense", 1.0, "", rules)
    assert table.rules[role] == rules[like]
    own = Parameterisation("own", 1.0, "", {**rules, role: Rule(eps=W(3))})
    assert own.rules[role] == Rule(eps=W(3))


def test_every_missing_role_is_named():
    with pytest.raises(ValueError, match="hidden, output, vector, final_vector, readout_bias"):
        Parameterisation("partial", 1.0, "", {Role.INPUT: Rule()})


def test_rules_may_be_given_by_name_and_cannot_be_changed():
    table = Parameterisation("mine", 1.0, "", {role.value: Rule() for role in Role})
    assert table.rules[Role.HIDDEN] == Rule()
    with pytest.raises(TypeError):
        table.rules[Role.HIDDEN] = Rule(lr=W(1))


@every_table
def test_every_table_is_the_identity_at_the_base_shape(table):
    for form in (table, table.unit()):
        cells = [getattr(rule, f.name) for rule in form.rules.values() for f in fields(Rule)]
        assert all(cell.at(Ratios()) == 1.0 for cell in [*cells, form.residual_multiplier])


@pytest.mark.parametrize("name", PARAMETERISATIONS)
def test_every_parameterisation_serves_scale_free_updates_and_most_sgd(name):
    versions = PARAMETERISATIONS[name]
    first = ("completed_p", "completep_half", "spectral", "mup_")
    only = name.startswith(first) or name.endswith("_moe")
    assert set(versions) == ({SCALE_FREE} if only else {SGD, SCALE_FREE})
    for power, table in versions.items():
        assert table.gradient_power == power
        assert table.name == name
        assert table.source


def test_plain_values_name_every_role_and_leave_out_zero_exponents():
    plain = DEPTH_MUP_ADAM.as_dict()
    assert plain["residual_multiplier"] == {"depth": -0.5}
    assert plain["rules"]["hidden"] == {
        "multiplier": {},
        "init_std": {"width": -0.5},
        "lr": {"width": -1.0, "depth": -0.5},
        "weight_decay": {"width": 1.0, "depth": 0.5},
        "eps": {"width": -1.0, "depth": -0.5},
    }
    assert set(plain["rules"]) == {role.value for role in Role}


# The abc symmetry, as algebra --------------------------------------------------------------


@given(tables(), roles, powers)
def test_a_shift_and_its_inverse_are_the_identity(table, role, s):
    shifted = table.shifted(role, s)
    assert shifted.shifted(role, s**-1) == table
    others = [other for other in Role if other is not role]
    assert all(shifted.rules[other] == table.rules[other] for other in others)


@given(tables(), roles, powers, powers)
def test_shifts_compose(table, role, s, t):
    assert table.shifted(role, s).shifted(role, t) == table.shifted(role, s * t)


@given(tables(), roles, powers)
def test_a_shift_keeps_the_effective_weight_the_shrinkage_and_the_effective_step(table, role, s):
    old, new, p = table.rules[role], table.shifted(role, s).rules[role], table.gradient_power
    assert new.multiplier * new.init_std == old.multiplier * old.init_std
    assert new.lr * new.weight_decay == old.lr * old.weight_decay
    # a step of the effective weight is multiplier · lr · (multiplier · gradient)^p
    assert new.lr * new.multiplier ** (1 + p) == old.lr * old.multiplier ** (1 + p)
    assert new.eps * new.multiplier**-1 == old.eps * old.multiplier**-1


@given(tables())
def test_the_unit_form_has_no_init_exponent_and_the_same_effective_weights(table):
    unit = table.unit()
    for role in Role:
        assert unit.rules[role].init_std == ONE
        old = table.rules[role]
        assert unit.rules[role].multiplier == old.multiplier * old.init_std
    assert unit.unit() == unit


# Published tables, cell by cell ------------------------------------------------------------


def cells(table, field):
    """Exponents (width, depth) of one column."""
    powers = {role: getattr(table.rules[role], field) for role in Role}
    return {role.value: (power.width, power.depth) for role, power in powers.items()}


def over_width(input, hidden, output, vector=None, finite=0.0):
    """A column without depth; vectors scale as input weights do, routers as outputs."""
    vector = input if vector is None else vector
    row = (input, hidden, output, vector, vector, finite, finite, output, hidden, hidden)
    return {role.value: (exponent, 0.0) for role, exponent in zip(Role, row, strict=True)}


def over_depth(table, field):
    """The depth exponents of a column, which is one number: all roles in a branch share it."""
    (exponent,) = {d for _, d in cells(table, field).values()}
    return exponent


def folded(table):
    """The form in which the readout has no multiplier (Yang et al. 2203.03466, Table 3)."""
    for role in (Role.OUTPUT, Role.ROUTER):
        table = table.shifted(role, table.rules[role].multiplier ** -1)
    return table


# Yang et al. 2203.03466: standard deviations, where the paper prints variances.
TENSOR_PROGRAMS_V = [
    # SP: variance 1/fan_in, learning rate 1
    (SP_SGD, "init_std", over_width(0, -1 / 2, -1 / 2)),
    (SP_SGD, "lr", over_width(0, 0, 0)),
    (SP_SGD, "multiplier", over_width(0, 0, 0)),
    (SP_ADAM, "init_std", over_width(0, -1 / 2, -1 / 2)),
    (SP_ADAM, "lr", over_width(0, 0, 0)),
    (SP_ADAM, "multiplier", over_width(0, 0, 0)),
    # Table 3: variance of the output 1/fan_in²; SGD fan_out, 1, 1/fan_in; Adam 1, 1/fan_in twice
    (folded(MUP_SGD), "init_std", over_width(0, -1 / 2, -1)),
    (folded(MUP_SGD), "lr", over_width(1, 0, -1)),
    (folded(MUP_SGD), "multiplier", over_width(0, 0, 0)),
    (folded(MUP_ADAM), "init_std", over_width(0, -1 / 2, -1)),
    (folded(MUP_ADAM), "lr", over_width(0, -1, -1)),
    (folded(MUP_ADAM), "multiplier", over_width(0, 0, 0)),
    # Table 8: output of variance 1, multiplier 1/fan_in; SGD fan_in, Adam 1
    (MUP_SGD, "init_std", over_width(0, -1 / 2, 0)),
    (MUP_SGD, "lr", over_width(1, 0, 1)),
    (MUP_SGD, "multiplier", over_width(0, 0, -1)),
    (MUP_ADAM, "init_std", over_width(0, -1 / 2, 0)),
    (MUP_ADAM, "lr", over_width(0, -1, 0)),
    (MUP_ADAM, "multiplier", over_width(0, 0, -1)),
]

# Noci et al. 2402.17457, whose weights are all N(0, 1).
SUPER_CONSISTENCY = [
    (NTP_SGD.unit(), "multiplier", over_width(0, -1 / 2, -1 / 2)),
    (NTP_SGD.unit(), "lr", over_width(0, 0, 0)),
    (NTP_SGD.unit(), "weight_decay", over_width(0, 0, 0)),
    (MUP_SGD.unit(), "multiplier", over_width(0, -1 / 2, -1)),
    (MUP_SGD.unit(), "lr", over_width(1, 1, 1)),  # η0·γ² for every weight, with γ² ∝ N
    (MUP_SGD.unit(), "weight_decay", over_width(-1, -1, -1)),  # λ/γ²
    (NTP_ADAM.unit(), "multiplier", over_width(0, -1 / 2, -1 / 2)),
    (NTP_ADAM.unit(), "lr", over_width(0, 0, 0)),
    (MUP_ADAM.unit(), "multiplier", over_width(0, -1 / 2, -1)),
    (MUP_ADAM.unit(), "lr", over_width(0, -1 / 2, 0)),
]


@pytest.mark.parametrize(("table", "field", "expected"), TENSOR_PROGRAMS_V)
def test_tensor_programs_v(table, field, expected):
    assert cells(table, field) == expected


@pytest.mark.parametrize(("table", "field", "expected"), SUPER_CONSISTENCY)
def test_super_consistency_in_the_unit_form(table, field, expected):
    assert cells(table, field) == expected
    assert all(table.rules[role].init_std == ONE for role in Role)


def test_mup_and_ntp_differ_by_gamma_alone_in_the_unit_form():
    """γ = √m_N divides the readout and multiplies every learning rate by γ² (SGD)."""
    gamma, mup, ntp = W(1 / 2), MUP_SGD.unit(), NTP_SGD.unit()
    for role in DRAWN:
        readout = gamma**-1 if role in (Role.OUTPUT, Role.ROUTER) else ONE
        assert mup.rules[role].multiplier == ntp.rules[role].multiplier * readout
        assert mup.rules[role].lr == ntp.rules[role].lr * gamma**2


@pytest.mark.parametrize("table", [MUP_ADAM, NTP_ADAM], ids=["mup", "ntp"])
def test_eps_follows_the_gradient_by_each_weight(table):
    """In any form, |gradient by w| ∝ multiplier · dL/d(effective weight), so eps must too.

    dL/d(effective weight) is, per entry, ∝ 1 for the readout; for layers below it carries the
    readout's effective entries: 1/m_N in µP, 1/√m_N in NTP.
    """
    readout = table.rules[Role.OUTPUT].multiplier * table.rules[Role.OUTPUT].init_std
    below = {Role.INPUT, Role.HIDDEN, Role.VECTOR, Role.FINAL_VECTOR, Role.EXPERT_UP,
             Role.EXPERT_DOWN}  # fmt: skip
    for role, rule in table.rules.items():
        gradient = readout if role in below else ONE
        assert rule.eps == gradient * rule.multiplier


def test_decoupled_decay_shrinks_alike_at_every_width():
    for table in TABLES.values():
        for rule in table.rules.values():
            assert (rule.lr * rule.weight_decay).width == 0


@pytest.mark.parametrize(
    ("alpha", "gradient_power", "lr"),
    [
        (1 / 2, SGD, 0.0),  # Depth-µP: learning rate constant for SGD
        (1 / 2, SCALE_FREE, -1 / 2),  # and 1/√L for Adam
        (1.0, SGD, 1.0),  # CompleteP: ∝ L for SGD
        (1.0, SCALE_FREE, 0.0),  # and constant for Adam
    ],
)
def test_depth_tables(alpha, gradient_power, lr):
    table = depth(alpha, gradient_power)
    assert table.residual_multiplier == D(-alpha)
    assert over_depth(table, "lr") == lr
    assert over_depth(table, "weight_decay") == -lr
    assert over_depth(table, "eps") == (0.0 if gradient_power else -alpha)
    assert over_depth(table, "init_std") == over_depth(table, "multiplier") == 0.0


# Małaśnicki et al. 2508.09752 and their code; Jiang et al. 2601.20205: (width, granularity) of the
# init standard deviation, the learning rate and the multiplier.
EXPERTS = {
    "mup_moe": {
        "router": ((0, 0), (0, 0), (-1, 0)),
        "expert_up": ((-1 / 2, 0), (-1, 0), (0, 0)),
        "expert_down": ((-1 / 2, 1 / 2), (-1, 0), (0, 0)),
    },
    "simplep_moe": {
        "router": ((0, 0), (0, 0), (0, 0)),
        "expert_up": ((-1 / 2, 0), (-1, 0), (0, 0)),
        "expert_down": ((-1 / 2, 0), (-1, 0), (0, 0)),
    },
    "completep_moe": {
        "router": ((-1, 0), (-1, 0), (0, 0)),
        "expert_up": ((-1 / 2, 0), (-1, 0), (0, 0)),
        "expert_down": ((-1 / 2, 1), (-1, 1), (0, 0)),
    },
}


@pytest.mark.parametrize("name", EXPERTS)
@pytest.mark.parametrize("role", ["router", "expert_up", "expert_down"])
def test_tables_of_experts(name, role):
    rule = PARAMETERISATIONS[name][SCALE_FREE].rules[Role(role)]
    found = [(p.width, p.granularity) for p in (rule.init_std, rule.lr, rule.multiplier)]
    assert found == list(EXPERTS[name][role])


def test_the_two_forms_of_a_router_are_one_network():
    """A multiplier of 1/m_N, or 1/m_N in weights and updates: Jiang's table, and µP's."""
    mup = PARAMETERISATIONS["mup_moe"][SCALE_FREE].rules[Role.ROUTER]
    jiang = PARAMETERISATIONS["completep_moe"][SCALE_FREE].rules[Role.ROUTER]
    for name in ("multiplier", "init_std", "lr", "weight_decay"):
        assert getattr(mup.shifted(W(1), SCALE_FREE), name).width == getattr(jiang, name).width


@pytest.mark.parametrize(("table", "mup"), [(DEPTH_MUP_SGD, MUP_SGD), (DEPTH_MUP_ADAM, MUP_ADAM)])
def test_depth_mup_is_mup_over_width_and_one_over_root_depth_in_branches(table, mup):
    assert mup.residual_multiplier == ONE
    assert table.residual_multiplier == D(-1 / 2)
    for field in (f.name for f in fields(Rule)):
        widths = {role: width for role, (width, _) in cells(table, field).items()}
        assert widths == {role: width for role, (width, _) in cells(mup, field).items()}
    hidden = table.unit().rules[Role.HIDDEN]
    adam = table.gradient_power == 0
    assert hidden.lr == (W(-1 / 2) * D(-1 / 2) if adam else W(+1))


# Complete(d)P and its kin, cell by cell --------------------------------------------------------

ROWS = ["input", "hidden", "output", "vector", "final_vector", "readout_bias", "qk_gain"]


def column(table, field):
    """Exponents (width, depth, batch, duration) of the roles in the order of ROWS."""
    powers = [getattr(table.rules[Role(role)], field) for role in ROWS]
    return [(p.width, p.depth, p.batch, p.duration) for p in powers]


@pytest.mark.parametrize("alpha", [1 / 2, 1.0])
def test_completed_p_is_table_1_of_the_paper(alpha):
    """Mlodozeniec et al. 2512.22382, Table 1; depth powers reach parameters in blocks alone."""
    table = {1 / 2: COMPLETED_P_HALF, 1.0: COMPLETED_P}[alpha]
    lr, eps = alpha - 1, -alpha
    widths = {
        "init_std": [0, -1 / 2, -1, 0, 0, 0, 0],
        "lr": [0, -1, -1, 0, 0, 0, 0],
        "weight_decay": [0, 1, 1, 0, 0, 0, 0],
        "eps": [-1, -1, 0, -1, 0, 0, 0],
        "multiplier": [0] * 7,
    }
    rest = {  # depth, batch, duration
        "init_std": (0, 0, 0),
        "lr": (lr, 1 / 2, -1 / 2),
        "weight_decay": (0, 1 / 2, -1 / 2),
        "eps": (eps, -1 / 2, 1 / 2),
        "multiplier": (0, 0, 0),
    }
    for field, row in widths.items():
        assert column(table, field) == [(width, *rest[field]) for width in row], field
    assert table.residual_multiplier == D(-alpha)
    assert table.forgetting == Power(batch=1, duration=-1)


@pytest.mark.parametrize(("table", "alpha"), [(COMPLETEP_HALF, 1 / 2), (COMPLETEP_ADAM, 1.0)])
def test_completep_is_table_1_of_its_paper(table, alpha):
    """Dey et al. 2505.01618, Table 1: the readout has a multiplier, eps scales in blocks alone."""
    assert [w for w, *_ in column(table, "multiplier")] == [0, 0, -1, 0, 0, 0, 0]
    assert [w for w, *_ in column(table, "init_std")] == [0, -1 / 2, 0, 0, 0, 0, 0]
    assert [w for w, *_ in column(table, "lr")] == [0, -1, 0, 0, 0, 0, 0]
    assert [w for w, *_ in column(table, "weight_decay")] == [0, 1, 0, 0, 0, 0, 0]
    assert [w for w, *_ in column(table, "eps")] == [0, -1, 0, -1, 0, 0, -1]
    assert {d for _, d, *_ in column(table, "lr")} == {alpha - 1}
    assert {d for _, d, *_ in column(table, "weight_decay")} == {0}
    assert {d for _, d, *_ in column(table, "eps")} == {-alpha}
    assert table.residual_multiplier == D(-alpha)
    assert table.forgetting == ONE


def test_completed_ps_readout_is_mups_with_the_multiplier_folded():
    assert COMPLETED_P_SHAPE.rules[Role.OUTPUT].eps.width == 0
    ours = COMPLETED_P_SHAPE.rules[Role.OUTPUT]
    theirs = (folded(MUP_ADAM) * depth(1, SCALE_FREE)).rules[Role.OUTPUT]
    assert ours == theirs


@given(ratios, roles, st.floats(0.5, 0.999))
def test_the_sde_rule_keeps_what_a_change_of_batch_and_duration_must_keep(at, role, beta):
    """The invariants of the SDE, with steps ∝ m_D/m_B and lr the square root of the time step."""
    steps = at.duration / at.batch
    rule = ADAM_SDE.rules[role]
    lr, decay, eps = (getattr(rule, name).at(at) for name in ("lr", "weight_decay", "eps"))
    assert steps * lr**2 == pytest.approx(1)  # the horizon
    assert lr * eps == pytest.approx(1)  # the noise's scale, which eps is compared with
    assert decay / lr == pytest.approx(1)
    assert steps * lr * decay == pytest.approx(1)  # Wang and Aitchison 2405.13698, in one pass
    if steps > 1.0001 * (1 - beta):  # else a beta would be negative
        (scaled,) = ADAM_SDE.betas((beta,), at)
        assert (1 - scaled) / (1 - beta) == pytest.approx(lr**2)
    alike = Ratios(at.width, at.depth, at.batch, at.batch)  # as many steps, more data in each
    assert {getattr(rule, f.name).at(alike) for f in fields(Rule)} == {1.0}
    assert ADAM_SDE.betas((beta,), alike) == (beta,)


def test_a_beta_out_of_range_is_refused_and_explained():
    assert COMPLETED_P.betas((0.9, 0.95), Ratios(batch=4)) == pytest.approx((0.6, 0.8))
    assert COMPLETED_P.betas((0.9,), Ratios(batch=4, duration=4)) == (0.9,)
    with pytest.raises(ValueError, match=r"β1 = 1 − 12 · \(1 − 0.9\) = -0.2.*at most 10"):
        COMPLETED_P.betas((0.9, 0.999), Ratios(batch=12))
    assert MUP_ADAM.betas((0.9, 0.999), Ratios(batch=1000)) == (0.9, 0.999)


def test_complete_p_hidden_row():
    """Dey et al. 2505.01618, α = 1: lr/m_N, weight decay·m_N, eps/(m_N·m_L)."""
    hidden = (MUP_ADAM * depth(1.0, SCALE_FREE)).rules[Role.HIDDEN]
    assert hidden.lr == W(-1)
    assert hidden.weight_decay == W(+1)
    assert hidden.eps == W(-1) * D(-1)
    assert hidden.init_std == W(-1 / 2)
