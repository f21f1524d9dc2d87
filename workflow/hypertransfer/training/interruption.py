"""Save the state of a run at intervals, and when the process receives a stop signal.

Clusters send SIGTERM at preemption and at the time limit, Ctrl-C sends SIGINT. The state is saved
after the current update, and the process exits.
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

from hypertransfer.training.state import StateError

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(SystemExit):
    """The process received a stop signal and has saved its state; exit code 128 + signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class StopRequest:
    """The number of the stop signal that this process has received, None until then."""

    def __init__(self) -> None:
        self.number: int | None = None


@contextmanager
def signals() -> Iterator[StopRequest]:
    """Record the first stop signal instead of ending; a second signal ends the process as usual.

    Only the main thread can handle signals: in other threads, nothing is recorded.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    former = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    def record(number: int, frame: FrameType | None) -> None:
        request.number = number
        restore()

    for number in SIGNALS:
        signal.signal(number, record)
    try:
        yield request
    finally:
        restore()


class Saver:
    """Calls `keep` with the state every `seconds` seconds, and on a stop request."""

    def __init__(self, keep: Callable[[Any], None], seconds: float, request: StopRequest) -> None:
        self.keep, self.seconds, self.request = keep, seconds, request
        self.due = time.monotonic() + seconds

    def __call__(self, state: Callable[[], Any]) -> None:
        """Save the state that `state()` returns, if the interval has passed or a stop is requested.

        A run whose network or optimizer holds what no file can hold goes on unsaved, with a
        warning.

        Raises:
            Interrupted: a stop is requested, and the state has been saved, if it can be.
        """
        if self.request.number is None and time.monotonic() < self.due:
            return
        saved = self._save(state)
        self.due = time.monotonic() + self.seconds
        if self.request.number is not None:
            words = "the state is saved" if saved else "the run will start anew"
            log.info("stopped by signal %d: %s", self.request.number, words)
            raise Interrupted(self.request.number)

    def _save(self, state: Callable[[], Any]) -> bool:
        try:
            self.keep(state())
        except StateError as error:
            log.warning("the state of the run cannot be saved: %s", error)
            return False
        return True
