"""Node's official @google-cloud/storage, from npm and unmodified, finds its Cloud Storage here by environment alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tuneline.testing import LocalVertex

PROGRAM = Path(__file__).with_name("node_client.mjs")
PACKAGE = "@google-cloud/storage@7"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node and npm")
@pytest.mark.parametrize("way", ["by STORAGE_EMULATOR_HOST", "by the proxy, as storage.googleapis.com"])
def test_nodes_client_works_unmodified(fresh_vertex: LocalVertex, tmp_path: Path, way: str) -> None:
    """Uploads of all kinds, downloads, copies, conditions, parts in parallel, lists, access lists, versions."""
    (tmp_path / "package.json").write_text('{"private": true}')
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", PACKAGE], cwd=tmp_path, check=True)
    program = tmp_path / PROGRAM.name
    shutil.copy(PROGRAM, program)
    environment = fresh_vertex.environment() | {"NODE_NO_WARNINGS": "1"}
    through_proxy = way.startswith("by the proxy")
    if through_proxy:
        del environment["STORAGE_EMULATOR_HOST"]
    ran = subprocess.run(
        ["node", str(program), str(tmp_path / "big")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "text": "hello",
        "big": True,
        "chunked": True,
        "range": 5,
        "metadata": {"k": "v"},
        "missing": False,
        "components": 2,
        "taken": 412,
        "packed": 9999,
        **({"parts": str(12 << 20)} if through_proxy else {}),
        "acl": ["allUsers:READER"],
        "permissions": {"storage.objects.get": True},
        "labels": {"a": "b"},
        "listed": ["a/"],
        "buckets": ["node-bucket", "tuneline-local"],
        "gone": False,
    }
