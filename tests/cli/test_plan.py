"""`hypertransfer plan` says what the next round of an adaptive grid runs, and why."""

from __future__ import annotations

import re

from tests.support.adaptive import adaptive_study
from tests.support.project import Project, output_of


def test_the_next_round_is_said_with_its_reasons(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, tmp_path / "store")
    project.write({**adaptive_study(), "study": "mine"})
    text = output_of(capsys, "plan")
    assert "mine, sweep: next is round 1 of 3 with 8 runs to train; later rounds at most" in text
    assert "optimizer sgd, shape.width 4  first round: 5 values from 0.03125 up" in text
    assert re.search(r"mine +sweep +at most \d+ ", text)
    assert "     8  mine, sweep: not run yet" in text
