"""What tables and theories say of the best learning rate."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.recommendation import observed

from hypertransfer.catalogue.cards.lmo_presets import PRESETS
from hypertransfer.parameterisation.algebra import Power, Role
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE, SGD
from hypertransfer.recommendation.theory import (
    CARRIED,
    THEORY,
    UNKNOWN,
    Slope,
    dimensions,
    following,
    hidden_power,
    theory,
    width_power,
)
from hypertransfer.runs.spec import Component

ALL = {"width", "depth", "batch", "duration"}


@pytest.mark.parametrize("family", [SGD, SCALE_FREE])
@pytest.mark.parametrize(
    ("name", "wanted"),
    [("sp", set()), ("ntp", set()), ("mup", {"width"}), ("depth_mup", {"width", "depth"})],
)
def test_tables_of_the_papers(family, name, wanted):
    assert dimensions(PARAMETERISATIONS[name][family]) == wanted


def test_completed_p_carries_all_and_completep_width_and_depth():
    assert dimensions(PARAMETERISATIONS["completed_p"][SCALE_FREE]) == ALL
    assert dimensions(PARAMETERISATIONS["completep"][SCALE_FREE]) == {"width", "depth"}


@pytest.mark.parametrize("family", [SGD, SCALE_FREE])
def test_an_equivalent_table_carries_the_same(family):
    table = PARAMETERISATIONS["mup"][family]
    assert dimensions(table.unit()) == {"width"}
    assert dimensions(table.shifted(Role.HIDDEN, Power(width=0.3))) == {"width"}


@pytest.mark.parametrize("name", ["spectral", "mup_muon"])
def test_norms_of_the_optimizer_carry_the_width(name):
    assert "width" in dimensions(PARAMETERISATIONS[name][SCALE_FREE])


def of(name, optimizer, family=SCALE_FREE, found=None, **options):
    found = found or observed({16: -4.0, 32: -4.0})
    return theory(PARAMETERISATIONS[name][family], Component(optimizer, options), found)


def test_a_dimension_whose_base_follows_the_size_is_not_carried():
    found = observed({16: -4.0, 32: -4.0})
    assert following(found) == frozenset()
    assert of("completed_p", "adamw") == dict.fromkeys(ALL, Slope(CARRIED))
    own = [dataclasses.replace(one, base=(*one.base[:2], *one.size[2:])) for one in found]
    assert following(own) == {"batch_size", "steps"}
    slopes = of("completed_p", "adamw", found=own)
    assert (slopes["batch"], slopes["duration"]) == (Slope(THEORY, 0.5), Slope(THEORY, -0.5))
    half = [dataclasses.replace(one, base=(*one.base[:2], one.size[2], 7)) for one in found]
    slopes = of("completed_p", "adamw", found=half)
    assert (slopes["batch"], slopes["duration"]) == (Slope(UNKNOWN), Slope(UNKNOWN))
    wide = [dataclasses.replace(one, base=(one.size[0], *one.base[1:])) for one in found]
    assert of("completed_p", "adamw", found=wide)["width"] == Slope(UNKNOWN)


@pytest.mark.parametrize(
    ("table", "optimizer", "options", "slope"),
    [
        ("mup", "adamw", {}, Slope(CARRIED)),
        ("sp", "lion", {}, Slope(THEORY, -1.0)),
        ("ntp", "adam", {}, Slope(THEORY, -0.5)),
        ("sp", "moonlight", {}, Slope(THEORY, -0.5)),
        ("sp", "signum", {}, Slope(THEORY, -1.0)),
        ("sp", "muon", {}, Slope(THEORY, 0.0)),
        ("spectral", "scion", {}, Slope(CARRIED)),
        ("mup_muon", "muon", {}, Slope(CARRIED)),
        ("mup_muon", "muon", {"norms": {"hidden": "moonlight"}}, Slope(THEORY, -0.5)),
        ("mup_moonlight", "moonlight", {}, Slope(CARRIED)),
        ("sp", "my_optimizers:mine", {}, Slope(UNKNOWN)),
    ],
)
def test_the_optimizer_decides_with_the_table(table, optimizer, options, slope):
    assert of(table, optimizer, **options)["width"] == slope


def test_theory_gives_the_powers_of_sp_under_adam():
    slopes = of("sp", "adam")
    assert slopes == {
        "width": Slope(THEORY, -1.0),
        "depth": Slope(UNKNOWN),
        "batch": Slope(THEORY, 0.5),
        "duration": Slope(THEORY, -0.5),
    }


def test_of_sgd_no_theory_is_used():
    slopes = of("mup", "sgd", SGD)
    assert slopes == {"width": Slope(CARRIED)} | dict.fromkeys(
        ("depth", "batch", "duration"), Slope(UNKNOWN)
    )


@pytest.mark.parametrize(
    ("name", "family", "optimizer", "power"),
    [
        ("sp", SCALE_FREE, "adam", -1),
        ("ntp", SCALE_FREE, "adam", -0.5),
        ("mup", SCALE_FREE, "adam", 0),
        ("spectral", SCALE_FREE, "scion", 0),
        ("sp", SGD, "sgd", 0),
        ("ntp", SGD, "sgd", 1),
    ],
)
def test_mups_rule_for_hidden_weights(name, family, optimizer, power):
    assert width_power(PARAMETERISATIONS[name][family], Component(optimizer)) == power


def test_every_norm_of_a_preset_is_known_or_has_no_theory():
    found = {name: hidden_power(Component(name)) for name in PRESETS}
    assert {name for name, power in found.items() if power is None} == {"normalized_sgd", "lars"}
