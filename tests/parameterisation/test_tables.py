"""Tables cell by cell against the papers."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.powers import ratios, roles

from hypertransfer.parameterisation.algebra import (
    ONE,
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

every_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())


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


def cells(table, field):
    """Exponents (width, depth) of one column."""
    powers = {role: getattr(table.rules[role], field) for role in Role}
    return {role.value: (power.width, power.depth) for role, power in powers.items()}


def over_width(input, hidden, output, vector=None, finite=0.0):
    """A column without depth; vectors scale as input weights do, routers as outputs.

    Hidden matrices of which one dimension grows scale as outputs or inputs, with that dimension.
    """
    vector = input if vector is None else vector
    row = (input, hidden, output, vector, vector, finite, finite, output, hidden, hidden)
    row = (*row, output, input, finite)
    return {role.value: (exponent, 0.0) for role, exponent in zip(Role, row, strict=True)}


def over_depth(table, field):
    """The depth exponents of a column, which is one number: all roles in a branch share it."""
    (exponent,) = {d for _, d in cells(table, field).values()}
    return exponent


def folded(table):
    """The form in which the readout has no multiplier (Yang et al. 2203.03466, Table 3)."""
    for role in (Role.OUTPUT, Role.ROUTER, Role.NARROWING):
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
    below = {
        Role.INPUT,
        Role.HIDDEN,
        Role.VECTOR,
        Role.FINAL_VECTOR,
        Role.EXPERT_UP,
        Role.EXPERT_DOWN,
        Role.WIDENING,
    }
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


def test_complete_p_hidden_row():
    """Dey et al. 2505.01618, α = 1: lr/m_N, weight decay·m_N, eps/(m_N·m_L)."""
    hidden = (MUP_ADAM * depth(1.0, SCALE_FREE)).rules[Role.HIDDEN]
    assert hidden.lr == W(-1)
    assert hidden.weight_decay == W(+1)
    assert hidden.eps == W(-1) * D(-1)
    assert hidden.init_std == W(-1 / 2)
