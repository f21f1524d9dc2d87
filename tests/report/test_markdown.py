"""Markdown text: powers of ratios are typeset with indices and exponents."""

from __future__ import annotations

import pytest

from hypertransfer.parameterisation.algebra import ONE, Power
from hypertransfer.report import markdown


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
    ],
)
def test_powers_have_indices_and_exponents(power, text):
    assert markdown.typeset(power) == text
