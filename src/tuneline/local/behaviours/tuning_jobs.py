"""TuningJob: supervised tuning, real training of the small built-in base that stands in for a Gemini or open model.

The data is read from the object store; a checkpoint is kept for each epoch, each with an endpoint of its own that
answers; model, experiment and statistics are there when the job has succeeded.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tuneline.local.behaviours.models import VERSIONS
from tuneline.local.folder import write_json
from tuneline.local.resources.behaviour import ApiError, behaviour, invalid
from tuneline.local.resources.names import check_labels, id_of, location_of, new_id
from tuneline.local.training_jobs import TrainingJobs, state_of
from tuneline.local.tuning import BASE

V = "google.cloud.aiplatform.v1beta1."
ADAPTER_SIZES = {0: 0, 1: 1, 2: 4, 3: 8, 4: 16, 5: 32, 6: 2}
"""Number of the enum AdapterSize → rank; TWO came last."""
LONGEST_NAME = 128
NOT_HERE = (
    "distillation_spec",
    "partner_model_tuning_spec",
    "veo_tuning_spec",
    "veo_lora_tuning_spec",
    "preference_optimization_spec",
    "reinforcement_tuning_spec",
    "full_fine_tuning_spec",
    "pre_tuned_model",
)
"""Ways of tuning that nothing here carries out."""


@behaviour
class TuningJobs(TrainingJobs):
    """Runs supervised tuning jobs."""

    kind = "TuningJob"
    folder = "tuning"
    what = "tuning job"

    def creating(self, service: Any, resource: Any, request: Any) -> None:
        """The rules of the request; the data is looked at when the job runs, as the service does."""
        for field in NOT_HERE:
            if resource.HasField(field):
                raise ApiError(
                    "UNIMPLEMENTED",
                    f"tuningJob.{_camel(field)}: what is carried out here is supervised tuning of a base model.",
                )
        if not resource.HasField("supervised_tuning_spec"):
            raise invalid("tuningJob.supervisedTuningSpec", "Required field is not set.")
        if not resource.base_model:
            raise invalid("tuningJob.baseModel", "Required field is not set.")
        _check_model(resource.base_model)
        spec = resource.supervised_tuning_spec
        for field in ("training_dataset_uri", "validation_dataset_uri"):
            uri = getattr(spec, field)
            if (uri or field.startswith("training")) and not uri.startswith("gs://"):
                where = f"tuningJob.supervisedTuningSpec.{_camel(field)}"
                raise invalid(where, f"'{uri}' is no object of Cloud Storage (gs://BUCKET/NAME.jsonl).")
        hyper = spec.hyper_parameters
        for field in ("epoch_count", "learning_rate_multiplier", "learning_rate", "batch_size"):
            if getattr(hyper, field) < 0:
                where = f"tuningJob.supervisedTuningSpec.hyperParameters.{_camel(field)}"
                raise invalid(where, "must be greater than zero; leave it out for the recommended value.")
        if hyper.adapter_size not in ADAPTER_SIZES:
            raise invalid("tuningJob.supervisedTuningSpec.hyperParameters.adapterSize", "is no value of AdapterSize.")
        if len(resource.tuned_model_display_name) > LONGEST_NAME:
            raise invalid("tuningJob.tunedModelDisplayName", f"must not be longer than {LONGEST_NAME} characters.")
        check_labels(dict(resource.labels), "tuningJob.labels")
        resource.tuned_model_display_name = resource.tuned_model_display_name or f"tuned-{new_id()[:8]}"
        said = f"Trained locally on {BASE}, which stands in for {resource.base_model}."
        resource.description = f"{resource.description} {said}".strip()
        resource.state = "JOB_STATE_PENDING"

    def reading(self, service: Any, resource: Any) -> None:
        """While it runs: what it is doing now."""
        resource.ClearField("tuning_job_state")
        if state_of(resource) == "JOB_STATE_RUNNING":
            prepared = (self.folder_of(service, resource.name) / "config.json").exists()
            resource.tuning_job_state = f"TUNING_JOB_STATE_{'TUNING' if prepared else 'PROCESSING_DATASET'}"

    def command(self, service: Any, job: Any) -> list[str]:
        """The preparation, which becomes the trainer."""
        folder = self.folder_of(service, job.name)
        folder.mkdir(parents=True, exist_ok=True)
        spec, hyper = job.supervised_tuning_spec, job.supervised_tuning_spec.hyper_parameters
        request = {
            "base_model": job.base_model,
            "training": spec.training_dataset_uri,
            "validation": spec.validation_dataset_uri,
            "epochs": hyper.epoch_count,
            "multiplier": hyper.learning_rate_multiplier,
            "learning_rate": hyper.learning_rate,
            "adapter_size": ADAPTER_SIZES[hyper.adapter_size],
            "batch_size": hyper.batch_size,
        }
        write_json(folder / "request.json", request)
        return [sys.executable, "-m", "tuneline.local.tuning", str(folder)]

    def stand_in(self, job: Any) -> str:
        """The base that is really trained."""
        return f"{BASE} stands in for {job.base_model}"

    def succeeded(self, service: Any, job: Any, folder: Path) -> None:
        """Register the model, an endpoint for each checkpoint, the experiment and the statistics."""
        result = json.loads((folder / "output" / "result.json").read_text())
        dataset = json.loads((folder / "dataset.json").read_text())
        checkpoints = result["checkpoints"]
        if job.supervised_tuning_spec.export_last_checkpoint_only:
            checkpoints = checkpoints[-1:]
        where, identifier = location_of(job.name), id_of(job.name)
        model = _model(service, job, f"{where}/models/{identifier}")
        endpoints = []
        for number, each in enumerate(checkpoints, 1):
            name = f"{where}/endpoints/{new_id()}"
            _endpoint(service, job, name, model.name, adapter=each["uri"])
            endpoints.append(name)
            model.checkpoints.add(checkpoint_id=str(number), epoch=max(1, round(each["epoch"])), step=each["step"])
            model.deployed_models.add(endpoint=name, deployed_model_id="1")
        model.default_checkpoint_id = str(len(checkpoints))
        version = type(model).FromString(model.SerializeToString())
        version.name = f"{model.name}@1"
        del version.deployed_models[:]
        private = {"adapter": checkpoints[-1]["uri"], "base": BASE}
        service.store.insert(model)
        service.store.insert(version, kind=VERSIONS, private=private)
        job.tuned_model.model = version.name
        job.tuned_model.endpoint = endpoints[-1]
        if not job.supervised_tuning_spec.export_last_checkpoint_only:
            for each, endpoint in zip(model.checkpoints, endpoints, strict=True):
                added = job.tuned_model.checkpoints.add(checkpoint_id=each.checkpoint_id, endpoint=endpoint)
                added.epoch, added.step = each.epoch, each.step
        job.experiment = _experiment(service, where, identifier)
        _statistics(job, dataset, result)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _check_model(name: str) -> None:
    """Refuse a base model that the catalogue does not know as one that Vertex AI tunes."""
    from tuneline import catalog

    if catalog.find_model(name) is None:
        known = ", ".join(each.name for each in catalog.models() if each.name.startswith("gemini"))
        raise invalid("tuningJob.baseModel", f"Base model '{name}' is not supported. Known are {known}.")


def _model(service: Any, job: Any, name: str) -> Any:
    model = service.api.new(V + "Model", name=name, display_name=job.tuned_model_display_name)
    model.version_id = "1"
    model.version_aliases.append("default")
    model.description = job.description
    model.labels.update(job.labels)
    model.model_source_info.source_type = "GENIE"
    model.base_model_source.genie_source.base_model_uri = f"publishers/google/models/{id_of(job.base_model)}"
    for field in ("create_time", "version_create_time", "version_update_time"):
        getattr(model, field).FromDatetime(service.now())
    model.etag = new_id()
    return model


def _endpoint(service: Any, job: Any, name: str, model: str, *, adapter: str) -> None:
    endpoint = service.api.new(V + "Endpoint", name=name, display_name=job.tuned_model_display_name)
    endpoint.labels.update(job.labels)
    deployed = endpoint.deployed_models.add(id="1", model=model, model_version_id="1")
    deployed.display_name = job.tuned_model_display_name
    deployed.create_time.FromDatetime(service.now())
    endpoint.traffic_split["1"] = 100
    service.store.insert(endpoint, private={"adapter": adapter, "base": BASE})


def _experiment(service: Any, where: str, identifier: str) -> str:
    """The metadata context that the SDK reads under the job's `experiment`."""
    name = f"{where}/metadataStores/default/contexts/tuning-experiment-{identifier}"
    context = service.api.new(V + "Context", name=name, display_name=id_of(name))
    context.schema_title, context.schema_version = "system.Experiment", "0.0.1"
    context.metadata.update({"experiment_deleted": False})
    service.store.insert(context)
    return name


def _statistics(job: Any, dataset: dict[str, Any], result: dict[str, Any]) -> None:
    stats = job.tuning_data_stats.supervised_tuning_data_stats
    counted = dataset["statistics"]
    stats.tuning_dataset_example_count = dataset["examples"]
    stats.total_tuning_character_count = counted["characters"]
    stats.total_billable_character_count = counted["characters"]
    stats.total_billable_token_count = result["dataset"]["tokens"]
    stats.tuning_step_count = result["steps"]
    stats.total_truncated_example_count = result["dataset"]["truncated"]
    for turns in dataset["shown"]:
        for turn in turns:
            stats.user_dataset_examples.add(role=turn["role"]).parts.add(text=turn["text"])
