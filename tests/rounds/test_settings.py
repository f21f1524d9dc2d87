"""The lattice of an adaptive axis."""

from __future__ import annotations

import pytest

from hypertransfer.rounds.settings import Adaptive


def test_the_lattice_has_the_start_in_its_middle_and_the_finest_spacing():
    settings = Adaptive(start="2^-3", finest=0.5, octaves=5)
    values = [settings.value(notch) for notch in settings.notches()]
    assert values == pytest.approx([2**-5 * 2 ** (i / 2) for i in range(9)], rel=1e-11)
    assert settings.stride == 2
    assert [settings.notch(value) for value in values] == list(settings.notches())


@pytest.mark.parametrize("start", [0.1, 3, "2^-7.5"])
def test_notches_are_recovered_from_values_and_logarithms(start):
    settings = Adaptive(start=start, step=2, finest=0.25, octaves=12)
    for notch in settings.notches():
        assert settings.notch(settings.value(notch)) == notch
        assert 2 ** settings.log2(notch) == pytest.approx(settings.value(notch), rel=1e-11)
    assert settings.stepped_notch(settings.log2(settings.stride) + 0.9) == settings.stride


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"finest": 2}, "finest", "2 is not the step 1, a half, a quarter, … of it"),
        ({"finest": 0.3}, "finest", "0.3 is not the step"),
        ({"octaves": 3}, "octaves", "3 is not at least 4 steps wide"),
        ({"finest": 0.25}, "rounds", "4 is not at least 5, so that"),
        ({"finest": 0.5, "rounds": 3}, "rounds", "3 is not at least 4"),
        ({"start": "2^9999"}, "start", ""),
        ({"finest": 2**-20, "rounds": 23}, "octaves", "12 is not at most"),
    ],
)
def test_settings_that_cannot_be_used(changes, key, text):
    try:
        (problem,) = Adaptive(**{"start": 1, **changes}).problems()
    except OverflowError:  # reported by the axis as a form of numbers that are not finite
        assert key == "start"
        return
    assert problem.path == (key,)
    assert problem.text.startswith(text)


def test_sound_settings_have_no_problems():
    assert not list(Adaptive(start="2^-3", finest=0.25, rounds=5).problems())
    assert not list(Adaptive(start="2^-3", finest=1, rounds=1).problems())
    assert not list(Adaptive(start="2^-3", finest=0.5, rounds=1, best_of="sweep").problems())
