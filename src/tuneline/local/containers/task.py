"""What a container is to do, as it is written into its folder: `task.json`, which `run` carries out."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneline.local.containers.engine import Engine, label_of
from tuneline.local.folder import write_json

HOME = "/tuneline"
"""Where the container finds what the service gives it beside the objects, and leaves the parameters it puts out."""
MOUNT = "/gcs/"
"""Where Vertex AI mounts Cloud Storage."""
_IN_MOUNT = re.compile(r"(?<![\w/])/gcs/([a-z0-9][a-z0-9._-]*(?:/[^\s'\";|&<>()$`]*)?)")
OF_THIS_MACHINE = ("PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "XDG_CACHE_HOME", "PYTHONPATH", "TUNELINE_DATA")
"""What of a process's environment means nothing inside an image."""
CERTIFICATE = f"{HOME}/ca.pem"


def environment(given: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process as one for a container: the image's own places, or those that its author names in
    `own`, and our certificate's."""
    inside = {name: value for name, value in given.items() if name not in OF_THIS_MACHINE}
    inside |= {name: own[name] for name in OF_THIS_MACHINE if name in own}
    certificate = given.get("SSL_CERT_FILE", "")
    for name, value in inside.items():
        if certificate and value == certificate:
            inside[name] = CERTIFICATE
    if "CLOUDSDK_CONFIG" in inside:
        inside["CLOUDSDK_CONFIG"] = f"{HOME}/gcloud"
    return inside


def command(
    folder: Path,
    engine: Engine,
    *,
    data: Path,
    image: str,
    entrypoint: Sequence[str],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    certificate: str,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    installs: bool = False,
    record: Mapping[str, Any] | None = None,
) -> list[str]:
    """Write `task.json` into the folder; the process to start there.

    `inputs` are `gs://` addresses, of objects or folders, that the container finds below `/gcs/`, beside those that its
    command line names; `outputs` are those that it is to write. `installs`: it begins with a pip of its own, which gets
    the user's settings. `record` is kept in the file for whoever reads it afterwards.
    """
    task = {
        **(record or {}),
        "engine": {"program": engine.program, "environment": engine.environment},
        "label": label_of(data),
        "image": image,
        "entrypoint": list(entrypoint),
        "arguments": list(arguments),
        "environment": dict(environment),
        "certificate": certificate,
        "installs": installs,
        "made": list(outputs),
        "fetch": [*inputs, *named([*entrypoint, *arguments, *environment.values()])],
    }
    write_json(folder / "task.json", task)
    return [sys.executable, "-m", "tuneline.local.containers.run", str(folder)]


def named(words: Sequence[str]) -> list[str]:
    """The objects or folders that words name by their place in the mount: `--data=/gcs/bucket/x` → `gs://bucket/x`."""
    return [f"gs://{name}" for word in words for name in _IN_MOUNT.findall(word)]


def here(folder: Path, path: str) -> Path:
    """Where a file of the container's own folder lies on this machine, once the container has ended."""
    return folder / path.removeprefix(f"{HOME}/")
