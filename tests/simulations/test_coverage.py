"""Intervals cover the truth as often as they say, and verdicts on the bar are rarely false."""

import math

import pytest
from tests.simulations.coverage import coverage
from tests.simulations.scenarios import SCENARIOS

DRAWS = 400
QUICK = 60  # of sweeps, whose curves take long to fit
SIGMAS = 3.1  # one entry in a thousand falls outside by chance
SWEEPS = (
    "shift octaves symmetric",
    "shift octaves 4× steeper above",
    "shift octaves diverging",
    "shift octaves edge",
    "shift half octaves 16× steeper above",
    "shift wobbling",
    "shift late seeds",
    "slope octaves",
)
OTHERS = [name for name in SCENARIOS if not name.startswith(("shift", "slope"))]


def bounds(share, draws):
    """The largest deviation of a share in so many draws that chance explains."""
    return SIGMAS * math.sqrt(share * (1 - share) / draws)


@pytest.mark.parametrize("name", [*OTHERS, *SWEEPS])
def test_intervals_cover_as_often_as_they_say(name):
    scenario, draws = SCENARIOS[name], QUICK if name in SWEEPS else DRAWS
    for seeds in scenario.seeds:
        found = coverage(name, seeds, draws)
        assert found.covered >= 0.95 - bounds(0.95, draws), (seeds, found)
        if not scenario.wider:
            assert found.covered <= 0.97 + bounds(0.97, draws), (seeds, found)
        # Wholly on one side of the truth: a false verdict, were the truth the bar.
        assert max(found.below, found.above) <= 0.05 + bounds(0.05, draws), (seeds, found)


def test_a_draw_depends_on_its_arguments_alone():
    first, again = (coverage("lead over 1", 3, 20) for _ in range(2))
    assert first == again
    assert first.width != coverage("lead over 1", 5, 20).width
