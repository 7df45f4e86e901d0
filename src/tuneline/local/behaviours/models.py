"""Model: uploads, versions and aliases of the Model Registry.

`models/M` is the default version; each version is kept as `models/M@1`, `models/M@2`, … An alias points at one version
of a model, and `default` always at one.
"""

from __future__ import annotations

import re
from typing import Any

from tuneline.local.resources import standard
from tuneline.local.resources.behaviour import ApiError, Call, PassiveBehaviour, behaviour, invalid, method, not_found
from tuneline.local.resources.filters import compile_filter
from tuneline.local.resources.names import check_id, check_labels, new_id
from tuneline.local.resources.store import atomic

SERVICE = "google.cloud.aiplatform.{v}.ModelService."
KIND = "google.cloud.aiplatform.v1beta1.Model"
VERSIONS = "ModelVersion"
"""Kind under which versions are stored, beside the models."""
DEFAULT = "default"
_ALIAS = re.compile(r"^[a-z][a-zA-Z0-9-]{0,126}[a-zA-Z0-9]$")


@behaviour
class Models(PassiveBehaviour):
    """What a model may not do while it is deployed."""

    kind = "Model"

    def deleting(self, service: Any, resource: Any) -> None:
        """A deployed model stays; any other takes its versions with it."""
        if resource.deployed_models:
            held = ", ".join(each.endpoint for each in resource.deployed_models)
            raise ApiError(
                "FAILED_PRECONDITION", f"The model '{resource.name}' is deployed to {held}: undeploy it first."
            )
        for version in versions(service, resource.name):
            service.store.delete(version.name)


@method(SERVICE + "UploadModel")
@atomic
def upload_model(service: Any, request: Any, call: Call) -> Any:
    """Store a new model, or a new version of `parent_model`."""
    model = service.api.convert(request.model, KIND)
    model = type(model).FromString(model.SerializeToString())
    service.api.rules.clear_output_only(model)
    _check(model)
    aliases = [alias for alias in model.version_aliases if alias != DEFAULT]
    for alias in aliases:
        _check_alias(alias, "model.versionAliases")
    if request.parent_model:
        parent = _plain(request.parent_model)
        name = parent if parent.startswith("projects/") else f"{request.parent}/models/{parent}"
        head = service.store.get(name)
        number = 1 + max((int(each.version_id) for each in versions(service, name)), default=0)
        becomes_default = DEFAULT in model.version_aliases
    else:
        name = f"{request.parent}/models/{check_id(request.model_id, 'modelId') if request.model_id else new_id()}"
        head, number, becomes_default = None, 1, True
        if service.store.find(name) is not None:
            raise standard.already_exists(name)
    model.name = f"{name}@{number}"
    model.version_id = str(number)
    del model.version_aliases[:]
    model.version_aliases.extend(aliases)
    for field in ("version_create_time", "version_update_time", "create_time"):
        getattr(model, field).FromDatetime(service.now())
    if head is not None:
        model.create_time.CopyFrom(head.create_time)
    del model.supported_deployment_resources_types[:]
    model.supported_deployment_resources_types.append("DEDICATED_RESOURCES")
    model.supported_input_storage_formats.append("jsonl")
    model.supported_output_storage_formats.append("jsonl")
    model.etag = new_id()
    service.store.insert(model, kind=VERSIONS)
    _move_aliases(service, name, model, [*aliases, *([DEFAULT] if becomes_default else [])])
    response = service.api.new("google.cloud.aiplatform.v1beta1.UploadModelResponse", model=name)
    response.model_version_id = str(number)
    return service.operation(
        call,
        model,
        response=response,
        metadata="google.cloud.aiplatform.{v}.UploadModelOperationMetadata",
        name=name,
    )


def _check(model: Any) -> None:
    """What the service refuses in an uploaded model."""
    if not model.container_spec.image_uri and not model.HasField("base_model_source"):
        raise invalid("model.containerSpec", "A model needs a containerSpec with the imageUri that serves it.")
    if model.default_checkpoint_id not in {"", *(each.checkpoint_id for each in model.checkpoints)}:
        known = ", ".join(each.checkpoint_id for each in model.checkpoints) or "none"
        what = f"'{model.default_checkpoint_id}' is no checkpoint of the model; there are {known}."
        raise invalid("model.defaultCheckpointId", what)
    if model.artifact_uri and not model.artifact_uri.startswith("gs://"):
        raise invalid("model.artifactUri", f"'{model.artifact_uri}' is no folder of Cloud Storage (gs://…).")
    if len(model.display_name.encode()) > 128:
        raise invalid("model.displayName", "must not be longer than 128 bytes.")
    check_labels(dict(model.labels), "model.labels")


def _check_alias(alias: str, field: str) -> None:
    if not _ALIAS.match(alias):
        raise invalid(field, f"'{alias}' is no alias: a lower-case letter, then letters, digits and '-', at most 128.")


def _plain(name: str) -> str:
    return name.partition("@")[0]


def versions(service: Any, name: str) -> list[Any]:
    """All versions of a model, oldest first."""
    parent = name.rpartition("/models/")[0]
    return [each for each in service.store.list(VERSIONS, parent) if _plain(each.name) == name]


def resolve(service: Any, name: str) -> Any:
    """The version that `models/M`, `models/M@2` or `models/M@alias` means; raises ApiError NOT_FOUND."""
    plain, _, which = name.partition("@")
    for each in versions(service, plain):
        if which == each.version_id or (which or DEFAULT) in each.version_aliases:
            return each
    raise not_found(name)


def _move_aliases(service: Any, name: str, to: Any, aliases: list[str]) -> None:
    """Let aliases point at a version, and at no other one of the model."""
    for each in versions(service, name):
        wanted = [alias for alias in each.version_aliases if alias not in aliases]
        if each.version_id == to.version_id:
            wanted += aliases
        if wanted != list(each.version_aliases):
            del each.version_aliases[:]
            each.version_aliases.extend(wanted)
            each.version_update_time.FromDatetime(service.now())
            service.store.put(each)
    _refresh_head(service, name)


def _refresh_head(service: Any, name: str) -> None:
    """Make `models/M` what its default version is, with the deployments and the display name of the model."""
    head = type(default := resolve(service, name)).FromString(default.SerializeToString())
    before = service.store.find(name)
    head.name = name
    if before is None:
        service.store.insert(head)
        return
    head.display_name = before.display_name
    head.create_time.CopyFrom(before.create_time)
    del head.deployed_models[:]
    head.deployed_models.extend(before.deployed_models)
    service.store.put(head)


@method(SERVICE + "GetModel")
def get_model(service: Any, request: Any, call: Call) -> Any:
    """The model, or the version or alias that the name asks for; then its name carries the version.

    The SDK's `ModelRegistry.update_version` sends back the name it was given, and counts on that."""
    if "@" not in request.name:
        return service.store.get(request.name)
    found = resolve(service, request.name)
    head = service.store.get(_plain(request.name))
    found.display_name = head.display_name
    if found.version_id == head.version_id:
        found.deployed_models.extend(head.deployed_models)
    return found


@method(SERVICE + "ListModelVersions")
def list_model_versions(service: Any, request: Any, call: Call) -> Any:
    """A page of a model's versions; their names carry the version."""
    service.store.get(_plain(request.name))
    test = compile_filter(request.filter)
    answer = service.api.new("google.cloud.aiplatform.v1beta1.ListModelVersionsResponse")
    rows = [each for each in versions(service, _plain(request.name)) if test(each)]
    rows, answer.next_page_token = standard.page(rows, request)
    answer.models.extend(rows)
    return answer


@method(SERVICE + "ListModelVersionCheckpoints")
def list_model_version_checkpoints(service: Any, request: Any, call: Call) -> Any:
    """The checkpoints of a tuned version, by number; none of any other."""
    answer = service.api.new("google.cloud.aiplatform.v1beta1.ListModelVersionCheckpointsResponse")
    for each in resolve(service, request.name).checkpoints:
        answer.checkpoints.add(checkpoint_id=each.checkpoint_id, epoch=each.epoch, step=each.step)
    return answer


@method(SERVICE + "MergeVersionAliases")
@atomic
def merge_version_aliases(service: Any, request: Any, call: Call) -> Any:
    """Give a version aliases, or take away those written with a leading `-`; `default` can only move."""
    target = resolve(service, request.name)
    name = _plain(request.name)
    add, remove = [], []
    for alias in request.version_aliases:
        (remove if alias.startswith("-") else add).append(alias.removeprefix("-"))
        _check_alias(alias.removeprefix("-"), "versionAliases")
    if DEFAULT in remove:
        raise invalid("versionAliases", "'default' cannot be taken away; give it to another version.")
    kept = [alias for alias in target.version_aliases if alias not in remove]
    del target.version_aliases[:]
    target.version_aliases.extend(kept)
    service.store.put(target)
    _move_aliases(service, name, target, add)
    return resolve(service, f"{name}@{target.version_id}")


@method(SERVICE + "UpdateModel")
@atomic
def update_model(service: Any, request: Any, call: Call) -> Any:
    """Change a version (the default one if the name has none); the display name is the whole model's."""
    name = service.projects.by_id(request.model.name)
    version = resolve(service, name)
    new = service.api.convert(request.model, KIND)
    paths = list(request.update_mask.paths)
    standard.merge(service, new, version, paths)
    _check(version)
    version.version_update_time.FromDatetime(service.now())
    version.etag = new_id()
    service.store.put(version)
    head = service.store.get(_plain(name))
    if head.display_name != version.display_name:
        head.display_name = version.display_name
        service.store.put(head)
    _refresh_head(service, _plain(name))
    return version if "@" in name else service.store.get(name)


@method(SERVICE + "DeleteModelVersion")
@atomic
def delete_model_version(service: Any, request: Any, call: Call) -> Any:
    """Remove one version; neither the default one nor a deployed one."""
    if "@" not in request.name:
        raise invalid("name", f"'{request.name}' names no version: append @ and its id or alias.")
    found = resolve(service, request.name)
    head = service.store.get(_plain(request.name))
    if found.version_id == head.version_id:
        raise ApiError(
            "FAILED_PRECONDITION",
            f"Version {found.version_id} is the default one: give the alias to another, or delete the model.",
        )
    for each in service.store.list("Endpoint", head.name.rpartition("/models/")[0]):
        for deployed in each.deployed_models:
            if deployed.model == head.name and deployed.model_version_id == found.version_id:
                raise ApiError("FAILED_PRECONDITION", f"Version {found.version_id} is deployed to {each.name}.")
    service.store.delete(found.name)
    return service.operation(
        call,
        head,
        response=service.api.new("google.protobuf.Empty"),
        metadata="google.cloud.aiplatform.{v}.DeleteOperationMetadata",
    )


@method(SERVICE + "CopyModel")
@atomic
def copy_model(service: Any, request: Any, call: Call) -> Any:
    """A copy in another region or under another name; the artifacts stay where they are, as their address says."""
    source = resolve(service, request.source_model)
    if request.parent_model:
        name = _plain(request.parent_model)
        service.store.get(name)
        number = 1 + max(int(each.version_id) for each in versions(service, name))
    else:
        name = f"{request.parent}/models/{check_id(request.model_id, 'modelId') if request.model_id else new_id()}"
        if service.store.find(name) is not None:
            raise standard.already_exists(name)
        number = 1
    copy = type(source).FromString(source.SerializeToString())
    copy.name, copy.version_id, copy.etag = f"{name}@{number}", str(number), new_id()
    del copy.version_aliases[:]
    copy.model_source_info.copy = True
    service.store.insert(copy, kind=VERSIONS, private=service.store.private(source.name))
    _move_aliases(service, name, copy, [DEFAULT] if number == 1 else [])
    response = service.api.new("google.cloud.aiplatform.v1beta1.CopyModelResponse", model=name)
    response.model_version_id = copy.version_id
    return service.operation(
        call, copy, response=response, metadata="google.cloud.aiplatform.{v}.CopyModelOperationMetadata", name=name
    )


@method(SERVICE + "ImportModelEvaluation")
def import_model_evaluation(service: Any, request: Any, call: Call) -> Any:
    """Keep an evaluation that was computed elsewhere."""
    version = resolve(service, request.parent)
    full = "google.cloud.aiplatform.v1beta1.ModelEvaluation"
    evaluation = service.api.convert(request.model_evaluation, full)
    evaluation = type(evaluation).FromString(evaluation.SerializeToString())
    evaluation.name = f"{_plain(version.name)}/evaluations/{new_id()}"
    service.store.insert(evaluation)
    return service.store.get(evaluation.name)
