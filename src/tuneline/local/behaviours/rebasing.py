"""rebaseTunedModel: what was tuned is tuned again, from the job's own data, on the base that takes the old one's place.

"TunedModel reference to retrieve the legacy model information", says the definition; a Gemini job or model stands for
itself, a pipeline job of `tune-large-model` for the bison model that it tuned. The answer is an operation that is done
when the new job is there, whose response is that job.
"""

from __future__ import annotations

from typing import Any

from tuneline.local.behaviours.models import resolve
from tuneline.local.resources import standard
from tuneline.local.resources.behaviour import ApiError, Call, invalid, method
from tuneline.local.resources.names import location_of
from tuneline.local.tuning.request import base_model_of
from tuneline.local.tuning.spec import FIELDS

SERVICE = "google.cloud.aiplatform.{v}.GenAiTuningService."
V = "google.cloud.aiplatform.v1beta1."
DATA, NAME, MODEL = "dataset_uri", "model_display_name", "large_model_reference"
"""Parameters of `tune-large-model`."""


@method(SERVICE + "RebaseTunedModel")
def rebase_tuned_model(service: Any, request: Any, call: Call) -> Any:
    """Make the job that tunes again; what the request's own `tuningJob` says has the last word."""
    kind = request.tuned_model_ref.WhichOneof("tuned_model_ref")
    if kind is None:
        raise invalid("tunedModelRef", "Required field is not set: tunedModel, tuningJob or pipelineJob.")
    named = service.projects.by_id(getattr(request.tuned_model_ref, kind))
    found = {"tuned_model": _of_model, "tuning_job": _of_job, "pipeline_job": _of_pipeline}[kind](service, named)
    old, endpoint = found
    overrides = service.api.convert(request.tuning_job, V + "TuningJob")
    new = _again(service, old, overrides)
    private: dict[str, Any] = {"legacy": kind == "pipeline_job", "artifacts": _artifacts(request)}
    if request.deploy_to_same_endpoint:
        private["endpoint"] = _reused(service, endpoint, request.parent)
    create = service.api.methods[f"google.cloud.aiplatform.{call.version}.GenAiTuningService.CreateTuningJob"]
    with service.store.transaction():
        body = service.api.new(V + "CreateTuningJobRequest", parent=request.parent, tuning_job=new)
        job = standard.create(service, create, body, call)
        service.store.remember(job.name, {**service.store.private(job.name), **private})
        return service.operation(call, job, metadata="google.cloud.aiplatform.{v}.RebaseTunedModelOperationMetadata")


def _of_job(service: Any, name: str) -> tuple[Any, str]:
    """The job of that name and its endpoint."""
    job = service.store.get(name)
    if not job.tuned_model.model:
        raise ApiError("FAILED_PRECONDITION", f"The tuning job '{name}' has not succeeded: there is nothing to rebase.")
    return job, job.tuned_model.endpoint


def _of_model(service: Any, name: str) -> tuple[Any, str]:
    """The job that made the model version of that name."""
    version = resolve(service, name)
    maker = service.store.private(version.name).get("job", "")
    if not maker:
        raise invalid("tunedModelRef.tunedModel", f"'{name}' was not made by a tuning job.")
    return _of_job(service, maker)


def _of_pipeline(service: Any, name: str) -> tuple[Any, str]:
    """A supervised job with the data of a pipeline job of `tune-large-model`."""
    pipeline = service.store.get(name)
    given = pipeline.runtime_config.parameter_values
    parameters = {key: value.string_value for key, value in given.items()}
    data = parameters.get(DATA, "")
    if MODEL not in parameters or not data.startswith("gs://"):
        what = f"'{name}' is no job of tune-large-model on a dataset in Cloud Storage ({MODEL}, {DATA})."
        raise invalid("tunedModelRef.pipelineJob", what)
    job = service.api.new(V + "TuningJob", base_model=parameters[MODEL])
    job.tuned_model_display_name = parameters.get(NAME, "")
    job.supervised_tuning_spec.training_dataset_uri = data
    job.supervised_tuning_spec.validation_dataset_uri = parameters.get("evaluation_data_uri", "")
    return job, ""


def _again(service: Any, old: Any, overrides: Any) -> Any:
    """A new job as the old one was asked for, on the newer base."""
    from tuneline import catalog

    new = service.api.new(V + "TuningJob", tuned_model_display_name=old.tuned_model_display_name)
    for field in ("encryption_spec", *FIELDS):
        if old.HasField(field):
            getattr(new, field).CopyFrom(getattr(old, field))
    new.service_account = old.service_account
    new.labels.update(old.labels)
    before = base_model_of(old)
    entry = catalog.find_model(before)
    new.base_model = overrides.base_model or _gemini(catalog, entry)
    if not new.base_model:
        raise invalid("tuningJob.baseModel", f"Nothing takes the place of '{before}' by itself; name the new base.")
    if any(overrides.HasField(field) for field in FIELDS):
        for field in FIELDS:
            if not overrides.HasField(field):
                new.ClearField(field)
    new.MergeFrom(overrides)
    return new


def _gemini(catalog: Any, entry: Any) -> str:
    """The Gemini model that stands in another's place, by the catalogue; '' where there is none."""
    seen = set()
    while entry is not None and entry.replacement and entry.name not in seen:
        seen.add(entry.name)
        entry = catalog.find_model(entry.replacement)
        if entry is not None and entry.engine == "vertex_tuning":
            return str(entry.name)
    return ""


def _artifacts(request: Any) -> str:
    prefix = request.artifact_destination.output_uri_prefix
    if prefix and not prefix.startswith("gs://"):
        raise invalid("artifactDestination.outputUriPrefix", f"'{prefix}' is no folder of Cloud Storage (gs://…).")
    return str(prefix)


def _reused(service: Any, endpoint: str, parent: str) -> str:
    """The old model's endpoint, where the new one is to answer in its place."""
    if not endpoint or location_of(endpoint) != parent or service.store.find(endpoint) is None:
        what = f"the old model has no endpoint in '{parent}' to be deployed to."
        raise invalid("deployToSameEndpoint", what)
    return endpoint
