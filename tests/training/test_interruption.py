"""Signals that ask a process to end."""

from __future__ import annotations

import os
import signal

from hypertransfer.training.interruption import signals


def test_signals_are_handled_only_while_training():
    before = signal.getsignal(signal.SIGTERM)
    with signals() as request:
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.number == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is before, "a second one acts at once"
    assert signal.getsignal(signal.SIGTERM) is before
