"""The curves of a run while it trains: `metrics.jsonl` and a TensorBoard event file, never more than 2 s behind."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from tuneline import objects
from tuneline.trainer import tensorboard

INTERVAL_S = 1.0


class Metrics:
    """Rows, one a step, written to both files; a resumed run begins with the rows up to its checkpoint."""

    def __init__(self, output: str, *, kept: list[dict[str, Any]]) -> None:
        self._uri = objects.join(output, "metrics.jsonl")
        started = kept[0]["time"] if kept else time.time()
        # One file for the whole run, named by its first moment: a resumed run writes it again from the kept rows.
        name = f"events.out.tfevents.{int(started)}.tuneline"
        self._events_uri = objects.join(output, "tensorboard", name)
        self._lines = b""
        self._events = tensorboard.first_record(started)
        self._flushed = time.monotonic()
        self.rows: list[dict[str, Any]] = []
        for row in kept:
            self._append(row)
        if kept:
            # At once: an attempt that finds nothing left to train must leave the curves in place too.
            self.flush()
        for stale in list(objects.list(objects.join(output, "tensorboard") + "/")):
            if stale.uri != self._events_uri:
                objects.delete(stale.uri)

    def add(self, row: Mapping[str, Any]) -> None:
        """One more row: `step`, and values by their documented names."""
        self._append({"step": row["step"], "time": time.time(), **row})

    def _append(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self._lines += json.dumps(row).encode() + b"\n"
        scalars = {name: float(row[name]) for name in tensorboard.NAMES if name in row}
        if scalars:
            self._events += tensorboard.scalars_record(row["time"], row["step"], scalars)

    def due(self) -> bool:
        """Whether it is time to flush."""
        return time.monotonic() - self._flushed >= INTERVAL_S

    def flush(self) -> None:
        """Put both files in place, whole."""
        objects.write_bytes(self._uri, self._lines, content_type="application/jsonl")
        objects.write_bytes(self._events_uri, self._events)
        self._flushed = time.monotonic()


def read_rows(output: str, *, until: int) -> list[dict[str, Any]]:
    """The rows of an earlier attempt up to a step."""
    uri = objects.join(output, "metrics.jsonl")
    if not objects.exists(uri):
        return []
    rows = [json.loads(line) for line in objects.read_text(uri).splitlines()]
    return [row for row in rows if row["step"] <= until]
