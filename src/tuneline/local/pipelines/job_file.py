"""The request of a pipeline job as it lies in its folder: `job.json`, and the mark that it is to be cancelled."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

CANCEL = "cancel"
"""A file of this name in the job's folder: the job is to be cancelled."""
INSTALLING = "TUNELINE_INSTALL_ENVIRONMENT"
"""Variable that carries, as JSON and from process to process only, the environment that pip is to have."""


def load(folder: Path) -> dict[str, Any]:
    """The PipelineJob of a folder, with a `uuid` that two jobs of one name do not share."""
    job: dict[str, Any] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    identity = f"{job['name']} {job['createTime']}".encode()
    job.setdefault("uuid", int.from_bytes(hashlib.sha256(identity).digest()[:7]))
    return job


def write_json(path: Path, value: object) -> None:
    """Whole or not at all."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    os.replace(temporary, path)
