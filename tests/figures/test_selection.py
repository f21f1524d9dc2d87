"""The rows of tables that a figure is drawn from."""

import pandas as pd

from hypertransfer.figures.selection import rows_of, select

RUNS = pd.DataFrame(
    {
        "grid": ["g", "g", "h"],
        "key": ["a", "a", "a"],
        "method": ["line", "global", "line"],
        "place": [0.0, 1.0, 0.0],
    }
)
PROBES = pd.DataFrame({"grid": ["g", "h", "g"], "key": ["a", "a", "b"], "trace": [1.0, 2.0, 3.0]})


def test_a_condition_does_not_bring_in_other_rows_with_the_same_key():
    """One run may stand in a grid twice, under two methods."""
    tables = select({"runs": RUNS, "probes": PROBES}, {"grid": "g", "method": "line"})
    assert tables["runs"]["place"].tolist() == [0.0]
    assert tables["probes"]["trace"].tolist() == [1.0]


def test_tables_without_keys_are_kept_whole():
    regrets = pd.DataFrame({"task": ["t"]})
    tables = rows_of(RUNS[:0], {"runs": RUNS, "probes": PROBES, "replays": regrets})
    assert tables["replays"] is regrets
    assert tables["runs"].empty
    assert tables["probes"].empty
