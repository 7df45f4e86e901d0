"""Datasets under the digest of their content, where engines read them: as they are, and as the engine takes them."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from tuneline import datasets, objects
from tuneline.errors import AlreadyExists, DatasetError, Problem
from tuneline.planning.model import Data

FOLDER = "tuneline/data"

# Smaller sets are sent in one call that creates or fails; a larger one is sent in parts, to the same name.
_AT_ONCE = 8 * 1024 * 1024


def stage(data: Data, staging: str) -> dict[str, Any]:
    """Puts one set to `<staging>/tuneline/data/<sha256>.jsonl`, and says what lies there now.

    Raises:
        DatasetError: its bytes are not those that were validated.
        NotFound: it is gone.
    """
    source = objects.stat(data.uri)
    if data.digest and data.crc32c and data.crc32c == source.crc32c:
        place = target(staging, data.digest)
        if _holds(place, source.crc32c):
            print(f"{data.uri} is staged already: {place}", file=sys.stderr)
            return _entry(place, data, data.digest, source.crc32c)
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
        place = target(staging, digest)
        crc32c = _send(path, place)
    print(f"{data.uri} is staged: {place}", file=sys.stderr)
    return _entry(place, data, digest, crc32c)


def convert(entry: dict[str, Any], staging: str, to: str) -> dict[str, Any]:
    """A staged set in the format that the engine takes, staged in its turn; the set itself where that is its format.

    Raises:
        DatasetError: every line that holds what the format has no place for.
    """
    if entry["format"] == to:
        return entry
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "converted.jsonl"
        datasets.convert(entry["uri"], to, str(path), format=entry["format"])
        digest = _digest(path)
        place = target(staging, digest)
        crc32c = _send(path, place)
    print(f"{entry['source']} is converted from {entry['format']} to {to}: {place}", file=sys.stderr)
    return {**entry, "uri": place, "digest": digest, "crc32c": crc32c, "format": to}


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


def target(staging: str, digest: str) -> str:
    """Where the set of that digest is staged."""
    return objects.join(staging, FOLDER, f"{digest}.jsonl")


def _entry(uri: str, data: Data, digest: str, crc32c: str) -> dict[str, Any]:
    return {
        "uri": uri,
        "digest": digest,
        "crc32c": crc32c,
        "examples": data.examples,
        "format": data.format,
        "source": data.uri,
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
