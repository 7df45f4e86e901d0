"""Being told to stop: SIGTERM as an exception, so that a run can take back its job before it ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Stopped(KeyboardInterrupt):
    """The process was told to stop by SIGTERM; it ends as an interrupted one does (exit code 130).

    A `KeyboardInterrupt`, so that nothing that handles errors takes it for one.
    """


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Within it, the first SIGTERM raises `Stopped` in the main thread; further ones are not heard.

    So what is done on the way out is not cut short: whoever is in more of a hurry has SIGKILL. In another thread than
    the main one, where Python cannot set a handler, and inside another `stoppable`, nothing changes.
    """
    outer = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or getattr(outer, "stops", False):
        yield
        return
    handler = _Handler()
    signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, outer if outer is not None else signal.SIG_DFL)


class _Handler:
    """The signal handler: raises once."""

    stops = True

    def __init__(self) -> None:
        self.heard = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self.heard:
            self.heard = True
            raise Stopped(f"stopped by {signal.Signals(number).name}")
