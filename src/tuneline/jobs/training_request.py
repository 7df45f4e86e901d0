"""From a plan and its staged data to the CustomJob that trains: the worker pool of the slice around our trainer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tuneline import catalog, errors, objects
from tuneline.errors import Problem, UsageError
from tuneline.jobs.engines import Request

CONFIGS = "tuneline/configs"

# The service's default; a longer one is refused for some machines.
_LONGEST = f"{7 * 24 * 3600}s"
# The service's default for flex start: a day without machines, and the job expires.
_FLEX_WAIT = f"{24 * 3600}s"

# Keys of the trainer's config that stand in the plan's training section under the same name; docs/trainer.md.
_TRAINING = (
    "train_steps",
    "batch_size",
    "learning_rate",
    "learning_rate_multiplier",
    "adapter_size",
    "max_length",
    "evaluation_interval",
    "early_stopping",
    "seed",
)


def request(
    plan: Mapping[str, Any],
    staged: Mapping[str, Mapping[str, Any] | None],
    *,
    staging: str = "",
    run: str = "",
    seed: int | None = None,
    base_model_digest: str = "",
) -> Request:
    """The request for one tuning job; writes its `config.json` under a name made of its content.

    Args:
        plan: as `Plan.to_dict()` gives it, of engine `custom_training`.
        staged: split (`train`, `evaluation`, `test`) → `{uri, digest, crc32c, examples}`, or None where there is none.
        staging: where ledger, config and output lie, if the plan leaves it open: the bucket of the pipeline root.
        run: who asks, e.g. the pipeline job's name, so that a try again is known as one.
        seed: instead of the plan's.
        base_model_digest: of the base model's files, where the caller knows it.

    Raises:
        UsageError: no staging, or a way of provisioning that does not exist.
    """
    staging = (plan["staging_uri"] or staging).rstrip("/")
    if not staging:
        raise UsageError(
            [Problem(where="staging_uri", what="neither plan nor run names a bucket", fix="give `staging_uri`")]
        )
    config = trainer_config(plan, staged)
    if seed is not None:
        config["seed"] = seed
    return Request(
        project=plan["project"],
        location=plan["regions"]["tuning"],
        display_name=plan["model_display_name"],
        body=job_body(plan, write_config(staging, config)),
        staging=staging,
        # The data by digest: other data at the same URI is another job.
        identity={
            "config": config,
            "data": {split: entry.get("digest", "") for split, entry in staged.items() if entry},
            "base_model_digest": base_model_digest,
        },
        labels=plan.get("labels") or {},
        force=bool(plan.get("force")),
        run=run,
        on_cancel="leave" if plan.get("on_cancel") == "leave" else "cancel",
    )


def trainer_config(plan: Mapping[str, Any], staged: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """The trainer's `config.json`, version 1 (docs/trainer.md); what the plan leaves open is left out.

    The job predicts over the test set at its end, on its own slice; where there is none, over the evaluation set.
    """
    uris = {split: str((staged.get(split) or {}).get("uri") or "") for split in ("train", "evaluation", "test")}
    training = plan["training"]
    return {
        "version": 1,
        "base_model": plan["base_model"]["uri"],
        "train_data": uris["train"],
        "evaluation_data": uris["evaluation"],
        "prediction_data": uris["test"] or uris["evaluation"],
        "format": plan["train"]["format"],
        "default_context": plan.get("default_context") or "",
        **long_prompts(plan),
        # 0 leaves it to the trainer; false is a wish.
        **{key: training[key] for key in _TRAINING if training.get(key) or training.get(key) is False},
    }


def long_prompts(plan: Mapping[str, Any]) -> dict[str, str]:
    """What a stand-in does with prompts for which its context is too short and that of the model itself is not."""
    return {"long_prompts": "cut"} if plan["base_model"].get("stand_in") else {}


def write_config(staging: str, config: Mapping[str, Any]) -> str:
    """The URI of the config, which is named by its content: the same config is the same object."""
    data = (json.dumps(config, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
    uri = objects.join(staging, CONFIGS, f"{hashlib.sha256(data).hexdigest()}.json")
    try:
        objects.create(uri, data)
    except errors.AlreadyExists:
        return uri
    return uri


def job_body(plan: Mapping[str, Any], config_uri: str) -> dict[str, Any]:
    """The CustomJob but for what the claim adds. Field names as in `google.cloud.aiplatform.v1.CustomJob`."""
    chosen = plan["slice"]
    machine = dict(chosen["machine_spec"])
    if plan["provisioning"] == "reservation":
        machine.setdefault("reservationAffinity", {"reservationAffinityType": "ANY_RESERVATION"})
    spec: dict[str, Any] = {
        "workerPoolSpecs": [
            {
                "machineSpec": machine,
                # A pod slice of a TPU is one replica: the service lays its hosts out by the topology.
                "replicaCount": str(int(chosen["replica_count"])),
                "containerSpec": {
                    "imageUri": plan["trainer_image"],
                    "command": ["python", "-m", "tuneline.trainer"],
                    "args": ["--config", config_uri],
                },
            }
        ],
        "scheduling": _scheduling(plan["provisioning"]),
    }
    for field, key in (("serviceAccount", "service_account"), ("network", "network")):
        if plan.get(key):
            spec[field] = plan[key]
    # A CustomJob writes to a TensorBoard only in its own region and under a service account of the user's; any other
    # gets the curves from a step after the job. Source: spec/tune-large-model.md, "What it reports".
    tensorboard = plan.get("tensorboard") or ""
    if plan.get("service_account") and f"/locations/{plan['regions']['tuning']}/" in tensorboard:
        spec["tensorboard"] = tensorboard
    body: dict[str, Any] = {"jobSpec": spec}
    if plan.get("encryption_key"):
        body["encryptionSpec"] = {"kmsKeyName": plan["encryption_key"]}
    return body


def _scheduling(provisioning: str) -> dict[str, Any]:
    """How the job gets its machines, and what becomes of it when it loses them: it starts again, and resumes."""
    known = {way.name: way.strategy for way in catalog.provisioning()}
    if provisioning not in known:
        problem = Problem(where="provisioning", what=f"`{provisioning}` is unknown", fix="one of: " + ", ".join(known))
        raise UsageError([problem])
    scheduling: dict[str, Any] = {"timeout": _LONGEST, "restartJobOnWorkerRestart": True}
    if known[provisioning]:
        scheduling["strategy"] = known[provisioning]
    if provisioning == "flex_start":
        scheduling["maxWaitDuration"] = _FLEX_WAIT
    return scheduling
