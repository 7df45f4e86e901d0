"""Long-running operations: made by the methods that answer one, kept, listed, waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from tuneline.local.definition import Method
from tuneline.local.resources import names
from tuneline.local.resources.behaviour import Call, method
from tuneline.local.resources.errors import ApiError

MAX_WAIT_S = 60.0
"""How long `wait` holds an unfinished operation at most; the client then asks again."""
LOOK_EVERY_S = 0.05

CANCELLERS: dict[str, Callable[[Any, Any], None]] = {}
"""Name of an operation's metadata message → what cancels the operation; registered by behaviours."""

REFRESHERS: dict[str, Callable[[Any, Any], None]] = {}
"""Name of an operation's metadata message → what brings it up to date before it is answered."""


def finished(service: Any, rpc: Method, call: Call, under: str, response: Any, *, metadata: Any = None) -> Any:
    """A done operation below `under`, with the types that the definition names for this method."""
    response = service.api.convert(response, rpc.response) if _is_version_of(response, rpc.response) else response
    return make(service, under, rpc.metadata, response=response, metadata=metadata)


def make(service: Any, under: str, metadata_type: str, *, response: Any = None, metadata: Any = None) -> Any:
    """Store an operation below `under`; done if there is a response."""
    operation = service.api.new("google.longrunning.Operation", name=f"{under}/operations/{names.new_id()}")
    if metadata is None and metadata_type:
        metadata = service.api.new(metadata_type)
        if "generic_metadata" in metadata.DESCRIPTOR.fields_by_name:
            now = service.now()
            metadata.generic_metadata.create_time.FromDatetime(now)
            metadata.generic_metadata.update_time.FromDatetime(now)
    if metadata is not None:
        operation.metadata.Pack(metadata)
    if response is not None:
        operation.done = True
        operation.response.Pack(response)
    service.store.put_operation(operation)
    return operation


def fail(service: Any, operation: Any, error: ApiError) -> None:
    """End an operation with an error."""
    operation.done = True
    operation.error.code = error.number
    operation.error.message = error.message
    service.store.put_operation(operation)


def _is_version_of(message: Any, full_name: str) -> bool:
    return bool(full_name) and message.DESCRIPTOR.name == full_name.rpartition(".")[2]


def _find(service: Any, name: str) -> Any:
    found = service.store.find_operation(service.projects.by_id(name))
    if found is None:
        raise ApiError("NOT_FOUND", f"Operation '{name}' is not found.", reason="RESOURCE_NOT_FOUND")
    return _as_it_stands(service, found)


def _as_it_stands(service: Any, operation: Any) -> Any:
    """The operation with what it has done so far."""
    refresh = REFRESHERS.get(operation.metadata.TypeName())
    if refresh and not operation.done:
        refresh(service, operation)
    return operation


@method("google.longrunning.Operations.GetOperation")
def get_operation(service: Any, request: Any, call: Call) -> Any:
    """The operation as it stands."""
    return _find(service, request.name)


@method("google.longrunning.Operations.ListOperations")
def list_operations(service: Any, request: Any, call: Call) -> Any:
    """The operations below a name, newest first, each as it stands."""
    answer = service.api.new("google.longrunning.ListOperationsResponse")
    parent = request.name.removesuffix("/operations")
    found = service.store.operations(service.projects.by_id(parent) + "/")
    answer.operations.extend(_as_it_stands(service, each) for each in found)
    return answer


@method("google.longrunning.Operations.WaitOperation")
async def wait_operation(service: Any, request: Any, call: Call) -> Any:
    """The operation once it is done, or as it stands after the time asked (at most a minute)."""
    asked = request.timeout.ToTimedelta().total_seconds() if request.HasField("timeout") else MAX_WAIT_S
    deadline = time.monotonic() + min(asked, MAX_WAIT_S)
    found = _find(service, request.name)
    while not found.done and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_EVERY_S)
        found = _find(service, request.name)
    return found


@method("google.longrunning.Operations.CancelOperation")
def cancel_operation(service: Any, request: Any, call: Call) -> Any:
    """Best effort, as the service has it: an operation that is done stays done."""
    found = _find(service, request.name)
    if not found.done:
        canceller = CANCELLERS.get(found.metadata.TypeName())
        if canceller is None:
            raise ApiError("UNIMPLEMENTED", f"Operation '{found.name}' cannot be cancelled.")
        canceller(service, found)
    return service.api.new("google.protobuf.Empty")


@method("google.longrunning.Operations.DeleteOperation")
def delete_operation(service: Any, request: Any, call: Call) -> Any:
    """Forget an operation."""
    service.store.delete_operation(_find(service, request.name).name)
    return service.api.new("google.protobuf.Empty")
