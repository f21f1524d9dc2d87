"""Markdown text: powers of ratios are typeset with indices and exponents."""

from __future__ import annotations

import pytest

from hypertransfer.parameterisation.algebra import ONE, Power
from hypertransfer.report import markdown


def test_exponents_in_text_are_superscripts():
    text = "λ of S^½ H, as t^0.58 to N^-0.77, L^-1/2, E + A·D^−b. x^base, `m_N^-0.5`, `^[a-z]`"
    assert markdown.superscripts(text) == (
        "λ of S<sup>½</sup> H, as t<sup>0.58</sup> to N<sup>−0.77</sup>, L<sup>−1/2</sup>, "
        "E + A·D<sup>−b</sup>. x^base, `m_N^-0.5`, `^[a-z]`"
    )


def test_numbers_of_pages_have_minus_signs_and_powers_of_ten():
    text = "-0.15 to 0.15, at 2-fold width, t-test, `-1`, 1e-05 (-3.5e+10 … 1e-7)"
    assert markdown.numerals(text) == (
        "−0.15 to 0.15, at 2-fold width, t-test, `-1`, 1·10<sup>−5</sup> "
        "(−3.5·10<sup>10</sup> … 1·10<sup>−7</sup>)"
    )


@pytest.mark.parametrize(
    ("power", "text"),
    [
        (ONE, "1"),
        (Power(width=1), "m<sub>N</sub>"),
        (Power(width=-1), "m<sub>N</sub><sup>−1</sup>"),
        (
            Power(width=-0.5, depth=0.5),
            "m<sub>N</sub><sup>−1/2</sup>·m<sub>L</sub><sup>1/2</sup>",
        ),
        (Power(batch=0.25), "m<sub>B</sub><sup>0.25</sup>"),
        ("`m_N^-0.5`", "`m_N^-0.5`"),
        ("m_N^10.5", "m<sub>N</sub><sup>10.5</sup>"),
    ],
)
def test_powers_have_indices_and_exponents(power, text):
    assert markdown.typeset(power) == text
