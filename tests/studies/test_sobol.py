"""Sobol sequences: the same points as SciPy's."""

from __future__ import annotations

import numpy as np
import pytest

from hypertransfer.studies import sobol


def test_a_sobol_design_is_scipys_in_the_middle_of_its_cells():
    from scipy.stats import qmc

    for points in (4, 32, 100):
        power = (points - 1).bit_length()
        theirs = qmc.Sobol(sobol.COLUMNS, scramble=False).random_base2(power)[:points]
        ours = [sobol.column(index, points) for index in range(sobol.COLUMNS)]
        assert pytest.approx(theirs + 0.5 / 2**power) == np.array(ours).T
