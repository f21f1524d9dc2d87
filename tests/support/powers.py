"""Strategies that draw ratios, powers, rules, roles and tables."""

from hypothesis import strategies as st

from hypertransfer.parameterisation.algebra import (
    Power,
    Ratios,
    Role,
)

# Quarters are exact in binary, so that exponents can be compared with ==.
exponents = st.integers(-12, 12).map(lambda quarters: quarters / 4)

powers = st.builds(Power, exponents, exponents, exponents, exponents)

ratios = st.builds(Ratios, *[st.floats(0.05, 20)] * 4)

roles = st.sampled_from(Role)
