"""The data folder: whose it is now, which format it has, and where its service can be found."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path
from typing import Any, TextIO

from tuneline.errors import TunelineError

FORMAT = 1
"""Raised when a folder written by an older release has to be changed to be read."""


class FolderTaken(TunelineError):
    """Another service has the folder."""


class Folder:
    """A data folder held by this process until `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: TextIO | None = None

    def take(self) -> None:
        """Lock the folder for this process and check its format; raises TunelineError naming the holder."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise FolderTaken(self._taken()) from None
        os.set_inheritable(lock.fileno(), False)
        self._lock = lock
        self._check_format()

    def _taken(self) -> str:
        record = self.record()
        who = f"process {record['pid']} serves it at {record['url']}" if record else "another process is starting on it"
        return f"{self.path} is in use: {who}. One service has one folder; choose another with --data."

    def _check_format(self) -> None:
        mark = self.path / "format.json"
        if not mark.exists():
            others = sorted(p.name for p in self.path.iterdir() if p.name not in ("lock", "service.log"))
            if others:
                raise TunelineError(
                    f"{self.path} holds {', '.join(others[:3])} and no format.json: it is no data folder of the local "
                    "service. Choose an empty one with --data."
                )
            write_json(mark, {"format": FORMAT})
        found = json.loads(mark.read_text()).get("format")
        if found != FORMAT:
            raise TunelineError(
                f"{self.path} has format {found}, and this release reads {FORMAT}: use the release that wrote it, "
                "or start on another folder with --data."
            )

    def record(self) -> dict[str, Any] | None:
        """What service.json says: pid, port, url, started; None where there is none."""
        try:
            return dict(json.loads((self.path / "service.json").read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def announce(self, record: dict[str, Any]) -> None:
        """Say where the service is, now that it answers."""
        write_json(self.path / "service.json", record)

    def withdraw(self) -> None:
        """Nobody answers here: remove what a service before (perhaps killed) announced."""
        (self.path / "service.json").unlink(missing_ok=True)

    def release(self) -> None:
        """Let the folder go."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def write_json(path: Path, value: Any) -> None:
    """Write a small file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
