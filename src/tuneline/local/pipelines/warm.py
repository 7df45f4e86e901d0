"""Tasks without the cost of starting Python: forked from a process that has already imported what every step needs.

The driver's side. A zygote (`zygote.py`) is a child of the driver; a task is asked of it by handing over two
descriptors, and the forked process keeps all promises of `local/processes`. Where forking is not safe (anything but
Linux, or a zygote that died or found itself with threads) tasks are started the ordinary way.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping

from tuneline.local.pipelines.attempt import Attempt
from tuneline.local.processes import Supervised
from tuneline.local.processes.supervised import GRACE_S, hand_over


class WarmStart:
    """Starts tasks through one zygote, which begins to warm up when this is made; `ours`: for steps of this project."""

    def __init__(self, environment: Mapping[str, str], *, ours: bool) -> None:
        self.socket: socket.socket | None = None
        if sys.platform != "linux":
            return
        near, far = socket.socketpair()
        with far:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "tuneline.local.pipelines.zygote",
                    str(far.fileno()),
                    "ours" if ours else "theirs",
                ],
                pass_fds=[far.fileno()],
                stdin=subprocess.DEVNULL,
                # numpy starts no threads of its own then, which would make forking unsafe.
                env={**environment, "PYTHONUTF8": "1", "_KFP_RUNTIME": "true", "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
            )
        self.socket = near

    def start(self, attempt: Attempt, *, grace_s: float = GRACE_S) -> Supervised | None:
        """The process of a task, or None where it has to be started another way."""
        if self.socket is None:
            return None

        def deliver(lifeline: int, ended: int) -> None:
            assert self.socket is not None
            socket.send_fds(self.socket, [b"f"], [lifeline, ended])

        try:
            return hand_over(attempt.folder, attempt.argv, attempt.environment, deliver=deliver, grace_s=grace_s)
        except OSError:
            self.close()
            return None

    def never_started(self, process: Supervised) -> bool:
        """Whether the zygote let go of a task without having forked for it; asked once the task seems to have ended."""
        if not process.handed_over or (process.folder / "process.json").exists():
            return False
        self.close()
        return True

    def close(self) -> None:
        """Let the zygote end. Tasks it has forked do not depend on it."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
            self.process.wait()
