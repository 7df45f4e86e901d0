"""The output folder: one process writes to it, for one run, and what that run was is written down there first."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneline import objects
from tuneline.errors import Problem, TunelineError, UsageError
from tuneline.trainer.config import differences


class OutputInUse(TunelineError):
    """Another process writes to this output."""


@contextlib.contextmanager
def locked(output: str) -> Iterator[None]:
    """Hold a local output for this process; at gs:// the job's supervisor sees to it that only one writes."""
    if objects.is_cloud(output):
        yield
        return
    import fcntl

    path = Path(output.removeprefix("file://"))
    try:
        path.mkdir(parents=True, exist_ok=True)
        stream = (path / "lock").open("a")
    except OSError as error:
        fix = "name a folder that this user may write to"
        raise UsageError(
            [Problem(where="--output", what=f"{path} cannot be written: {error.strerror}", fix=fix)]
        ) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputInUse(f"{output} is in use by another process: wait for it, or name another output") from error
        objects.clear_unfinished(output)
        yield


def begin(output: str, now: Mapping[str, Any]) -> dict[str, Any] | None:
    """Write `run.json`, or the result of this very run where it is complete already.

    Raises:
        UsageError: the output was begun by a run that differs; each difference is named.
    """
    begun, result = objects.join(output, "run.json"), objects.join(output, "result.json")
    if objects.exists(begun):
        found = differences(objects.read_json(begun), now)
        if found:
            raise UsageError(found, title=f"{output} belongs to another run")
    if objects.exists(result):
        say(f"{output} is complete already")
        return dict(objects.read_json(result))
    objects.write_json(begun, dict(now))
    return None


def say(text: str) -> None:
    """One line of the log."""
    print(text, file=sys.stderr, flush=True)
