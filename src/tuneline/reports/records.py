"""The records of a run folder, as everyone who looks back at a run reads them (`docs/run-folder.md`)."""

from __future__ import annotations

from typing import Any

from tuneline import objects

REPORT = "report"
"""`report.json` lies beside the records and is none."""


def read_all(run_folder: str) -> dict[str, dict[str, Any]]:
    """Step → record, in the order in which the steps began."""
    found = {}
    for info in objects.list(run_folder.rstrip("/") + "/"):
        stem, dot, suffix = info.uri.rsplit("/", 1)[1].rpartition(".")
        if dot and suffix == "json" and stem != REPORT:
            found[stem] = objects.read_json(info.uri)
    return dict(sorted(found.items(), key=lambda item: item[1].get("started") or ""))
