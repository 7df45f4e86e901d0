"""Node's official @google-cloud/storage, from npm and unmodified, finds its Cloud Storage here by environment alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tuneline.testing import LocalVertex


@pytest.mark.slow
@pytest.mark.parametrize("way", ["by STORAGE_EMULATOR_HOST", "by the proxy, as storage.googleapis.com"])
def test_nodes_client_works_unmodified(fresh_vertex: LocalVertex, node: Path, tmp_path: Path, way: str) -> None:
    """Uploads of all kinds, downloads, copies, conditions, parts in parallel, lists, access lists, versions."""
    environment = fresh_vertex.environment() | {"NODE_NO_WARNINGS": "1"}
    through_proxy = way.startswith("by the proxy")
    if through_proxy:
        del environment["STORAGE_EMULATOR_HOST"]
    ran = subprocess.run(
        ["node", "storage.mjs", str(tmp_path / "big")],
        env=environment,
        cwd=node,
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
