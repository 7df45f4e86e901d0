"""Where the objects of a test live: once in a folder, once in the local service's Cloud Storage."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuneline.google import rest

_SERVE = """
import sys, uvicorn
from pathlib import Path
from tuneline.local import storage
uvicorn.run(storage.app(Path(sys.argv[1])), fd=int(sys.argv[2]), log_level="warning")
"""


@pytest.fixture(scope="session")
def storage_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The local service's object store in a process of its own, or the one that TUNELINE_TEST_STORAGE names."""
    if given := os.environ.get("TUNELINE_TEST_STORAGE"):
        yield given
        return
    with socket.socket() as listening:
        # Bound and listening before the service starts: the first call waits in the queue, and nothing need poll.
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        data, descriptor = tmp_path_factory.mktemp("storage"), listening.fileno()
        served = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(data), str(descriptor)], pass_fds=[descriptor], env=dict(os.environ)
        )
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            served.terminate()
            served.wait(timeout=20)


@pytest.fixture(params=["files", "cloud"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh place for objects, of each kind in turn."""
    if request.param == "files":
        return str(tmp_path / "objects")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", request.getfixturevalue("storage_url"))
    monkeypatch.delenv("TUNELINE_LOCAL_URL", raising=False)
    bucket = f"test-{uuid.uuid4().hex}"
    rest.call("POST", "storage", "/storage/v1/b", params={"project": "tuneline-local"}, body={"name": bucket})
    return f"gs://{bucket}"
