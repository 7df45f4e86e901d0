"""Where the objects of a test live: once in a folder, once in the local service's Cloud Storage."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from tuneline.google import rest

# One setting names the Cloud Storage to test against.
_STORAGE = os.environ.get("TUNELINE_TEST_STORAGE", "")


@pytest.fixture(params=["files", *(["cloud"] if _STORAGE else [])])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh place for objects, of each kind in turn."""
    if request.param == "files":
        return str(tmp_path / "objects")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", _STORAGE)
    monkeypatch.delenv("TUNELINE_LOCAL_URL", raising=False)
    bucket = f"test-{uuid.uuid4().hex}"
    rest.call("POST", "storage", "/storage/v1/b", params={"project": "tuneline-local"}, body={"name": bucket})
    return f"gs://{bucket}"
