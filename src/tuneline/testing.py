"""For tests of programs that use Vertex AI: a local one of their own, in under a second, gone with the test.

In a `conftest.py`:

    pytest_plugins = ["tuneline.testing"]

Then a test that takes `local_vertex` has a running service, and one that takes `vertex_environment` has its own process
redirected to it: Google's clients made in that test talk to the local service, unmodified.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tuneline.local import redirect

START_S = 30.0


@dataclass
class LocalVertex:
    """A local Vertex AI with a data folder of its own."""

    data: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:P`."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> LocalVertex:
        """Start, and return when it answers. Raises RuntimeError with its log where it does not."""
        self.data.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tuneline.local", "--data", str(self.data), "--port", str(self.port)]
        with (self.data / "service.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                record = json.loads((self.data / "service.json").read_text())
            except FileNotFoundError:
                time.sleep(0.01)  # it is written when the service answers, and a file has no event to wait for
                continue
            if record["pid"] == self.process.pid:
                self.port = record["port"]
                return self
        raise RuntimeError(f"the local service did not start:\n{(self.data / 'service.log').read_text()}")

    def stop(self) -> int:
        """Stop it (SIGTERM); answers its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """Kill it (SIGKILL), as a crash would."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process = None
        return code

    def environment(self) -> dict[str, str]:
        """The whole environment for a child process whose Google Cloud is this service."""
        kept = {key: value for key, value in os.environ.items() if key not in redirect.UNSET}
        return {**kept, **redirect.environment(self.url, self.data)}

    def request(self, verb: str, path: str, body: Any = None, *, timeout_s: float = 60.0) -> Any:
        """The JSON answer to a REST request. Raises urllib.error.HTTPError for a refusal."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"}, method=verb)
        with _direct().open(request, timeout=timeout_s) as answer:
            return json.loads(answer.read() or b"null")

    def calls(self, method: str = "") -> list[dict[str, Any]]:
        """What was asked of it since it started, oldest first; of one RPC (`CreateCustomJob`) where named."""
        found = self.request("GET", "/_tuneline/calls")["calls"]
        return [call for call in found if not method or call["method"].endswith(method)]

    def fault(self, method: str, **what: Any) -> None:
        """Let the next calls of an RPC fail: `status`, `times`, `delay`, `drop` ("before" or "after")."""
        self.request("POST", "/_tuneline/faults", {"method": method, **what})

    def forward(self, seconds: float) -> None:
        """Move its clock forward."""
        self.request("POST", "/_tuneline/clock", {"forward_s": seconds})


def _direct() -> urllib.request.OpenerDirector:
    """Loopback never goes through a proxy, whatever the environment says."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(scope="session")
def local_vertex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalVertex]:
    """One service for all tests of a session."""
    service = LocalVertex(tmp_path_factory.mktemp("vertex") / "data").start()
    yield service
    service.stop()


@pytest.fixture
def fresh_vertex(tmp_path: Path) -> Iterator[LocalVertex]:
    """A service for one test alone, which may kill and start it again."""
    service = LocalVertex(tmp_path / "data").start()
    yield service
    service.stop()


@pytest.fixture
def vertex_environment(local_vertex: LocalVertex) -> Iterator[LocalVertex]:
    """This process's own environment sends Google's clients to the service."""
    with pytest.MonkeyPatch.context() as patch:
        for name in redirect.UNSET:
            patch.delenv(name, raising=False)
        for name, value in redirect.environment(local_vertex.url, local_vertex.data).items():
            patch.setenv(name, value)
        _read_metadata_address_again()
        yield local_vertex
    _read_metadata_address_again()


def _read_metadata_address_again() -> None:
    """google.auth reads the metadata server's address when it is imported, which may have been before the test."""
    module = sys.modules.get("google.auth.compute_engine._metadata")
    if module is not None:
        importlib.reload(module)
