"""Google's standard methods (AIP-131 to 135), once for all resources of the definition."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tuneline.local.definition import Method
from tuneline.local.definition.codec import find_field
from tuneline.local.definition.fields import IDENTIFIER, IMMUTABLE, OUTPUT_ONLY
from tuneline.local.resources import names, operations
from tuneline.local.resources.behaviour import BEHAVIOURS, Behaviour, Call, PassiveBehaviour
from tuneline.local.resources.errors import ApiError, invalid
from tuneline.local.resources.filters import compile_filter

DEFAULT_PAGE = 100
LARGEST_PAGE = 1000
_GENERIC = PassiveBehaviour()


def behaviour_of(kind: str) -> Behaviour:
    """The behaviour of a kind, or one that does nothing."""
    return BEHAVIOURS.get(kind, _GENERIC)


def create(service: Any, method: Method, request: Any, call: Call) -> Any:
    """Store a new resource and start what it stands for."""
    field = _resource_field(service, method, request)
    kind = field.message_type.name
    if kind not in BEHAVIOURS and acts(field.message_type, method):
        raise ApiError(
            "UNIMPLEMENTED",
            f"{method.full_name} is not implemented by the local Vertex AI: a {kind} does something, and nothing here "
            "would do it. What is implemented: docs/local-vertex.md.",
            reason="METHOD_NOT_IMPLEMENTED_LOCALLY",
            metadata={"method": method.full_name},
        )
    type_name = service.api.canonical(field.message_type.full_name)
    resource = service.api.convert(getattr(request, field.name), type_name)
    if resource is getattr(request, field.name):
        resource = type(resource).FromString(resource.SerializeToString())
    service.api.rules.clear_output_only(resource)
    resource.name = new_name(service, request, field.message_type.full_name, resource)
    if "labels" in resource.DESCRIPTOR.fields_by_name:
        names.check_labels(dict(resource.labels), "labels")
    found = behaviour_of(kind)
    if service.store.find(resource.name) is not None:
        raise already_exists(resource.name)
    private = found.creating(service, resource, request)
    _set_etag(resource)
    service.store.insert(resource, private=private)
    found.created(service, resource)
    resource = service.store.find(resource.name) or resource
    if method.response:
        return operations.finished(service, method, call, resource.name, resource)
    found.reading(service, resource)
    return resource


def acts(descriptor: Any, create_method: Method) -> bool:
    """Whether a kind of resource does something once it is made, rather than be a record."""
    return "state" in descriptor.fields_by_name or bool(create_method.response) or descriptor.name.endswith("Job")


def already_exists(name: str) -> ApiError:
    """The refusal for an id that is taken."""
    return ApiError(
        "ALREADY_EXISTS",
        f"Resource '{name}' already exists.",
        reason="RESOURCE_ALREADY_EXISTS",
        metadata={"resource": name},
    )


def new_name(service: Any, request: Any, type_name: str, resource: Any) -> str:
    """The name of a resource about to be made: the client's id where the request has one, else a new number."""
    parent = getattr(request, "parent", "")
    patterns = service.api.patterns[type_name]
    collection = names.collection_for(patterns, parent, "parent")
    wanted = next(
        (
            f
            for f in request.DESCRIPTOR.fields
            if f.name.endswith("_id") and f.name != "request_id" and not f.is_repeated
        ),
        None,
    )
    given = getattr(request, wanted.name) if wanted is not None else ""
    name = names.check_id(given, wanted.json_name) if given and wanted is not None else names.new_id()
    return f"{parent}/{collection}/{name}" if parent else f"{collection}/{name}"


def get(service: Any, method: Method, request: Any, call: Call) -> Any:
    """The resource, brought up to date by its behaviour."""
    resource = service.store.get(request.name)
    _expect_kind(service, method, resource, request.name)
    behaviour_of(resource.DESCRIPTOR.name).reading(service, resource)
    return resource


def _expect_kind(service: Any, method: Method, resource: Any, name: str) -> None:
    if method.output.startswith("google.longrunning") or method.output.endswith("Empty"):
        return
    if resource.DESCRIPTOR.name != method.output.rpartition(".")[2]:
        raise invalid("name", f"'{name}' is a {resource.DESCRIPTOR.name}, not what {method.name} answers.")


def list_(service: Any, method: Method, request: Any, call: Call) -> Any:
    """One page of the resources below a parent, filtered and ordered."""
    answer = service.api.new(method.output)
    field = next((f for f in answer.DESCRIPTOR.fields if f.is_repeated and f.message_type), None)
    if field is None or field.message_type.full_name not in service.api.patterns:
        raise ApiError("UNIMPLEMENTED", f"{method.full_name} is not implemented by the local Vertex AI.")
    kind = field.message_type.name
    parent = getattr(request, "parent", "")
    test = compile_filter(getattr(request, "filter", ""))
    found = behaviour_of(kind)
    rows = list(service.store.list(kind, parent))
    for row in rows:
        found.reading(service, row)
    rows = [row for row in rows if test(row)]
    rows, token = page(rows, request)
    getattr(answer, field.name).extend(service.api.convert(row, field.message_type.full_name) for row in rows)
    if token:
        answer.next_page_token = token
    return answer


def leave_out_young(answer: Any, before: float) -> None:
    """Take out of a list's answer what was made after a time (Unix seconds): how a list lags."""
    for field, rows in answer.ListFields():
        if field.is_repeated and field.message_type and "create_time" in field.message_type.fields_by_name:
            old = [row for row in rows if row.create_time.ToNanoseconds() < before * 1e9]
            answer.ClearField(field.name)
            getattr(answer, field.name).extend(old)


def page(rows: list[Any], request: Any, order_by: str = "create_time desc") -> tuple[list[Any], str]:
    """(one page of the rows in the order asked, the token for the next); newest first unless `order_by` says else.

    A token holds the place of the last row, so rows made or deleted meanwhile neither repeat nor hide others.
    """
    order = (getattr(request, "order_by", "") or order_by).split(",")[0].split()
    path, down = order[0], len(order) > 1 and order[1].lower() == "desc"
    keyed = sorted(((_sort_key(row, path), row.name, row) for row in rows), key=lambda k: k[:2], reverse=down)
    given = getattr(request, "page_token", "")
    if given:
        after = _read_token(given, path, down)
        keyed = [k for k in keyed if (k[:2] < after if down else k[:2] > after)]
    size = getattr(request, "page_size", 0)
    if size < 0:
        raise invalid("pageSize", "must not be negative.")
    size = min(size or DEFAULT_PAGE, LARGEST_PAGE)
    token = ""
    if len(keyed) > size:
        last = keyed[size - 1]
        token = base64.urlsafe_b64encode(json.dumps([path, down, last[0], last[1]]).encode()).decode().rstrip("=")
    return [row for _, _, row in keyed[:size]], token


def _sort_key(row: Any, path: str) -> Any:
    at = row
    for segment in path.split("."):
        field = find_field(at, segment)
        if field is None:
            raise invalid("orderBy", f"there is no field '{path}'.")
        at = getattr(at, field.name)
    return at.ToNanoseconds() if hasattr(at, "ToNanoseconds") else at if isinstance(at, int | float) else str(at)


def _read_token(token: str, path: str, down: bool) -> tuple[Any, str]:
    try:
        found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if found[:2] != [path, down]:
            raise ValueError("made for another order")
        return found[2], str(found[3])
    except (ValueError, IndexError, KeyError, TypeError):
        raise invalid("pageToken", f"Invalid page token '{token}'; use the one of the answer before.") from None


def update(service: Any, method: Method, request: Any, call: Call) -> Any:
    """Change the fields of the update mask; without one, those that the request sets."""
    field = _resource_field(service, method, request)
    given = getattr(request, field.name)
    name = service.projects.by_id(given.name)
    before = service.store.get(name)
    new = service.api.convert(given, before.DESCRIPTOR.full_name)
    after = type(before).FromString(before.SerializeToString())
    paths = list(request.update_mask.paths) if "update_mask" in request.DESCRIPTOR.fields_by_name else []
    if paths == ["*"]:
        paths = []
    merge(service, new, after, paths)
    after.name = name
    if "labels" in after.DESCRIPTOR.fields_by_name:
        names.check_labels(dict(after.labels), "labels")
    behaviour_of(after.DESCRIPTOR.name).updating(service, after, before)
    _set_etag(after)
    service.store.put(after)
    result = service.store.get(name)
    if method.response:
        return operations.finished(service, method, call, name, result)
    return result


def merge(service: Any, new: Any, into: Any, paths: list[str]) -> None:
    """Copy the masked fields of `new` into a resource, replacing lists, maps and messages whole.

    Without a mask, what only the service may say is passed over: clients send a resource back as they got it.
    """
    fixed = {OUTPUT_ONLY, IMMUTABLE, IDENTIFIER}
    paths = paths or [f.name for f, _ in new.ListFields() if f.name != "name" and not fixed & service.api.rules.of(f)]
    mask = service.api.new("google.protobuf.FieldMask")
    for path in paths:
        resolved: list[str] = []
        at: Any = into.DESCRIPTOR
        for segment in path.split("."):
            field = at and (
                at.fields_by_name.get(segment) or next((f for f in at.fields if f.json_name == segment), None)
            )
            if not field:
                raise invalid("updateMask", f"there is no field '{path}' in a {into.DESCRIPTOR.name}.")
            rules = service.api.rules.of(field)
            if fixed & rules:
                raise invalid("updateMask", f"field '{path}' cannot be changed: it is immutable or output only.")
            resolved.append(field.name)
            at = None if field.is_repeated else field.message_type
        mask.paths.append(".".join(resolved))
    mask.MergeMessage(new, into, True, True)


def delete(service: Any, method: Method, request: Any, call: Call) -> Any:
    """Remove a resource and all below it."""
    resource = service.store.get(request.name)
    behaviour_of(resource.DESCRIPTOR.name).deleting(service, resource)
    service.store.delete(request.name)
    empty = service.api.new("google.protobuf.Empty")
    if method.output == "google.longrunning.Operation":
        return operations.finished(service, method, call, names.location_of(request.name), empty)
    return empty


def cancel(service: Any, method: Method, request: Any, call: Call) -> Any:
    """Ask the work to stop; the answer does not wait for it."""
    resource = service.store.get(request.name)
    behaviour_of(resource.DESCRIPTOR.name).cancel(service, resource)
    return service.api.new("google.protobuf.Empty")


def _resource_field(service: Any, method: Method, request: Any) -> Any:
    for field in request.DESCRIPTOR.fields:
        if field.message_type and field.message_type.full_name in service.api.patterns and not field.is_repeated:
            return field
    raise ApiError("UNIMPLEMENTED", f"{method.full_name} is not implemented by the local Vertex AI.")


def _set_etag(resource: Any) -> None:
    field = resource.DESCRIPTOR.fields_by_name.get("etag")
    if field is not None and field.type == field.TYPE_STRING:
        resource.etag = names.new_id()


METHODS: dict[str, Callable[[Any, Method, Any, Call], Any]] = {
    "Create": create,
    "Get": get,
    "List": list_,
    "Update": update,
    "Delete": delete,
    "Cancel": cancel,
}
