"""Figures of gaps to the largest size, on synthetic tables: they show what the tables say."""

import numpy as np
from tests.support.figures import figure

from hypertransfer.figures import draw


def test_gaps_show_the_exponents_that_the_claims_measure(tables):
    drawn = draw.draw(figure("gaps"), tables)
    over_time, over_size = drawn.axes[0], drawn.axes[2]
    # step², of which three records 4 steps apart have the mean t² + 32/3
    t = np.array([4, 8, 12, 16])
    grown = np.polyfit(np.log(t), np.log(t**2 + 32 / 3), 1)[0]
    assert f"{grown:.2f}" in over_time.texts[0].get_text()
    # gaps 3/32 and 1/32 of step² at widths 8 and 16: 1/width less its value at width 32
    assert "b = -1.00" in over_size.texts[0].get_text()
