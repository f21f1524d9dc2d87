"""Progress bars of `hypertransfer prune` and `verify`."""

from __future__ import annotations

from hypertransfer.cli import maintenance


def test_progress_is_for_terminals(capsys):
    with maintenance.progress_bar("working") as progress:
        progress(0.5)
    assert capsys.readouterr() == ("", "")
