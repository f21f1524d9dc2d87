"""Saving the state of long runs: at an interval, and when the process is asked to end.

A cluster that wants its node back, a time limit and Ctrl-C all send a signal first. It is
answered after the update at hand: the state is saved and the process ends.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(SystemExit):
    """The process was asked to end, and its state is saved. Its exit code is a shell's."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class Asked:
    """Which signal has asked this process to end, if any."""

    def __init__(self) -> None:
        self.number: int | None = None


@contextmanager
def signals() -> Iterator[Asked]:
    """Note signals that ask to end instead of dying of them; a second one acts at once."""
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # only the main thread may handle signals
        return

    former = {one: signal.getsignal(one) for one in SIGNALS}

    def restore() -> None:
        for one, handler in former.items():
            signal.signal(one, handler)

    def note(number: int, frame: FrameType | None) -> None:
        asked.number = number
        restore()

    for one in SIGNALS:
        signal.signal(one, note)
    try:
        yield asked
    finally:
        restore()


class Saver:
    """Calls `keep` with the state every so many seconds, and when the process shall end."""

    def __init__(self, keep: Callable[[Any], None], seconds: float, asked: Asked) -> None:
        self.keep, self.seconds, self.asked = keep, seconds, asked
        self.due = time.monotonic() + seconds

    def __call__(self, take: Callable[[], Any]) -> None:
        """Save if it is time.

        Raises:
            Interrupted: the process was asked to end.
        """
        if self.asked.number is None and time.monotonic() < self.due:
            return
        self.keep(take())
        self.due = time.monotonic() + self.seconds
        if self.asked.number is not None:
            log.info("asked to end by signal %d: the state is saved", self.asked.number)
            raise Interrupted(self.asked.number)
