"""Levels of looks: they spend the error of one interval, and only on claims that are looked at."""

from __future__ import annotations

import pytest

from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.analysis.looks import ONCE, Looks


@pytest.mark.parametrize(
    ("seeds", "levels"),
    [
        ((5,), (0.95,)),
        ((4, 10), (0.99, 0.96)),
        ((3, 6, 12), (0.995, 0.995, 0.96)),
    ],
)
def test_the_last_look_has_four_fifths_of_the_error(seeds, levels):
    found = Looks(seeds).levels
    assert found == pytest.approx(levels)
    assert sum(1 - level for level in found) == pytest.approx(1 - LEVEL)


@pytest.mark.parametrize(
    ("count", "level"), [(2, 0.99), (4, 0.99), (9, 0.99), (10, 0.96), (40, 0.96)]
)
def test_a_count_has_the_level_of_the_largest_number_that_it_reaches(count, level):
    assert Looks((4, 10)).level_for(count) == pytest.approx(level)


def test_claims_that_are_tested_once_and_other_units_keep_the_level():
    looks = Looks((4, 10), {"a"})
    seeds, groups = (Estimate(0, -1, 1, 4, over) for over in ("seeds", "groups"))
    assert looks.level_of("a", seeds) == pytest.approx(0.99)
    assert looks.level_of("a", groups) == looks.level_of("b", seeds) == LEVEL
    assert ONCE.level_of("a", seeds) == LEVEL


@pytest.mark.parametrize("seeds", [(), (4, 4), (10, 4)])
def test_numbers_of_seeds_ascend(seeds):
    with pytest.raises(ValueError, match="numbers of seeds must ascend"):
        Looks(seeds)
