"""What a tuning job may ask for; the data is looked at when the job runs, as the service does."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from tuneline.local.behaviours.models import resolve
from tuneline.local.resources.errors import ApiError, invalid
from tuneline.local.resources.names import check_labels, location_of, new_id, part
from tuneline.local.tuning.spec import FIELDS, SUPERVISED, Spec, camel, path_of, spec_of

LONGEST_NAME = 128
NOT_HERE = (
    "distillation_spec",
    "partner_model_tuning_spec",
    "veo_tuning_spec",
    "veo_lora_tuning_spec",
    "reinforcement_tuning_spec",
    "full_fine_tuning_spec",
)
"""Ways of tuning that nothing here carries out."""
FULL = "TUNING_MODE_FULL"
_KEY = re.compile(r"^projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+$")


def check(service: Any, job: Any) -> None:
    """Refuse what the service would, and what is not carried out here; fill in what the request leaves open.

    A job on a tuned model gets its `preTunedModel.baseModel`, and each job a display name.
    """
    for field in NOT_HERE:
        if job.HasField(field):
            raise ApiError(
                "UNIMPLEMENTED",
                f"tuningJob.{camel(field)}: what is carried out here is supervised and preference tuning by adapter.",
            )
    given = [field for field in FIELDS if job.HasField(field)]
    if len(given) != 1:
        what = "Required field is not set." if not given else f"excludes tuningJob.{camel(given[1])}."
        raise invalid(f"tuningJob.{camel(SUPERVISED)}", what)
    spec = spec_of(job)
    entry = _tuned_before(service, job, spec) if job.HasField("pre_tuned_model") else _base(job)
    if spec.preference and entry.kind != "gemini":
        raise invalid("tuningJob.baseModel", f"Base model '{entry.name}' does not support preference tuning.")
    _check_data(spec)
    _check_hyper_parameters(spec, entry)
    if spec.field == SUPERVISED and entry.kind == "open":
        _check_open(job)
    if len(job.tuned_model_display_name) > LONGEST_NAME:
        raise invalid("tuningJob.tunedModelDisplayName", f"must not be longer than {LONGEST_NAME} characters.")
    check_labels(dict(job.labels), "tuningJob.labels")
    _check_key(job)


def _base(job: Any) -> Any:
    """The catalogue's entry of a base model that tuningJobs take."""
    from tuneline import catalog

    if not job.base_model:
        raise invalid("tuningJob.baseModel", "Required field is not set.")
    name = job.base_model
    entry = catalog.find_model(name)
    if entry is None or not (entry.engine == "vertex_tuning" or entry.managed):
        known = ", ".join(each.name for each in catalog.models() if each.engine == "vertex_tuning" or each.managed)
        other = "" if entry is None else f" It is tuned by {_OTHERWISE.get(entry.engine, entry.engine)}."
        raise invalid("tuningJob.baseModel", f"Base model '{name}' is not supported.{other} Known are {known}.")
    return entry


_OTHERWISE = {"custom_training": "the pipeline tune-large-model", "gemini_api": "the Gemini API's tunedModels"}


def _tuned_before(service: Any, job: Any, spec: Spec) -> Any:
    """The entry of the base of the tuned model that the job goes on from."""
    from tuneline import catalog

    named = job.pre_tuned_model.tuned_model_name
    if not named:
        raise invalid("tuningJob.preTunedModel.tunedModelName", "Required field is not set.")
    named = service.projects.by_id(named)
    if location_of(named) != location_of(job.name):
        raise invalid("tuningJob.preTunedModel.tunedModelName", f"'{named}' is not in the job's location.")
    version = resolve(service, named)
    kept = service.store.private(version.name)
    if "checkpoints" not in kept:
        raise invalid("tuningJob.preTunedModel.tunedModelName", f"'{named}' was not made by a tuning job.")
    chosen = job.pre_tuned_model.checkpoint_id or version.default_checkpoint_id
    if chosen not in kept["checkpoints"]:
        known = ", ".join(kept["checkpoints"])
        raise invalid("tuningJob.preTunedModel.checkpointId", f"'{chosen}' is no checkpoint of '{named}': {known}.")
    if spec.adapter_size not in (0, kept["adapter_size"]):
        what = f"the tuned model's is {kept['adapter_size']}, and tuning goes on with it; leave it out."
        raise invalid(path_of(spec, "hyper_parameters", "adapter_size"), what)
    job.pre_tuned_model.tuned_model_name = version.name
    job.pre_tuned_model.checkpoint_id = chosen
    job.pre_tuned_model.base_model = kept["base_model"]
    return catalog.model(kept["base_model"])


def _check_data(spec: Spec) -> None:
    if not spec.training:
        raise invalid(path_of(spec, "training_dataset_uri"), "Required field is not set.")
    for field, uri in (("training_dataset_uri", spec.training), ("validation_dataset_uri", spec.validation)):
        if uri and not uri.startswith("gs://"):
            raise invalid(path_of(spec, field), f"'{uri}' is no object of Cloud Storage (gs://BUCKET/NAME.jsonl).")


def _check_hyper_parameters(spec: Spec, entry: Any) -> None:
    def refuse(field: str, what: str) -> ApiError:
        return invalid(path_of(spec, "hyper_parameters", field), what)

    numbers = {
        "epoch_count": spec.epochs,
        "learning_rate_multiplier": spec.multiplier,
        "learning_rate": spec.learning_rate,
        "batch_size": spec.batch_size,
        "beta": spec.beta,
    }
    for field, value in numbers.items():
        if not value >= 0:
            raise refuse(field, "must be greater than zero; leave it out for the recommended value.")
    if spec.adapter_size < 0:
        raise refuse("adapter_size", "is no value of AdapterSize.")
    if spec.adapter_size and entry.adapter_sizes and spec.adapter_size not in entry.adapter_sizes:
        sizes = ", ".join(map(str, entry.adapter_sizes))
        raise refuse("adapter_size", f"{spec.adapter_size} is not supported by '{entry.name}'; supported are {sizes}.")
    if spec.learning_rate and spec.multiplier:
        raise refuse("learning_rate", "excludes learningRateMultiplier.")
    for field in ("learning_rate", "batch_size"):
        if entry.kind != "open" and numbers[field]:
            raise refuse(field, f"is for open models; '{entry.name}' takes learningRateMultiplier.")


def _check_open(job: Any) -> None:
    """What the managed tuning of open models asks for beside."""
    if not job.output_uri.startswith("gs://"):
        raise invalid("tuningJob.outputUri", "is required for open models: a folder of Cloud Storage (gs://…).")
    mode = job.supervised_tuning_spec.DESCRIPTOR.fields_by_name["tuning_mode"].enum_type
    if mode.values_by_number[job.supervised_tuning_spec.tuning_mode].name == FULL:
        where = "tuningJob.supervisedTuningSpec.tuningMode"
        raise ApiError(
            "UNIMPLEMENTED", f"{where}: adapters are tuned here (TUNING_MODE_PEFT_ADAPTER), not all weights."
        )


def _check_key(job: Any) -> None:
    key = job.encryption_spec.kms_key_name
    if not key:
        return
    found, region = _KEY.match(key), part(job.name, "locations")
    if not found or found.group(1) != region:
        what = f"'{key}' is no key of {region} (projects/P/locations/{region}/keyRings/R/cryptoKeys/K)."
        raise invalid("tuningJob.encryptionSpec.kmsKeyName", what)


def fill(job: Any, *, base: str, today: date) -> None:
    """Give a checked job its display name, and say in its description what stands in for what."""
    from tuneline import catalog

    job.tuned_model_display_name = job.tuned_model_display_name or f"tuned-{new_id()[:8]}"
    named = base_model_of(job)
    said = [f"Trained locally on {base}, which stands in for {named}."]
    entry = catalog.model(named)
    if not entry.takes_tuning(today):
        said.append(f"Vertex AI itself would refuse it: {entry.state(today)}.")
    spec = spec_of(job)
    if spec.field == SUPERVISED and job.supervised_tuning_spec.HasField("evaluation_config"):
        said.append("evaluationConfig is kept, and not carried out: there is no autorater here.")
    job.description = " ".join([job.description, *said]).strip()


def base_model_of(job: Any) -> str:
    """The base model that the job names, or that its tuned model was tuned from."""
    return str(job.base_model or job.pre_tuned_model.base_model)
