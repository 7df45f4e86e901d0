"""A real object store in a process of its own, and the official client, unmodified, talking to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage as gcs

SERVE = Path(__file__).with_name("serve.py")


class Service:
    """The object store over one folder; it can be killed and started again on the same port."""

    def __init__(self, data: Path) -> None:
        self.data = data
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, str(SERVE), str(self.data), str(self.port)])
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"the object store ended with {self.process.returncode}") from None
                time.sleep(0.01)  # no event tells that another process listens
        raise TimeoutError("the object store did not start within 20 s")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def client(self, project: str = "tuneline-local") -> gcs.Client:
        """The official client, sent here by the one variable that it knows."""
        return gcs.Client(
            project=project, credentials=AnonymousCredentials(), client_options={"api_endpoint": self.url}
        )

    def peak_memory(self) -> int:
        """Bytes of memory the service has held at most."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own, which may kill it."""
    made = Service(tmp_path / "data")
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("objects"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def client(shared_service: Service, monkeypatch: pytest.MonkeyPatch) -> gcs.Client:
    """The official client on a service that all tests of this process share."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", shared_service.url)
    return gcs.Client(project="tuneline-local", credentials=AnonymousCredentials())


@pytest.fixture
def bucket(client: gcs.Client, request: pytest.FixtureRequest) -> gcs.Bucket:
    """A bucket of the test's own."""
    return client.create_bucket(f"test-{os.getpid()}-{abs(hash(request.node.nodeid)) % 10**10}", location="us-central1")


@pytest.fixture
def http(shared_service: Service) -> Callable[..., requests.Response]:
    """Plain requests on the shared service: `http("GET", "/storage/v1/b/...")`."""
    session = requests.Session()

    def call(method: str, path: str, **rest: object) -> requests.Response:
        return session.request(method, shared_service.url + path, timeout=60, **rest)

    return call
