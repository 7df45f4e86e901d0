"""What is asked of the plan's engine: one request for the plan as it stands, and one for each of its alternatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneline import datasets, jobs
from tuneline.planning import Plan
from tuneline.planning.model import Managed


def requests(plan: Plan, staged: Mapping[str, Any], *, run: str) -> tuple[jobs.Request, ...]:
    """The requests of one job, in the order in which they are tried where capacity is refused.

    Raises:
        UsageError, DatasetError: values or data that the engine's API cannot take.
    """
    return tuple(_request(choice, staged, run=run) for choice in plan.choices())


def _request(plan: Plan, staged: Mapping[str, Any], *, run: str) -> jobs.Request:
    if plan.engine == "vertex_tuning":
        return _tuning_job(plan, staged, run=run)
    if plan.engine == "gemini_api":
        return _tuned_model(plan, staged, run=run)
    return jobs.custom_training.request(plan.to_dict(), staged, run=run)


def _tuning_job(plan: Plan, staged: Mapping[str, Any], *, run: str) -> jobs.Request:
    managed, training = plan.managed or Managed(), plan.training
    return jobs.vertex_tuning.request(
        project=plan.project,
        location=plan.regions.tuning,
        display_name=plan.model_display_name,
        base_model=plan.base_model.name,
        training_data_uri=staged["train"]["uri"],
        validation_data_uri=(staged.get("evaluation") or {}).get("uri", ""),
        staging=plan.staging_uri,
        digests={name: staged[name]["digest"] for name in ("train", "evaluation") if staged.get(name)},
        epoch_count=int(training.epochs),
        adapter_size=training.adapter_size,
        learning_rate_multiplier=training.learning_rate_multiplier,
        export_last_checkpoint_only=managed.export_last_checkpoint_only,
        preference=managed.preference,
        beta=managed.beta,
        checkpoint_id=managed.checkpoint_id,
        encryption_key=plan.encryption_key,
        service_account=plan.service_account,
        labels=plan.labels,
        force=plan.force,
        run=run,
        on_cancel="leave" if plan.on_cancel == "leave" else "cancel",
    )


def _tuned_model(plan: Plan, staged: Mapping[str, Any], *, run: str) -> jobs.Request:
    managed, training = plan.managed or Managed(), plan.training
    rows = datasets.read_examples(staged["train"]["uri"], format=staged["train"]["format"])
    examples = [(example.prompt[-1].text, example.response) for example in rows]
    return jobs.gemini_api.request(
        display_name=plan.model_display_name,
        base_model=plan.base_model.name,
        examples=examples,
        staging=plan.staging_uri,
        epoch_count=int(training.epochs),
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        learning_rate_multiplier=training.learning_rate_multiplier,
        tuned_model_id=managed.tuned_model_id,
        force=plan.force,
        run=run,
        on_cancel="leave" if plan.on_cancel == "leave" else "cancel",
    )
