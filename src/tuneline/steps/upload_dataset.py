"""Stages the datasets where the engine reads them, under the digest of their content."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tuneline import objects
from tuneline.errors import AlreadyExists, DatasetError, Problem
from tuneline.planning import Plan
from tuneline.planning.model import Data
from tuneline.steps.artifacts import Artifact
from tuneline.steps.record import recorded

FOLDER = "tuneline/data"

# Smaller sets are sent in one call that creates or fails; a larger one is sent in parts, to the same name.
_AT_ONCE = 8 * 1024 * 1024


class Outputs(NamedTuple):
    staged: str


def run(*, plan: str, dataset: Artifact, pipeline_root: str, pipeline_job_name: str, compiled_for: str) -> Outputs:
    """Stages training, evaluation and test set; a set that is there already is not sent again.

    Raises:
        DatasetError: a set is not what was validated any more, or is gone.
    """
    with recorded(
        "upload_dataset",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={},
    ) as record:
        decided = Plan.from_dict(json.loads(plan))
        sets = {"train": decided.train, "evaluation": decided.evaluation, "test": decided.test}
        staged = {name: stage(data, decided.staging_uri) for name, data in sets.items() if data}
        dataset.uri = staged["train"]["uri"]
        dataset.metadata.update(
            {"sha256": staged["train"]["digest"], "examples": decided.train.examples, "format": decided.train.format}
        )
        record.result["staged"] = staged
        return Outputs(staged=json.dumps(staged))


def stage(data: Data, staging: str) -> dict[str, Any]:
    """Puts one set to `<staging>/tuneline/data/<sha256>.jsonl`, and says what lies there now.

    Raises:
        DatasetError: its bytes are not those that were validated.
        NotFound: it is gone.
    """
    source = objects.stat(data.uri)
    if data.digest and data.crc32c and data.crc32c == source.crc32c:
        target = _target(staging, data.digest)
        if _holds(target, source.crc32c):
            print(f"{data.uri} is staged already: {target}", file=sys.stderr)
            return _entry(target, data, data.digest, source.crc32c)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dataset.jsonl"
        objects.download_file(data.uri, path)
        digest = _digest(path)
        if data.digest and digest != data.digest:
            raise DatasetError(
                [
                    Problem(
                        where=data.uri,
                        what=f"it has changed since it was validated (SHA-256 {data.digest[:12]} then, "
                        f"{digest[:12]} now)",
                        fix="let nobody write there during a run, or run again",
                    )
                ]
            )
        target = _target(staging, digest)
        crc32c = _send(path, target)
    print(f"{data.uri} is staged: {target}", file=sys.stderr)
    return _entry(target, data, digest, crc32c)


def _send(path: Path, target: str) -> str:
    """Uploads the file unless it is there, and returns the checksum of what lies there, which is the file's own."""
    if path.stat().st_size <= _AT_ONCE:
        try:
            return objects.create(target, path.read_bytes()).crc32c
        except AlreadyExists:
            pass  # another run staged the same bytes; verified below
    local = objects.stat(str(path)).crc32c
    if not _holds(target, local):
        # Missing, or not what its name says: only an interrupted or foreign write can have left it.
        objects.upload_file(path, target)
    return local


def _holds(target: str, crc32c: str) -> bool:
    return objects.exists(target) and objects.stat(target).crc32c == crc32c


def _target(staging: str, digest: str) -> str:
    return objects.join(staging, FOLDER, f"{digest}.jsonl")


def _entry(uri: str, data: Data, digest: str, crc32c: str) -> dict[str, Any]:
    return {"uri": uri, "digest": digest, "crc32c": crc32c, "examples": data.examples, "source": data.uri}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
