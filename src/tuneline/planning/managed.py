"""The plan of a job that a service of Google's carries out: a TuningJob, or a tuned model of the developer API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tuneline import catalog
from tuneline.planning import cost
from tuneline.planning.model import BaseModel, Data, Managed, Quota, Range, Regions, Training
from tuneline.planning.rules import Context


def made(context: Context, data: Callable[[str], Data | None]) -> dict[str, Any]:
    """The plan's fields but for notes and warnings, once no rule speaks against it."""
    train, evaluation = data("train"), data("evaluation")
    assert train is not None  # rule readable-data
    region = context.upload_region
    epochs = context["epoch_count"]
    return {
        "template": context.template,
        "project": context["project"],
        "model_display_name": context[context.names.display_name],
        "engine": context.names.engine,
        "local": context.local,
        "regions": Regions(pipeline=context.region, tuning=region, upload=region),
        "base_model": _base_model(context),
        "train": train,
        "evaluation": evaluation,
        "test": data("test"),
        "default_context": "",
        "slice": None,
        "provisioning": "standard",
        "training": _training(context, train, evaluation),
        "managed": Managed(
            export_last_checkpoint_only=bool(context["export_last_checkpoint_only"]),
            preference=bool(context["preference_tuning"]),
            beta=context["beta"] or 0.0,
            checkpoint_id=context["checkpoint_id"] or "",
            tuned_model_id=context["tuned_model_id"] or "",
            api_key_secret=context["api_key_secret"] or "",
            prediction_limit=context["prediction_limit"],
            predictions_per_minute=context["predictions_per_minute"],
        ),
        "trainer_image": "",
        "serving_image": "",
        "staging_uri": context["staging_uri"],
        "encryption_key": context.key,
        "service_account": context["service_account"] or "",
        "labels": context["labels"] or {},
        "force": context["force"],
        "on_cancel": context["on_cancel"],
        "max_cost_usd": context["max_cost_usd"],
        "max_dropped_share": context["max_dropped_share"],
        "duration_s": Range(unknown="the service does not say how long its tuning takes"),
        "cost_usd": cost.of_tokens(context.model, train, epochs, local=context.local),
        "quotas": () if context.local else _quotas(context.names.engine, region),
        "permissions": () if context.local else tuple(_permissions(context)),
    }


def notes(context: Context) -> list[str]:
    """What is worth knowing of a managed job."""
    told = []
    evaluated = [which for which in ("evaluation", "test") if context[context.names.sets[which]]]
    if evaluated:
        limit = context["prediction_limit"]
        rows = f"up to {limit:,} rows" if limit else "every row"
        told.append(
            f"the base and the tuned model answer {rows} of the {' and the '.join(evaluated)} set once"
            + (", each checkpoint those of the evaluation set" if _on_vertex(context) else "")
            + ": inference is billed, and is not in the cost above"
        )
    if not context["epoch_count"]:
        told.append("epoch_count is not given: the service fits it to the size of the set")
    return told


def _base_model(context: Context) -> BaseModel:
    """The catalogue's model, or the tuned model that is tuned further; here a small model stands in for it."""
    model = context.model
    name = model.name if model else context.reference
    return BaseModel(
        requested=context.reference,
        reference=name.rsplit("/", 1)[-1].partition("@")[0],
        name=name,
        family="generation",
        uri="",
        stand_in=context.local,
    )


def _training(context: Context, train: Data, evaluation: Data | None) -> Training:
    """What was asked of the service; 0 is its own choice."""
    epochs, batch = context["epoch_count"], context["batch_size"] or 0
    selection = (context["enable_checkpoint_selection"] or "false").lower()
    several = _on_vertex(context) and not context["export_last_checkpoint_only"]
    return Training(
        train_steps=0,
        batch_size=batch,
        examples_seen=epochs * train.examples,
        epochs=epochs,
        learning_rate=context["learning_rate"] or 0.0,
        learning_rate_multiplier=context["learning_rate_multiplier"],
        adapter_size=context["adapter_size"] or 0,
        max_length=0,
        evaluation_interval=0,
        early_stopping=False,
        checkpoint_selection=several and evaluation is not None and selection in ("true", "default"),
        seed=0,
    )


def _quotas(engine: str, region: str) -> tuple[Quota, ...]:
    """One of what the service allows at a time."""
    held = catalog.current().quotas.get(engine)
    return (Quota(name=held.name, region=region, amount=1),) if held else ()


def _on_vertex(context: Context) -> bool:
    return context.names.engine == "vertex_tuning"


def _permissions(context: Context) -> list[str]:
    if not _on_vertex(context):
        secret = context["api_key_secret"]
        return [f"roles/secretmanager.secretAccessor on {secret}"] if secret else []
    needed = [
        "aiplatform.tuningJobs.create, endpoints.predict and models.update on the project (roles/aiplatform.user)",
        "storage.objects.create, get and list on the staging bucket (roles/storage.objectUser)",
    ]
    account = context["service_account"]
    if account:
        # https://cloud.google.com/vertex-ai/generative-ai/docs/models/tune-gemini: a custom account of the job.
        needed.append(f"{account}: roles/aiplatform.tuningServiceAgent")
        needed.append(f"the tuning service agent: roles/iam.serviceAccountTokenCreator on {account}")
    if context.key:
        needed.append(f"the Vertex AI service agent: roles/cloudkms.cryptoKeyEncrypterDecrypter on {context.key}")
    return needed
