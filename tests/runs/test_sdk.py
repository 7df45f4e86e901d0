"""`tuneline.submit` checks first, and gives back the SDK's own job, which goes wherever the SDK goes."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

import tuneline
from tuneline.errors import UsageError
from tuneline.testing import LocalVertex, local_vertex

__all__ = ["local_vertex"]

SCRIPT = """
    import tuneline

    job = tuneline.submit(
        "tune-large-model",
        {"model_display_name": "m", "large_model_reference": "llama-3.2-1b-instruct", "dataset_uri": "gs://tuneline-local/none"},
        project="tuneline-local", region="us-central1", pipeline_root="gs://tuneline-local/root")
    try:
        job.wait()
    except RuntimeError as error:
        assert "gs://tuneline-local/none" in str(error), error
    print(type(job).__module__, job.state.name)
"""


def test_a_refused_request_reaches_no_service():
    with pytest.raises(UsageError) as caught:
        tuneline.submit(
            "tune-large-model", {"train_stepz": 1}, project="p", region="us-centra1", pipeline_root="gs://b"
        )
    text = str(caught.value)
    assert "train_steps" in text
    assert "us-central1" in text


def test_it_is_the_sdks_job_and_its_error_is_the_steps_own(local_vertex: LocalVertex):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        env=local_vertex.environment(),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1].split() == ["google.cloud.aiplatform.pipeline_jobs", "PIPELINE_STATE_FAILED"]
