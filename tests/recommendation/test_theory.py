"""What tables and theories say of the best learning rate."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.recommendation import observed

from hypertransfer.parameterisation.algebra import Power, Ratios, Role
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE, SGD
from hypertransfer.recommendation.theory import (
    CARRIED,
    THEORY,
    UNKNOWN,
    Slope,
    carried,
    carried_by,
    theory,
    width_power,
)

ALL = {"width", "depth", "batch", "duration"}


@pytest.mark.parametrize("family", [SGD, SCALE_FREE])
@pytest.mark.parametrize(
    ("name", "wanted"),
    [("sp", set()), ("ntp", set()), ("mup", {"width"}), ("depth_mup", {"width", "depth"})],
)
def test_tables_of_the_papers(family, name, wanted):
    assert carried(PARAMETERISATIONS[name][family]) == wanted


def test_completed_p_carries_all_and_completep_width_and_depth():
    assert carried(PARAMETERISATIONS["completed_p"][SCALE_FREE]) == ALL
    assert carried(PARAMETERISATIONS["completep"][SCALE_FREE]) == {"width", "depth"}


@pytest.mark.parametrize("family", [SGD, SCALE_FREE])
def test_an_equivalent_table_carries_the_same(family):
    table = PARAMETERISATIONS["mup"][family]
    assert carried(table.unit()) == {"width"}
    assert carried(table.shifted(Role.HIDDEN, Power(width=0.3))) == {"width"}


@pytest.mark.parametrize("name", ["spectral", "mup_muon"])
def test_norms_of_the_optimizer_carry_the_width(name):
    assert "width" in carried(PARAMETERISATIONS[name][SCALE_FREE])


def test_a_dimension_whose_base_follows_the_size_is_not_carried():
    table = PARAMETERISATIONS["completed_p"][SCALE_FREE]
    found = observed({16: -4.0, 32: -4.0})
    assert carried_by(table, found) == ALL
    following = [dataclasses.replace(one, ratios=Ratios()) for one in found]
    assert carried_by(table, following) == ALL - {"width"}


def test_theory_gives_the_powers_of_sp_under_adam():
    slopes = theory(PARAMETERISATIONS["sp"][SCALE_FREE], observed({16: -4.0, 32: -4.0}))
    assert slopes == {
        "width": Slope(THEORY, -1.0),
        "depth": Slope(UNKNOWN),
        "batch": Slope(THEORY, 0.5),
        "duration": Slope(THEORY, -0.5),
    }


def test_of_sgd_no_theory_is_used():
    slopes = theory(PARAMETERISATIONS["mup"][SGD], observed({16: -4.0, 32: -4.0}))
    assert slopes == {"width": Slope(CARRIED)} | dict.fromkeys(
        ("depth", "batch", "duration"), Slope(UNKNOWN)
    )


@pytest.mark.parametrize(
    ("name", "family", "power"),
    [
        ("sp", SCALE_FREE, -1),
        ("ntp", SCALE_FREE, -0.5),
        ("mup", SCALE_FREE, 0),
        ("spectral", SCALE_FREE, 0),
        ("sp", SGD, 0),
        ("ntp", SGD, 1),
    ],
)
def test_mups_rule_for_hidden_weights(name, family, power):
    assert width_power(PARAMETERISATIONS[name][family]) == power
