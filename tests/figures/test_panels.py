"""Figures of several panels, on synthetic tables: they show what the tables say."""

import pandas as pd
from tests.support.figures import described, figure

from hypertransfer.figures import draw


def test_panels_can_be_any_column_with_titles_of_their_own(tables):
    spec = figure("lr_sweep", panels="optimizer", titles={"sgd": "One arm"})
    one = {name: table[table["key"].str.startswith("mup")] for name, table in tables.items()}
    drawn = draw.draw(spec, one)
    assert [axis.get_title() for axis in drawn.axes] == ["One arm"]


def test_many_panels_stand_in_two_rows(tables):
    runs = pd.concat([tables["runs"].assign(grid=f"arm{i}", key=tables["runs"]["key"] + str(i))
                      for i in range(7)])  # fmt: skip
    runs = runs[runs["parameterisation"] == "mup"]
    drawn = draw.draw(described("lr_sweep", {"panels": "grid"}), {**tables, "runs": runs})
    assert len([axis for axis in drawn.axes if axis.lines]) == 7
    assert drawn.axes[0].get_gridspec().get_geometry() == (2, 4)
