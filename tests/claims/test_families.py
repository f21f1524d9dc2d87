"""Families of measures: found by name, and independent of each other."""

import pytest

from hypertransfer.claims.families import FAMILIES, family_of, measures
from hypertransfer.planning.fingerprint import fingerprint


def test_every_measure_is_of_a_family():
    assert {family_of(name) for name in measures()} == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_does_not_depend_on_the_code_of_another(family: str):
    assert set(FAMILIES) & set(fingerprint(family)) == {family}
