"""Node's official @google-cloud/aiplatform, unmodified from npm, works on the local service by environment alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuneline.testing import LocalVertex


@pytest.mark.slow
def test_nodes_client_uploads_tunes_prompts_and_runs(fresh_vertex: LocalVertex, node: Path) -> None:
    """Started by `tuneline local run --`: models with versions and filters, errors, tuning, prompts, a pipeline."""
    command = [sys.executable, "-m", "tuneline", "local", "run", "--data", str(fresh_vertex.data), "--"]
    ran = subprocess.run(
        [*command, "node", "vertex.mjs"],
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
        cwd=node,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    models = {
        "display": "node",
        "listed": 1,
        "aliases": ["default", "champion"],
        "missing": 5,
        "refused": True,
    }
    assert found["grpc"] == models
    assert found["rest"] == {**models, "missing": 404}
    assert found["tuning"] == {
        "state": "JOB_STATE_SUCCEEDED",
        "listed": True,
        "answered": True,
        "streamed": True,
        "predicted": "string",
    }
    assert found["pipeline"] == {"state": "PIPELINE_STATE_SUCCEEDED", "tasks": ["a", "node"]}
    transports = {call["transport"] for call in fresh_vertex.calls("UploadModel")}
    assert transports == {"grpc", "rest"}
