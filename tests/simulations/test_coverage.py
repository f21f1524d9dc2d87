"""Intervals cover the truth as often as they say, and verdicts on the bar are rarely false."""

import math
import re

import pytest
from tests.simulations.__main__ import PAGE
from tests.simulations.coverage import coverage, simulated
from tests.simulations.scenarios import SCENARIOS

from hypertransfer.claims.families import measures

DRAWS = 400
QUICK = 60  # of sweeps and flat regrets, whose curves take long to fit
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
    "contrast",
    "stable",
)
FLAT = ("regret flat", "regret flatter", "regret flat sigma", "regret uneven sigma")
OTHERS = [
    name for name in SCENARIOS if not name.startswith(("shift", "slope", "contrast", "stable"))
]


def bounds(share, draws):
    """The largest deviation of a share in so many draws that chance explains."""
    return SIGMAS * math.sqrt(share * (1 - share) / draws)


@pytest.mark.parametrize("name", [*OTHERS, *SWEEPS])
def test_intervals_cover_as_often_as_they_say(name):
    scenario, draws = SCENARIOS[name], QUICK if name in (*SWEEPS, *FLAT) else DRAWS
    for seeds in scenario.seeds:
        found = coverage(name, seeds, draws)
        assert found.covered >= 0.95 - bounds(0.95, draws), (seeds, found)
        if not scenario.wider:
            assert found.covered <= 0.97 + bounds(0.97, draws), (seeds, found)
        # Wholly on one side of the truth: a false verdict, were the truth the bar.
        assert max(found.below, found.above) <= 0.05 + bounds(0.05, draws), (seeds, found)


def test_every_scenario_is_of_a_measure():
    assert {scenario.measure for scenario in SCENARIOS.values()} <= set(measures())


def test_the_documentation_lists_which_measures_are_simulated():
    text = (PAGE.parent / "estimators.md").read_text("utf-8")
    section = text.partition("## Coverage\n")[2].partition("\n## ")[0]
    with_scenario, without = section.split("These measures are not simulated:")
    listed = [set(re.findall(r"`([a-z_]+)`", part)) for part in (with_scenario, without)]
    assert listed == [set(names) for names in simulated()]
    shown = PAGE.read_text("utf-8")
    assert {s.measure for s in SCENARIOS.values()} == set(re.findall(r"(?m)^\| `(\w+)`", shown))
    (last,) = (line for line in shown.splitlines() if line.startswith("Without a simulation: "))
    assert re.findall(r"`(\w+)`", last) == simulated()[1]


def test_a_draw_depends_on_its_arguments_alone():
    first, again = (coverage("lead over 1", 3, 20) for _ in range(2))
    assert first == again
    assert first.width != coverage("lead over 1", 5, 20).width
