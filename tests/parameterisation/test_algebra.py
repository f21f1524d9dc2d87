"""The algebra of parameterisations: powers, rules, products, and the abc symmetry."""

import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.powers import exponents, powers, ratios, roles

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
    COMPLETED_P,
    DEPTH_MUP_ADAM,
    MUP_ADAM,
    MUP_SGD,
    SCALE_FREE,
    W,
    depth,
)

rules = st.builds(Rule, powers, powers, powers, powers, powers)

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
    words = r"mup for gradient power 1\.0 by depth.*for gradient power 0\.0"
    with pytest.raises(ValueError, match=words):
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


def test_a_beta_out_of_range_is_refused_and_explained():
    assert COMPLETED_P.betas((0.9, 0.95), Ratios(batch=4)) == pytest.approx((0.6, 0.8))
    assert COMPLETED_P.betas((0.9,), Ratios(batch=4, duration=4)) == (0.9,)
    with pytest.raises(ValueError, match=r"β1 = 1 − 12 · \(1 − 0.9\) = -0.2.*at most 10"):
        COMPLETED_P.betas((0.9, 0.999), Ratios(batch=12))
    assert MUP_ADAM.betas((0.9, 0.999), Ratios(batch=1000)) == (0.9, 0.999)
