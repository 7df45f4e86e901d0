"""The call log: which API calls and object writes the service answered, oldest first.

The newest are in memory; all of them go to `calls.jsonl`, which starts anew (keeping one predecessor) at 16 MiB.
"""

from __future__ import annotations

import json
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuneline.local.resources.behaviour import Call

KEPT = 5000
LARGEST_FILE = 16 << 20


class CallLog:
    """Appends to memory and file; never refuses, never delays an answer by a sync to disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._recent: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._file = path.open("a", buffering=1)
        self.last = time.monotonic()
        """When the last call came (monotonic seconds): what idleness is measured by."""

    def record(self, call: Call, resource: str, status: int, began: float, message: str = "") -> None:
        """Write down one call; `began` is a monotonic time."""
        self._add(call.method, call.transport, resource, status, began, message)

    def record_object(self, method: str, resource: str, status: int) -> None:
        """Write down one write to the object store, by its `gs://` address."""
        self._add(method, "rest", resource, status, time.monotonic(), "")

    def _add(self, method: str, transport: str, resource: str, status: int, began: float, message: str) -> None:
        now = time.monotonic()
        entry: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "method": method,
            "resource": resource,
            "status": status,
            "transport": transport,
            "ms": round((now - began) * 1000, 1),
        }
        if message:
            entry["message"] = message[:2000]
        self.last = now
        self._recent.append(entry)
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        if self._file.tell() > LARGEST_FILE:
            self._file.close()
            self.path.replace(self.path.with_suffix(".1.jsonl"))
            self._file = self.path.open("a", buffering=1)

    def touch(self) -> None:
        """Something other than an API call was asked: the service is not idle."""
        self.last = time.monotonic()

    def recent(self) -> list[dict[str, Any]]:
        """The newest calls of this service's life, oldest first (at most 5,000)."""
        return list(self._recent)

    def close(self) -> None:
        self._file.close()
