"""BatchPredictionJob: a process of the trainer that answers every line of the input files and writes what came of it.

The output's layout is that of https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/batch-prediction-gemini
for Google's models and those tuned from them, and that of `OutputConfig.gcs_destination` for uploaded models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tuneline.local import batch_prediction
from tuneline.local.behaviours.generation import of_version, source_of
from tuneline.local.behaviours.models import resolve
from tuneline.local.folder import write_json
from tuneline.local.resources.behaviour import ApiError, behaviour, invalid
from tuneline.local.resources.names import location_of
from tuneline.local.serving import Source
from tuneline.local.stand_in import stand_in
from tuneline.local.training_jobs import TrainingJobs

JSONL = "jsonl"
MOST_FAILURES = 20
"""How many partial failures a job tells of: `BatchPredictionJob.partial_failures`."""
UNUSED = ("unmanaged_container_model", "instance_config", "explanation_spec", "model_monitoring_config")
"""What would need a machinery of its own, and is refused."""


@behaviour
class BatchPredictionJobs(TrainingJobs):
    """Runs batch predictions."""

    kind = "BatchPredictionJob"
    folder = "batches"
    what = "batch prediction job"

    def creating(self, service: Any, resource: Any, request: Any) -> None:
        """Refuse what cannot be run here, before anything is stored; settle which version of the model answers."""
        _check_form(resource)
        resource.model = service.projects.by_id(resource.model)
        if not resource.model.startswith(("projects/", "publishers/")):
            resource.model = f"publishers/google/models/{resource.model.removeprefix('models/')}"
        if "/models/" in resource.model and "publishers/" not in resource.model:
            if location_of(resource.model) != location_of(resource.name):
                raise invalid("batchPredictionJob.model", f"'{resource.model}' is not in the job's location.")
            resource.model_version_id = resolve(service, resource.model).version_id
        _source(service, resource)
        resource.state = "JOB_STATE_PENDING"

    def command(self, service: Any, job: Any) -> list[str]:
        """Write down what the process is to do, and name it."""
        source, uploaded = _source(service, job)
        parameters = service.api.to_json(job.model_parameters) if job.HasField("model_parameters") else {}
        folder = self.folder_of(service, job.name)
        folder.mkdir(parents=True, exist_ok=True)
        task = {
            "model": job.model,
            "base": source.base,
            "adapter": source.adapter,
            "uploaded": uploaded,
            "parameters": parameters if isinstance(parameters, dict) else {},
            "files": list(job.input_config.gcs_source.uris),
            "output": _output(service, job, uploaded=uploaded),
        }
        write_json(folder / batch_prediction.TASK, task)
        return [sys.executable, "-m", batch_prediction.__name__, str(folder)]

    def succeeded(self, service: Any, job: Any, folder: Path) -> None:
        """Counts, the files that could not be read, and where the output is."""
        summary = _summary(folder)
        job.completion_stats.successful_count = summary["successful"]
        job.completion_stats.failed_count = summary["failed"]
        for message in summary["unreadable"][:MOST_FAILURES]:
            job.partial_failures.add(code=5, message=message)
        job.output_info.gcs_output_directory = summary["output"]

    def mark_ended(self, service: Any, job: Any, how: str, code: str = "", message: str = "") -> None:
        """A job of which every instance failed has failed."""
        stats = job.completion_stats
        if how == "SUCCEEDED" and stats.failed_count and not stats.successful_count:
            why = _summary(self.folder_of(service, job.name))["why"]
            how, code = "FAILED", "INVALID_ARGUMENT"
            message = f"All {stats.failed_count} instances failed; the first: {why}"
        super().mark_ended(service, job, how, code, message)

    def stand_in(self, job: Any) -> str:
        """What answers, in words."""
        if "publishers/" in job.model:
            return f"{stand_in()}, in a process on this machine, stands in for {job.model}"
        return f"a process on this machine stands in for the machines that would run {job.model}"


def _summary(folder: Path) -> dict[str, Any]:
    """What the process wrote of its work."""
    found: dict[str, Any] = json.loads((folder / batch_prediction.SUMMARY).read_text())
    return found


def _check_form(job: Any) -> None:
    """Refuse what is not JSON Lines in Cloud Storage, and what only the service's own machinery could do."""
    for field in UNUSED:
        if job.HasField(field):
            raise ApiError("UNIMPLEMENTED", f"batchPredictionJob.{field} is not implemented by the local Vertex AI.")
    if job.generate_explanation:
        raise ApiError("UNIMPLEMENTED", "batchPredictionJob.generateExplanation: no explanation is computed here.")
    if not job.model:
        raise invalid("batchPredictionJob.model", "Required field is not set: the model that answers.")
    source, target = job.input_config, job.output_config
    for config, part, form, wanted in (
        (source, "source", source.instances_format, "gcs_source"),
        (target, "destination", target.predictions_format, "gcs_destination"),
    ):
        chosen = config.WhichOneof(part)
        if chosen not in (wanted, None) or form != JSONL:
            asked = chosen if chosen != wanted else form
            raise ApiError("UNIMPLEMENTED", f"A {part} of {asked} is not read or written here: use jsonl in gs://.")
    uris = list(source.gcs_source.uris)
    if not uris or not all(uri.startswith("gs://") for uri in uris):
        raise invalid("batchPredictionJob.inputConfig.gcsSource.uris", "One or more files in Cloud Storage (gs://…).")
    if not target.gcs_destination.output_uri_prefix.startswith("gs://"):
        where = "batchPredictionJob.outputConfig.gcsDestination.outputUriPrefix"
        raise invalid(where, "A folder of Cloud Storage (gs://…).")


def _source(service: Any, job: Any) -> tuple[Source, bool]:
    """(what answers, whether it is an uploaded model rather than one of Google's or tuned from one)."""
    if "publishers/" in job.model or "/endpoints/" in job.model:
        return source_of(service, job.model), False
    version = resolve(service, f"{job.model.partition('@')[0]}@{job.model_version_id}")
    return of_version(service, version), not version.HasField("base_model_source")


def _output(service: Any, job: Any, *, uploaded: bool) -> str:
    """The folder that the job makes below its destination."""
    head = service.store.find(job.model.partition("@")[0]) if uploaded else None
    name = head.display_name if head is not None else "model"
    made = job.create_time.ToDatetime().isoformat(timespec="milliseconds")
    return f"{job.output_config.gcs_destination.output_uri_prefix.rstrip('/')}/prediction-{name}-{made}Z"
