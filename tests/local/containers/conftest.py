"""An image made of this machine's own shell, so that nothing has to be pulled from a registry."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuneline.local import containers
from tuneline.local.resources.errors import ApiError

PROGRAMS = ("sh", "cat", "cp", "echo", "env", "id", "ls", "mkdir", "sleep", "touch")


@pytest.fixture(scope="session")
def engine() -> containers.Engine:
    """The engine of this machine."""
    try:
        return containers.find()
    except ApiError as error:
        pytest.skip(error.message)


@pytest.fixture(scope="session")
def image(engine: containers.Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of an image that has a shell and a few programs."""
    archive = tmp_path_factory.mktemp("image") / "root.tar"
    found = {name: shutil.which(name) for name in PROGRAMS}
    with tarfile.open(archive, "w") as root:
        libraries = set()
        for name, path in found.items():
            assert path is not None, f"{name} is not on this machine"
            root.add(os.path.realpath(path), f"bin/{name}")
            listed = subprocess.run(["ldd", os.path.realpath(path)], capture_output=True, text=True, check=False).stdout
            libraries |= set(re.findall(r"(/\S+) \(0x", listed))
        for library in sorted(libraries):
            root.add(os.path.realpath(library), library.lstrip("/"))
    name = f"localhost/tuneline-test-shell:{uuid.uuid4().hex[:8]}"
    made = engine.call("import", "--change", "ENV PATH=/bin", str(archive), name)
    assert made.returncode == 0, made.stderr
    yield name
    engine.call("rmi", "--force", name)


def left(engine: containers.Engine, data: Path) -> list[str]:
    """The ids of the service's containers that are still there."""
    label = containers.engine.label_of(data)
    return engine.call("ps", "--all", "--quiet", "--filter", f"label={label}").stdout.split()
