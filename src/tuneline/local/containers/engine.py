"""Which container engine this machine has, and what it needs to be called."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tuneline.local.resources.errors import ApiError

PROGRAMS = ("docker", "podman")
"""Command lines that are understood, in the order in which they are tried."""
LABEL = "dev.tuneline.data"
"""Label of every container of the service; its value tells the data folder."""
ENVIRONMENT = (
    "PATH",
    "HOME",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "CONTAINER_HOST",
    "TMPDIR",
)
"""What the engine's command line has of the service's own environment; a container has none of it."""
USED = "containers"
"""Name of a folder of the data folder that is there once a container was wanted."""
LOCAL_HOSTS = ("unix://", "fd://")
ANSWER_S = 20.0
KNOWN_FOR_S = 30.0
"""How long an answer of `find` is taken for true."""

log = logging.getLogger("tuneline.local")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A command line that works."""

    program: str
    environment: dict[str, str]

    def call(
        self, *arguments: str, environment: Mapping[str, str] | None = None, timeout_s: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of it, with more in its environment if given; the caller looks at how it ended."""
        line = [self.program, *arguments]
        whole = {**self.environment, **(environment or {})}
        return subprocess.run(line, env=whole, capture_output=True, text=True, timeout=timeout_s, check=False)


_known: tuple[float, Engine] | None = None


def find() -> Engine:
    """The engine of this machine. Raises ApiError UNIMPLEMENTED, saying what is missing, where there is none."""
    global _known
    if _known is not None and time.monotonic() - _known[0] < KNOWN_FOR_S:
        return _known[1]
    found = _look()
    if isinstance(found, str):
        _known = None
        raise ApiError("UNIMPLEMENTED", found, reason="NO_CONTAINER_ENGINE")
    _known = (time.monotonic(), found)
    return found


def _look() -> Engine | str:
    """The first engine that answers, or why there is none."""
    if sys.platform != "linux":
        return f"containers are run on Linux alone, where they share the service's network; this is {sys.platform}"
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    failures = []
    for name in PROGRAMS:
        program = shutil.which(name)
        if program is None:
            continue
        engine = Engine(program=program, environment=environment)
        host = environment.get("DOCKER_HOST" if name == "docker" else "CONTAINER_HOST", "")
        if host and not host.startswith(LOCAL_HOSTS):
            failures.append(f"{name}: {host} is another machine, whose containers cannot reach this one")
            continue
        try:
            # Only a server that answers can run anything; podman, which has none, looks at its containers.
            asked = engine.call("ps", "--quiet", timeout_s=ANSWER_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            failures.append(f"{name}: {error}")
            continue
        if asked.returncode == 0:
            return engine
        failures.append(f"{name}: {(asked.stderr.strip().splitlines() or ['it does not answer'])[-1]}")
    if failures:
        return f"no container engine can be used ({'; '.join(failures)})"
    return f"there is no container engine on this machine: install one of {', '.join(PROGRAMS)}"


def for_use(data: Path) -> Engine:
    """`find`, for a container of this data folder: from now on a start of the service looks for what was left."""
    engine = find()
    (data / USED).mkdir(exist_ok=True)
    return engine


def label_of(data: Path) -> str:
    """The label of the containers of one data folder."""
    return f"{LABEL}={hashlib.sha256(str(data.absolute()).encode()).hexdigest()[:16]}"


def sweep(data: Path) -> int:
    """Remove every container that an earlier service of this folder left behind; how many there were."""
    if not (data / USED).exists():
        return 0
    try:
        engine = find()
        labelled = ("--filter", f"label={label_of(data)}")
        left = engine.call("ps", "--all", "--quiet", *labelled, timeout_s=ANSWER_S).stdout.split()
        if left:
            engine.call("rm", "--force", *left, timeout_s=ANSWER_S)
        return len(left)
    except (ApiError, OSError, subprocess.TimeoutExpired) as error:
        # Without an engine that answers nothing can be removed; the service is of use all the same.
        log.warning("containers that an earlier service may have left were not looked for: %s", error)
        return 0
