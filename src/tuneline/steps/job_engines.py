"""The engine of a plan, with what it needs to be allowed in; and its predictions over the plan's sets."""

from __future__ import annotations

from tuneline import jobs
from tuneline.google import secrets, session
from tuneline.jobs.gemini_api import GeminiApi
from tuneline.jobs.vertex_tuning import VertexTuning
from tuneline.planning import Plan
from tuneline.planning.model import Data, Managed
from tuneline.steps import staging


def engine_of(plan: Plan) -> jobs.Engine:
    """The plan's engine; the developer API's key is read where the plan says that it is kept.

    Raises:
        NotPermitted, NotFound: the secret with the key, in the service's own words.
    """
    if plan.managed and plan.managed.api_key_secret and not plan.local:
        session.use_api_key(secrets.read(plan.managed.api_key_secret))
    return jobs.engine(plan.engine)


def predict(plan: Plan, model: str, data: Data, *, run: str) -> str:
    """The URI of a model's predictions over one of the plan's sets, as it was staged; `model`: see `Prediction`.

    Raises:
        ServiceError, JobFailed: as `Engine.predict`.
    """
    managed = plan.managed or Managed()
    return engine_of(plan).predict(
        jobs.Prediction(
            project=plan.project,
            location=plan.regions.tuning,
            staging=plan.staging_uri,
            model=model,
            data_uri=staging.target(plan.staging_uri, data.digest),
            data_digest=data.digest,
            format=data.format,
            limit=managed.prediction_limit,
            per_minute=managed.predictions_per_minute,
            plan=plan.to_dict() if plan.engine == "custom_training" else {},
            run=run,
        )
    )


def base_target(plan: Plan, endpoint: str) -> str:
    """What answers as the untuned base beside the tuned model, for `predict`."""
    if plan.engine == "vertex_tuning":
        checkpoint = plan.managed.checkpoint_id if plan.managed else ""
        return VertexTuning().base_target(plan.base_model.requested, endpoint, checkpoint_id=checkpoint)
    return GeminiApi().base_target(plan.base_model.name) if plan.engine == "gemini_api" else ""
