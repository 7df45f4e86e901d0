"""Starting, finding and stopping the local Vertex AI, for `tuneline local` and `tuneline run --local`.

A service is known by its data folder. `service.json` there says which process serves it and where; a process that no
longer answers, or that is another one with a recycled id, counts as none.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneline.errors import InvalidArgument, TunelineError, Unavailable

IDLE_STOP_S = 30 * 60
"""A service started on demand stops after this long without a request or a running job."""
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class LocalService:
    """A local Vertex AI that answers now."""

    url: str
    pid: int
    data: Path
    started_here: bool = False
    """Whether this call started it, rather than found it."""


def default_data() -> Path:
    """The folder of the user's own service: `$TUNELINE_DATA`, else `tuneline/local` in the user's state folder."""
    if chosen := os.environ.get("TUNELINE_DATA"):
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "tuneline" / "local"


def find(data: Path) -> LocalService | None:
    """The service that serves `data` and answers, or None."""
    try:
        record = json.loads((data / "service.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    status = _ask(f"{record['url']}/_tuneline/status")
    if status is None or status.get("pid") != record["pid"]:
        return None
    return LocalService(url=record["url"], pid=record["pid"], data=data)


def ensure(data: Path, *, port: int = 0, idle_stop_s: float = IDLE_STOP_S) -> LocalService:
    """The service of `data`, started if none runs; ready to answer when this returns.

    `port` 0 means the port it had before, or a free one. Raises `Unavailable` with the end of the service's own log
    where it does not come up.
    """
    found = find(data)
    return found if found else start(data, port=port, idle_stop_s=idle_stop_s)


def start(data: Path, *, port: int = 0, idle_stop_s: float = IDLE_STOP_S) -> LocalService:
    """Start a service for `data` in the background, and wait until it answers."""
    data.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tuneline.local", "--data", str(data), "--port", str(port)]
    with (data / "service.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--idle-stop", str(idle_stop_s)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        found = find(data)
        if found:
            # Another command may have won the race for the folder: then its service is the one to use.
            return LocalService(url=found.url, pid=found.pid, data=data, started_here=found.pid == process.pid)
        if process.poll() is not None and not (data / "service.json").exists():
            break
        time.sleep(0.02)
    raise Unavailable(f"the local service did not start on {data}:\n{_log_tail(data)}")


def stop(data: Path) -> bool:
    """Stop the service of `data`; True if one was running. Its jobs go on when it is started again."""
    found = find(data)
    if not found:
        return False
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _ask(f"{found.url}/_tuneline/status") is not None:
        if time.monotonic() > deadline:
            raise TunelineError(f"the local service (process {found.pid}) does not stop; its log is {data}/service.log")
        time.sleep(0.02)
    return True


def reset(data: Path) -> None:
    """Stop the service of `data` and delete everything it holds: jobs, models, objects, certificates."""
    stop(data)
    if data.exists() and any(data.iterdir()) and not (data / "format.json").exists():
        raise TunelineError(f"{data} does not look like a local service's folder (no format.json): nothing was deleted")
    shutil.rmtree(data, ignore_errors=False) if data.exists() else None


def use(service: LocalService) -> None:
    """Send everything this process does from now on to the local service."""
    from tuneline.local.redirect import environment

    for name in (
        "TUNELINE_LOCAL_URL",
        "TUNELINE_REGION",
        "TUNELINE_STAGING",
        "STORAGE_EMULATOR_HOST",
        "GOOGLE_CLOUD_PROJECT",
    ):
        os.environ[name] = environment(service.url, service.data)[name]


def running(data: Path) -> LocalService:
    """The service that serves `data`. Raises `Unavailable` where none runs, and says how to start one."""
    found = find(data)
    if found is None:
        raise Unavailable(f"no service runs on {data}; start one with: tuneline local up")
    return found


def tell(service: LocalService, verb: str, path: str, body: object = None) -> dict[str, Any]:
    """The answer of the service's own small API below `/_tuneline`.

    Raises `InvalidArgument` with the service's words where it refuses, `Unavailable` where it does not answer.
    """
    found = _exchange(verb, f"{service.url}/_tuneline{path}", body, timeout_s=30)
    if found is None:
        raise Unavailable(f"the local service at {service.url} does not answer")
    status, answer = found
    if status != 200:
        error = answer.get("error", {})
        raise InvalidArgument(str(error.get("message", answer)), status=status, reason=str(error.get("status", "")))
    return answer


def make_bucket(service: LocalService, name: str) -> None:
    """A bucket of that name in the local Cloud Storage, whether or not it was there. Raises `InvalidArgument`."""
    found = _exchange("POST", f"{service.url}/storage/v1/b?project=local", {"name": name}, timeout_s=30)
    if found is None:
        raise Unavailable(f"the local service at {service.url} does not answer")
    if found[0] not in (200, 409):
        raise InvalidArgument(str(found[1].get("error", {}).get("message", found[1])), status=found[0])


def status(service: LocalService) -> dict[str, Any]:
    """What the service says of itself: address, data, running jobs, stand-ins."""
    return tell(service, "GET", "/status")


def calls(service: LocalService) -> list[dict[str, Any]]:
    """The newest API calls that the service has answered since it started (at most 5,000), oldest first."""
    return list(tell(service, "GET", "/calls")["calls"])


def _ask(url: str, timeout_s: float = 5.0) -> dict[str, Any] | None:
    """The JSON at a loopback URL, or None where nobody answers it."""
    found = _exchange("GET", url, timeout_s=timeout_s)
    return found[1] if found is not None and found[0] == 200 else None


def _exchange(verb: str, url: str, body: object = None, *, timeout_s: float) -> tuple[int, dict[str, Any]] | None:
    """(status, JSON) of a request to loopback, never by a proxy; None where nobody answers."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    sent = None if body is None else json.dumps(body)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(verb, target, sent, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException, json.JSONDecodeError):
        return None
    finally:
        connection.close()


def _log_tail(data: Path, lines: int = 15) -> str:
    log = data / "service.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"
