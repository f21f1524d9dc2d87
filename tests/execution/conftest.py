"""Cells whose runs are trained."""

from __future__ import annotations

import pytest
from tests.support.interrupted import spec

from hypertransfer.execution.train_cell import CellRun
from hypertransfer.planning import keys


@pytest.fixture
def cell():
    return [CellRun(keys.run_key(run), {"seed": run.seed}, run) for run in (spec(), spec(seed=4))]
