"""Promise: any folder in Hugging Face's form can stand in for Google's models here, and is what trains and answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.trainer.conftest import FAST_COMPILE, make_base
from tuneline.testing import LocalVertex

PARENT = "/v1/projects/p/locations/us-central1"


@pytest.fixture
def vertex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A service with a random Llama as its stand-in."""
    monkeypatch.setenv("TUNELINE_STAND_IN", str(make_base(tmp_path / "small-llama")))
    monkeypatch.setenv("XLA_FLAGS", FAST_COMPILE)
    started = LocalVertex(tmp_path / "data").start()
    yield started
    started.stop()


@pytest.mark.slow
def test_a_folder_is_tuned_and_answers_in_place_of_gemini(vertex: LocalVertex, tmp_path: Path) -> None:
    """A tuning job trains the folder, says so, and its endpoint and the base model answer with it."""
    turn = [{"role": "user", "parts": [{"text": "one"}]}, {"role": "model", "parts": [{"text": "two"}]}]
    data = "\n".join(json.dumps({"contents": turn}) for _ in range(12)).encode()
    vertex.request("POST", "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=train.jsonl", data)
    spec = {"trainingDatasetUri": "gs://tuneline-local/train.jsonl", "hyperParameters": {"epochCount": 1}}
    job = vertex.request(
        "POST", f"{PARENT}/tuningJobs", {"baseModel": "gemini-2.5-flash", "supervisedTuningSpec": spec}
    )
    deadline = time.monotonic() + 150
    while job["state"] not in ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        job = vertex.request("GET", f"/v1/{job['name']}")
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert f"{tmp_path / 'small-llama'}, which stands in for gemini-2.5-flash" in job["description"]
    (result,) = vertex.data.rglob("output/result.json")
    used = json.loads(result.read_text())["base_model"]
    assert used["used"] == str(tmp_path / "small-llama")
    prompt = {"contents": [{"role": "user", "parts": [{"text": "one"}]}], "generationConfig": {"maxOutputTokens": 4}}
    for model in (
        job["tunedModel"]["endpoint"],
        "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash",
    ):
        answer = vertex.request("POST", f"/v1/{model}:generateContent", prompt)
        assert "small-llama" in answer["modelVersion"]


def test_a_folder_without_a_model_is_refused_at_once(tmp_path: Path) -> None:
    """The service does not start, and says which variable names what."""
    command = [sys.executable, "-m", "tuneline.local", "--data", str(tmp_path / "data")]
    environment = {**os.environ, "TUNELINE_STAND_IN": str(tmp_path / "nothing")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"TUNELINE_STAND_IN: no model at {tmp_path / 'nothing'}" in done.stderr
