"""What a tuning job has made when it has succeeded: model version, checkpoints, an endpoint for each, statistics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuneline.local.behaviours.models import VERSIONS, versions
from tuneline.local.resources.names import id_of, location_of, new_id
from tuneline.local.tuning.request import base_model_of
from tuneline.local.tuning.spec import SUPERVISED, Spec, spec_of

V = "google.cloud.aiplatform.v1beta1."


def register(service: Any, job: Any, folder: Path, *, same_endpoint: str = "") -> None:
    """Fill in the job's tuned model and statistics; `same_endpoint` is where a rebased model takes another's place."""
    result = json.loads((folder / "output" / "result.json").read_text())
    dataset = json.loads((folder / "dataset.json").read_text())
    adapter_size = json.loads((folder / "config.json").read_text())["adapter_size"]
    job.description = f"{job.description} {dataset['stand_in']}".strip()
    spec = spec_of(job)
    made = result["checkpoints"][-1:] if spec.last_only else result["checkpoints"]
    version = _version(service, job, made)
    for each in made:
        epoch = max(1, round(each["step"] * dataset["epochs"] / dataset["steps"]))
        version.checkpoints.add(epoch=epoch, step=each["step"])
    for number, each in enumerate(version.checkpoints, 1):
        each.checkpoint_id = str(number)
    version.default_checkpoint_id = str(len(made))
    base = result["base_model"]["used"]
    adapters = {each.checkpoint_id: row["uri"] for each, row in zip(version.checkpoints, made, strict=True)}
    private = {"base": base, "base_model": base_model_of(job), "adapter_size": adapter_size, "checkpoints": adapters}
    service.store.insert(version, kind=VERSIONS, private={**private, "job": job.name})
    plain = version.name.partition("@")[0]
    head = service.store.find(plain)
    if head is None:
        head = type(version).FromString(version.SerializeToString())
        head.name = plain
        service.store.insert(head)
    endpoints = {}
    for identifier, adapter in adapters.items():
        reused = same_endpoint if identifier == version.default_checkpoint_id else ""
        endpoints[identifier] = _endpoint(service, job, version, {"adapter": adapter, "base": base}, reused)
        head.deployed_models.add(endpoint=endpoints[identifier], deployed_model_id="1")
    service.store.put(head)
    job.tuned_model.model = version.name
    job.tuned_model.endpoint = endpoints[version.default_checkpoint_id]
    if not spec.last_only:
        for each in version.checkpoints:
            added = job.tuned_model.checkpoints.add(checkpoint_id=each.checkpoint_id, epoch=each.epoch, step=each.step)
            added.endpoint = endpoints[each.checkpoint_id]
    if spec.field == SUPERVISED and job.supervised_tuning_spec.HasField("evaluation_config"):
        _no_evaluation(job, version)
    _statistics(job, spec, dataset)


def default_endpoint(service: Any, job: Any) -> str:
    """The endpoint of the checkpoint that is the model's default now, which `models.update` may have changed."""
    version = service.store.find(job.tuned_model.model)
    chosen = version.default_checkpoint_id if version is not None else ""
    found = [each.endpoint for each in job.tuned_model.checkpoints if each.checkpoint_id == chosen]
    return str(found[0] if found else job.tuned_model.endpoint)


def _version(service: Any, job: Any, made: list[dict[str, Any]]) -> Any:
    """The new version: of the model that was tuned before, or the first of a model of its own."""
    before = job.pre_tuned_model.tuned_model_name.partition("@")[0]
    further = before and service.store.private(job.name).get("same_model") and service.store.find(before) is not None
    name = before if further else f"{location_of(job.name)}/models/{id_of(job.name)}"
    number = 1 + max((int(each.version_id) for each in versions(service, name)), default=0)
    model = service.api.new(V + "Model", name=f"{name}@{number}", display_name=job.tuned_model_display_name)
    model.version_id = str(number)
    if number == 1:
        model.version_aliases.append("default")
    model.description = job.description
    # By this label google-genai's models.list finds what was tuned.
    model.labels.update({**job.labels, "tune-type": "preference" if spec_of(job).preference else "sft"})
    if job.HasField("encryption_spec"):
        model.encryption_spec.CopyFrom(job.encryption_spec)
    model.model_source_info.source_type = "GENIE"
    model.base_model_source.genie_source.base_model_uri = f"publishers/google/models/{id_of(base_model_of(job))}"
    for field in ("create_time", "version_create_time", "version_update_time"):
        getattr(model, field).FromDatetime(service.now())
    model.etag = new_id()
    return model


def _endpoint(service: Any, job: Any, version: Any, source: dict[str, str], reused: str) -> str:
    """An endpoint that answers by one checkpoint, given by its `base` and `adapter`; answers its name."""
    name = reused or f"{location_of(job.name)}/endpoints/{new_id()}"
    endpoint = service.store.get(name) if reused else service.api.new(V + "Endpoint", name=name)
    endpoint.display_name = endpoint.display_name or job.tuned_model_display_name
    endpoint.labels.update(job.labels)
    if job.HasField("encryption_spec"):
        endpoint.encryption_spec.CopyFrom(job.encryption_spec)
    del endpoint.deployed_models[:]
    deployed = endpoint.deployed_models.add(id="1", model=version.name.partition("@")[0])
    deployed.model_version_id, deployed.display_name = version.version_id, job.tuned_model_display_name
    deployed.create_time.FromDatetime(service.now())
    endpoint.traffic_split.clear()
    endpoint.traffic_split["1"] = 100
    (service.store.put if reused else service.store.insert)(endpoint, private=source)
    return name


def _no_evaluation(job: Any, version: Any) -> None:
    """An evaluation run for each checkpoint, each with why there is none."""
    for each in version.checkpoints:
        run = job.evaluate_dataset_runs.add(checkpoint_id=each.checkpoint_id)
        run.error.code = 12
        run.error.message = "evaluationConfig is not carried out by the local Vertex AI: it has no autorater."


def _statistics(job: Any, spec: Spec, dataset: dict[str, Any]) -> None:
    """`tuningDataStats`, from the rows themselves."""
    field = "preference_optimization_data_stats" if spec.preference else "supervised_tuning_data_stats"
    stats = getattr(job.tuning_data_stats, field)
    stats.tuning_dataset_example_count = dataset["examples"] + dataset["dropped"]
    stats.total_billable_token_count = dataset["tokens"]
    stats.tuning_step_count = dataset["steps"]
    stats.dropped_example_reasons.extend(dataset["reasons"])
    _distribute(stats.user_input_token_distribution, dataset["inputs"])
    _distribute(stats.user_output_token_distribution, dataset["outputs"])
    if spec.preference:
        stats.dropped_example_indices.extend(dataset["indices"])
        # One response of score 1 and one of score 0 in every row, which is what the format says.
        count = dataset["examples"]
        _distribute(stats.scores_distribution, _constant(sum_=count, count=2 * count, low=0, high=1))
        _distribute(stats.score_variance_per_example_distribution, _constant(sum_=count / 4, count=count, low=0.25))
        for shown in dataset["shown"]:
            _preference(stats.user_dataset_examples.add(), shown)
        return
    stats.total_tuning_character_count = stats.total_billable_character_count = dataset["characters"]
    stats.total_truncated_example_count = dataset["dropped"]
    stats.truncated_example_indices.extend(dataset["indices"])
    _distribute(stats.user_message_per_example_distribution, dataset["messages"])
    for shown in dataset["shown"]:
        for turn in shown["turns"]:
            stats.user_dataset_examples.add(role=turn["role"]).parts.add(text=turn["text"])


def _constant(*, sum_: float, count: int, low: float, high: float | None = None) -> dict[str, Any]:
    high = low if high is None else high
    mean = sum_ / max(count, 1)
    return {"sum": sum_, "min": low, "max": high, "mean": mean, "median": mean, "p5": low, "p95": high, "buckets": []}


def _distribute(message: Any, figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        if name == "buckets":
            for each in value:
                message.buckets.add(**each)
        else:
            setattr(message, name, value)
    if "billable_sum" in message.DESCRIPTOR.fields_by_name:
        message.billable_sum = message.sum


def _preference(example: Any, shown: dict[str, Any]) -> None:
    *prompt, preferred = shown["turns"]
    for turn in prompt:
        example.contents.add(role=turn["role"]).parts.add(text=turn["text"])
    for text, score in ((preferred["text"], 1.0), (shown["rejected"], 0.0)):
        completion = example.completions.add(score=score)
        completion.completion.role = "model"
        completion.completion.parts.add(text=text)
