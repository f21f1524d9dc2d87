"""Values of options: numbers, which may be powers of two, pairs and sizes."""

from __future__ import annotations

import argparse
import math

import pytest

from hypertransfer.cli import values


@pytest.mark.parametrize(
    ("text", "number"),
    [("2^-5", 0.03125), ("0.03", 0.03), ("2^-4.5", 2**-4.5), ("2^6", 64.0), ("1e-3", 1e-3)],
)
def test_a_number_may_be_a_power_of_two(text, number):
    assert values.number(text) == number


@pytest.mark.parametrize(("text", "number"), [("2^6", 64), ("64", 64), ("2^0", 1), ("-3", -3)])
def test_a_whole_number_may_be_a_power_of_two(text, number):
    found = values.whole(text)
    assert (found, type(found)) == (number, int)


@pytest.mark.parametrize("text", ["2^-1", "2^0.5", "64.0", "2^9999", "some"])
def test_other_numbers_are_not_whole(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is no whole number, such as 64"):
        values.whole(text)


def test_powers_are_read_in_lists_and_mappings_as_well():
    given = {"name": "adamw", "betas": [0.9, "2^-5"], "of": {"sizes": [["2^6"], "2^a", "3^2"]}}
    read = values.with_powers(given)
    assert read == {"name": "adamw", "betas": [0.9, 2**-5], "of": {"sizes": [[64], "2^a", "3^2"]}}
    assert type(read["of"]["sizes"][0][0]) is int  # as options that count need
    assert values.with_powers("2^99999") == math.inf


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("weight_decay=2^-5", ("weight_decay", "0.03125")),
        ("context=2^20", ("context", "1048576")),
        ("parameterisation=mup", ("parameterisation", "mup")),
        ("loss=a=b", ("loss", "a=b")),
    ],
)
def test_the_value_of_a_column_has_the_form_of_tables(text, pair):
    assert values.pair(text) == pair


def test_sizes_of_a_target():
    assert values.size("width=2^10") == ("width", 1024)
    for text, message in [
        ("width=2^-1", "'0.5' is not a whole number above 0"),
        ("width=0", "'0' is not a whole number above 0"),
        ("widht=8", "'widht' is no size; known: width, depth.* did you mean 'width'"),
        ("width", "is not of the form"),
    ]:
        with pytest.raises(argparse.ArgumentTypeError, match=message):
            values.size(text)
