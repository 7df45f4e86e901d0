"""A client of the tuning service, and one tuned model for all tests that need any."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.behaviours.tuning import PAIRS, PROJECT, put, succeeded, supervised

_tuned: dict[str, str] = {}


@pytest.fixture
def genai_client(vertex_environment: Any) -> Any:
    """google-genai, redirected by environment alone."""
    from google import genai

    return genai.Client(vertexai=True, project=PROJECT, location="us-central1")


@pytest.fixture
def tuned(genai_client: Any, vertex_environment: Any) -> Any:
    """A tuning job that has succeeded: two epochs, with validation, all that a request may name."""
    if vertex_environment.url not in _tuned:
        job = genai_client.tunings.tune(
            base_model="gemini-2.5-flash",
            training_dataset={"gcs_uri": put(vertex_environment, "shared.jsonl", supervised(PAIRS))},
            config={
                "epoch_count": 2,
                "adapter_size": "ADAPTER_SIZE_FOUR",
                "tuned_model_display_name": "numbers",
                "labels": {"team": "words"},
                "validation_dataset": {
                    "gcs_uri": put(vertex_environment, "shared-eval.jsonl", supervised([("twelve", "thirteen")] * 3))
                },
                "encryption_spec": {
                    "kms_key_name": f"projects/{PROJECT}/locations/us-central1/keyRings/r/cryptoKeys/k"
                },
            },
        )
        _tuned[vertex_environment.url] = succeeded(genai_client, job).name
    return genai_client.tunings.get(name=_tuned[vertex_environment.url])
