"""Columns of what a run leaves: each has one source."""

import dataclasses

from hypertransfer.runs.columns import HISTORY, SUMMARY, summary_of
from hypertransfer.training.loop import Training

SOURCES = ("training", "history", "provenance")


def test_every_column_of_the_summary_comes_from_one_source():
    columns = [name for source in SOURCES for name in summary_of(source)]
    assert sorted(columns) == sorted(SUMMARY)


def test_sources_have_the_columns_that_are_taken_from_them():
    assert set(summary_of("training")) < {field.name for field in dataclasses.fields(Training)}
    assert set(summary_of("history")) < set(HISTORY)
