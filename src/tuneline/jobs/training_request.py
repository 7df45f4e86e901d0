"""From a plan and its staged data to the CustomJob that trains: the worker pool of the slice around our trainer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from tuneline import errors, objects
from tuneline.errors import Problem, UsageError
from tuneline.jobs.engines import Request

CONFIGS = "tuneline/configs"

# Vertex AI's default limit for a training job: 7 days.
_LONGEST = f"{7 * 24 * 3600}s"
# How long flex start may wait for its machines before the job expires: a day. (ours)
_FLEX_WAIT = f"{24 * 3600}s"

_STRATEGIES = {"standard": "STANDARD", "spot": "SPOT", "flex_start": "FLEX_START", "reservation": "STANDARD"}

# Keys of the trainer's config that come from the plan's hyperparameters as they are; docs/trainer.md.
_HYPERPARAMETERS = (
    "train_steps",
    "batch_size",
    "learning_rate",
    "learning_rate_multiplier",
    "adapter_size",
    "max_length",
    "evaluation_interval",
    "early_stopping",
    "seed",
    "max_new_tokens",
)


def request(
    plan: Mapping[str, Any],
    staged: Mapping[str, Mapping[str, Any]],
    *,
    seed: int | None = None,
    run: str = "",
    force: bool | None = None,
    on_cancel: Literal["cancel", "leave"] | None = None,
) -> Request:
    """The request for one tuning job; writes its `config.json` under a name made of its content.

    Args:
        plan: as `Plan.to_dict()` gives it.
        staged: split (`train`, `evaluation`, `test`) → `{uri, digest, crc32c, examples}`.
        run: who asks, e.g. the pipeline job's name, so that a try again is known as one.
        seed, force, on_cancel: instead of the plan's own.

    Raises:
        UsageError: the plan names a way of provisioning that does not exist.
    """
    config = trainer_config(plan, staged)
    if seed is not None:
        config["seed"] = seed
    staging = plan["staging_uri"].rstrip("/")
    return Request(
        project=plan["project"],
        location=plan["regions"]["tuning"],
        display_name=plan["model_display_name"],
        body=_body(plan, _write_config(staging, config)),
        staging=staging,
        # The data by digest: other data at the same URI is another job.
        identity={
            "config": config,
            "data": {split: entry.get("digest", "") for split, entry in staged.items()},
            "base_model_digest": plan.get("base_model_digest", ""),
        },
        labels=plan.get("labels") or {},
        force=bool(plan.get("force")) if force is None else force,
        run=run,
        on_cancel=on_cancel or plan.get("on_cancel") or "cancel",
    )


def trainer_config(plan: Mapping[str, Any], staged: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The trainer's `config.json`, version 1 (docs/trainer.md); 0 and '' are the base model's own recommendation.

    The job predicts over the test set at its end, on its own slice; where there is none, over the evaluation set.
    """
    hyperparameters = plan["hyperparameters"]
    uris = {split: str((staged.get(split) or {}).get("uri") or "") for split in ("train", "evaluation", "test")}
    return {
        "version": 1,
        "base_model": plan["base_model_uri"],
        "train_data": uris["train"],
        "evaluation_data": uris["evaluation"],
        "prediction_data": uris["test"] or uris["evaluation"],
        "format": plan.get("format") or "palm-text",
        "default_context": plan.get("default_context") or "",
        **{key: hyperparameters[key] for key in _HYPERPARAMETERS if key in hyperparameters},
    }


def _write_config(staging: str, config: Mapping[str, Any]) -> str:
    """The URI of the config, which is named by its content: the same config is the same object."""
    data = (json.dumps(config, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
    uri = objects.join(staging, CONFIGS, f"{hashlib.sha256(data).hexdigest()}.json")
    try:
        objects.create(uri, data)
    except errors.AlreadyExists:
        return uri
    return uri


def _body(plan: Mapping[str, Any], config_uri: str) -> dict[str, Any]:
    """The CustomJob but for what the claim adds. Field names as in `google.cloud.aiplatform.v1.CustomJob`."""
    chosen = plan["slice"]
    spec: dict[str, Any] = {
        "workerPoolSpecs": [
            {
                "machineSpec": _machine(plan),
                # A pod slice of a TPU is one replica: the service lays its hosts out by the topology.
                "replicaCount": str(chosen.get("replicaCount") or 1),
                "containerSpec": {
                    "imageUri": plan["trainer_image"],
                    "command": ["python", "-m", "tuneline.trainer"],
                    "args": ["--config", config_uri],
                },
            }
        ],
        "scheduling": _scheduling(plan),
    }
    if chosen.get("diskSpec"):
        spec["workerPoolSpecs"][0]["diskSpec"] = chosen["diskSpec"]
    for field, key in (("serviceAccount", "service_account"), ("network", "network")):
        if plan.get(key):
            spec[field] = plan[key]
    if plan.get("job_tensorboard"):
        spec["tensorboard"] = plan["job_tensorboard"]
    body: dict[str, Any] = {"jobSpec": spec}
    if plan.get("encryption_spec_key_name"):
        body["encryptionSpec"] = {"kmsKeyName": plan["encryption_spec_key_name"]}
    return body


def _machine(plan: Mapping[str, Any]) -> dict[str, Any]:
    machine = dict(plan["slice"]["machineSpec"])
    if plan.get("provisioning") == "reservation":
        machine["reservationAffinity"] = plan["slice"].get("reservationAffinity") or {
            "reservationAffinityType": "ANY_RESERVATION"
        }
    return machine


def _scheduling(plan: Mapping[str, Any]) -> dict[str, Any]:
    """How the job gets its machines, and what becomes of it when it loses them: it starts again and resumes."""
    provisioning = plan.get("provisioning") or "standard"
    if provisioning not in _STRATEGIES:
        raise UsageError(
            [
                Problem(
                    where="provisioning",
                    what=f"`{provisioning}` is unknown",
                    fix="one of: " + ", ".join(_STRATEGIES),
                )
            ]
        )
    scheduling: dict[str, Any] = {
        "strategy": _STRATEGIES[provisioning],
        "timeout": _LONGEST,
        "restartJobOnWorkerRestart": True,
    }
    if provisioning == "flex_start":
        scheduling["maxWaitDuration"] = _FLEX_WAIT
    return scheduling
