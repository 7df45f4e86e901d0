"""Promise: programs written for Google's cloud run here unchanged, by `tuneline local run` alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parent / "samples"
LEFT_TO_US = ("GOOGLE_CLOUD_LOCATION", "GOOGLE_GENAI_USE_VERTEXAI", "TUNELINE_DATA")


@pytest.mark.parametrize(
    "sample",
    [
        "genai_life.py",
        pytest.param("genai_async.py", marks=pytest.mark.slow),
        pytest.param("older_sdk.py", marks=pytest.mark.slow),
        pytest.param("code_model.py", marks=pytest.mark.slow),
    ],
)
def test_a_sample_runs_to_its_end(local_vertex: Any, sample: str) -> None:
    """Each asserts what it sees, and prints `done`."""
    command = [sys.executable, "-m", "tuneline", "local", "run", "--data", str(local_vertex.data), "--"]
    own = {name: value for name, value in os.environ.items() if name not in LEFT_TO_US}
    ran = subprocess.run(
        [*command, sys.executable, str(SAMPLES / sample)], capture_output=True, text=True, timeout=280, env=own
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("done projects/")
