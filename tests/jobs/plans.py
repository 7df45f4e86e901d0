"""A plan and its staged data, as the steps hand them to this room."""

from __future__ import annotations

from typing import Any

KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
TENSORBOARD = "projects/p/locations/us-central1/tensorboards/1"


def plan(staging: str = "gs://tuneline-local", **changes: Any) -> dict[str, Any]:
    """A plan for the smallest base on a CPU; `training__seed=1` changes a nested value."""
    made: dict[str, Any] = {
        "project": "tuneline-local",
        "model_display_name": "numbers",
        "engine": "custom_training",
        "regions": {"pipeline": "us-central1", "tuning": "us-central1", "upload": "europe-west4"},
        "base_model": {"uri": "builtin:tiny"},
        "train": {"format": "palm-text"},
        "default_context": "",
        "slice": {"machine_spec": {"machineType": "e2-standard-16"}, "replica_count": 1},
        "provisioning": "standard",
        "training": {
            "train_steps": 20,
            "batch_size": 8,
            "learning_rate": 0,
            "learning_rate_multiplier": 1.0,
            "adapter_size": 0,
            "max_length": 0,
            "evaluation_interval": 10,
            "early_stopping": True,
            "seed": 0,
        },
        "trainer_image": "us-docker.pkg.dev/tuneline/images/tuneline-trainer:0.1",
        "staging_uri": staging,
        "labels": {},
        "on_cancel": "cancel",
        "force": False,
    }
    for name, value in changes.items():
        section, _, key = name.partition("__")
        if key:
            made[section] = {**made[section], key: value}
        else:
            made[section] = value
    return made


def staged(digest: str = "a1", uri: str = "gs://tuneline-local/data/train.jsonl") -> dict[str, Any]:
    """Staged data: a training and an evaluation set."""
    return {
        "train": {"uri": uri, "digest": digest, "crc32c": "", "examples": 40},
        "evaluation": {"uri": uri, "digest": digest, "crc32c": "", "examples": 40},
        "test": None,
    }
