"""The supervisor's side: start a process in a folder, hear of its end, stop it, clear what a dead supervisor left.

    process = spawn(folder, [sys.executable, "-m", "tuneline.trainer", ...], {"PATH": ...})
    loop.add_reader(process.fileno(), ...)      # readable once it has ended
    process.stop(grace_s=10); process.wait()    # Exit(code=..., signal=...)

Promises, and what keeps them:
- the process and all it starts die with the supervisor: the wrapper sees its lifeline break (`wrapper.py`);
- they die with the wrapper too: the kernel's parent-death signal on Linux, and the supervisor everywhere;
- two never run in one folder: a lock inherited by the child, and `reclaim`, which kills an orphan recognised by
  process id and start time.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneline.errors import TunelineError
from tuneline.local.processes import wrapper

GRACE_S = 10.0
"""How long a process may take to end after SIGTERM before SIGKILL; what Kubernetes calls the termination grace."""
LOCK_WAIT_S = 10.0
"""How long a successor waits for an orphan that was killed to let go of the folder."""
WRAPPER = "import sys; sys.path.append(sys.argv[1]); import wrapper; wrapper.main()"


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a process ended: with a code, or by a signal; `orphaned` if its supervisor was gone by then."""

    code: int | None
    signal: int | None
    ended: str
    orphaned: bool = False

    @property
    def ok(self) -> bool:
        return self.code == 0

    def __str__(self) -> str:
        if self.signal is None:
            return f"exit code {self.code}"
        return f"killed by {signal.Signals(self.signal).name}"


class Supervised:
    """A running process as its supervisor holds it. Closing it (or losing it) kills the process."""

    def __init__(self, folder: Path, *, lifeline: int, ended: int, child: subprocess.Popen[bytes] | None) -> None:
        self.folder = folder
        self.handed_over = child is None
        self._lifeline = lifeline
        self._ended = ended
        self._child = child
        self._exit: Exit | None = None

    def fileno(self) -> int:
        """A descriptor that becomes readable when the process has ended; for `select` and event loops."""
        return self._ended

    def stop(self, *, grace_s: float = GRACE_S) -> None:
        """Ask the whole group to end (SIGTERM) and kill what is left after `grace_s`. Returns at once."""
        self._order(f"stop {grace_s}")

    def kill(self) -> None:
        """Kill the whole group now. Returns at once."""
        self._order("kill")

    def poll(self) -> Exit | None:
        """How it ended, or None while it runs."""
        if self._exit is None and select.select([self._ended], [], [], 0)[0]:
            self._exit = self._conclude()
        return self._exit

    def wait(self, timeout_s: float | None = None) -> Exit:
        """Wait for its end. Raises TimeoutError after `timeout_s`."""
        if self._exit is None and not select.select([self._ended], [], [], timeout_s)[0]:
            raise TimeoutError(f"the process in {self.folder} still runs after {timeout_s} s")
        ended = self.poll()
        assert ended is not None
        return ended

    def close(self) -> None:
        """Let go: a process that still runs is killed by its wrapper."""
        for name in ("_lifeline", "_ended"):
            fd = getattr(self, name)
            if fd >= 0:
                os.close(fd)
                setattr(self, name, -1)

    def _order(self, line: str) -> None:
        if self._lifeline < 0:
            return
        try:
            os.write(self._lifeline, f"{line}\n".encode())
        except BrokenPipeError:
            return  # it has ended; poll() tells how

    def _conclude(self) -> Exit:
        if self._child is not None:
            code = self._child.wait()
            if code == wrapper.LOCK_BUSY:
                self.close()
                raise TunelineError(f"{self.folder} is held by another process; it was not started a second time")
        ended = exit_of(self.folder)
        if ended is None:
            # The wrapper itself was killed: finish what it would have done.
            reclaim(self.folder)
            record = {"code": None, "signal": int(signal.SIGKILL), "ended": wrapper.now(), "orphaned": False}
            wrapper.write_json(str(self.folder / "exit.json"), record)
            ended = Exit(**record)
        self.close()
        return ended


def spawn(
    folder: Path,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    cwd: Path | None = None,
    log: str = "log.txt",
    grace_s: float = GRACE_S,
) -> Supervised:
    """Start `argv` in `folder` with exactly the environment `env`; output is appended to `folder/log`.

    What a dead supervisor left running in the folder is killed first. `grace_s` counts when the wrapper itself is told
    to end. A program that cannot be started ends with code 126 or 127 and says why in the log.
    """
    folder = _ready(folder)
    lifeline_read, lifeline_write = os.pipe()
    ended_read, ended_write = os.pipe()
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", WRAPPER, os.path.dirname(wrapper.__file__), str(ended_write)],
            stdin=lifeline_read,
            stdout=subprocess.DEVNULL,
            env=wrapper_environment(),
            pass_fds=[ended_write],
            start_new_session=True,
        )
    except OSError:
        os.close(lifeline_write)
        os.close(ended_read)
        raise
    finally:
        os.close(lifeline_read)
        os.close(ended_write)
    process = Supervised(folder, lifeline=lifeline_write, ended=ended_read, child=child)
    send_configuration(lifeline_write, configuration(folder, argv, env, cwd=cwd, log=log, grace_s=grace_s))
    return process


def hand_over(
    folder: Path,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    deliver: Callable[[int, int], None],
    grace_s: float = GRACE_S,
) -> Supervised:
    """Like `spawn`, but another process takes the wrapper's part: `deliver` gives it the reading end of the lifeline
    and the writing end of the pipe whose end tells the end. Raises OSError where they cannot be delivered."""
    folder = _ready(folder)
    (folder / "process.json").unlink(missing_ok=True)
    lifeline_read, lifeline_write = os.pipe()
    ended_read, ended_write = os.pipe()
    try:
        deliver(lifeline_read, ended_write)
    except OSError:
        os.close(lifeline_write)
        os.close(ended_read)
        raise
    finally:
        os.close(lifeline_read)
        os.close(ended_write)
    process = Supervised(folder, lifeline=lifeline_write, ended=ended_read, child=None)
    send_configuration(lifeline_write, configuration(folder, argv, env, grace_s=grace_s))
    return process


def _ready(folder: Path) -> Path:
    """The folder, with nothing running in it and no exit of an earlier run."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    reclaim(folder)
    (folder / "exit.json").unlink(missing_ok=True)
    return folder


def configuration(
    folder: Path,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    cwd: Path | None = None,
    log: str = "log.txt",
    grace_s: float = GRACE_S,
) -> dict[str, object]:
    """What the wrapper needs to know, as it travels over the lifeline."""
    return {
        "folder": str(folder),
        "argv": list(argv),
        "env": dict(env),
        "cwd": str(cwd or folder),
        "log": log,
        "grace_s": grace_s,
        "lock_wait_s": LOCK_WAIT_S,
        "token": uuid.uuid4().hex,
    }


def send_configuration(lifeline: int, config: dict[str, object]) -> None:
    """Write the first line of the lifeline; a wrapper that died before reading it is found by poll()."""
    line = memoryview(json.dumps(config).encode() + b"\n")
    try:
        while line:
            line = line[os.write(lifeline, line) :]
    except BrokenPipeError:
        return


def wrapper_environment() -> dict[str, str]:
    """What an interpreter may need to start at all; never the child's environment, which may hold secrets."""
    wanted = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "LANG")
    return {name: os.environ[name] for name in wanted if name in os.environ}


def exit_of(folder: Path) -> Exit | None:
    """How the last process of the folder ended; None if it runs, never ran, or was lost with its wrapper."""
    try:
        record = json.loads((folder / "exit.json").read_text())
    except FileNotFoundError:
        return None
    return Exit(**record)


def is_running(folder: Path) -> bool:
    """Whether anything holds the folder's lock: its process, an orphan of it, or a successor about to start."""
    try:
        fd = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return True
    finally:
        os.close(fd)
    return False


def reclaim(folder: Path) -> bool:
    """Kill what an earlier supervisor of this folder left running; True if anything was.

    An orphan is recognised by process id *and* start time, so that a recycled id is never hit; what left its group is
    recognised by the token in its environment (Linux). Returns once the folder's lock is free, or after 10 s.
    """
    try:
        record = json.loads((folder / "process.json").read_text())
    except FileNotFoundError:
        return False
    if not is_running(folder) and exit_of(folder) is not None:
        return False
    found = False
    keeper = record["wrapper"]
    if keeper["start"] and wrapper.start_of(keeper["pid"]) == keeper["start"]:
        found = True
        _kill(keeper["pid"])
    if record["start"] and wrapper.start_of(record["pid"]) == record["start"]:
        found = True
        wrapper.kill_group(record["pid"])
    deadline = time.monotonic() + LOCK_WAIT_S
    while (dying := bool(wrapper.kill_marked(record["token"])) or is_running(folder)) and time.monotonic() < deadline:
        # The kernel is taking killed processes apart; neither they nor the lock have an event to wait for.
        found = found or dying
        time.sleep(0.005)
    return found


def log_tail(folder: Path, *, log: str = "log.txt", lines: int = 20, limit: int = 16_384) -> str:
    """The last lines that the process wrote, for an error message."""
    try:
        with (folder / log).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - limit))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
