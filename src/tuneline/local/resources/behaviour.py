"""What gives a resource meaning: the generic engine stores anything, a Behaviour makes one kind of it do something.

Everything here runs on the one event loop of the service, so a behaviour needs no locks; what takes longer than a few
milliseconds is a child process (`local/processes`) or a coroutine given to `service.background`.

A resource is a protobuf message of the definition's own pool, always of the `v1beta1` class where there is one
(v1 and v1beta1 share field numbers; the engine answers in the version that was asked). Enum fields take their names:
`job.state = "JOB_STATE_RUNNING"`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tuneline.local.resources.errors import ApiError, invalid, not_found

__all__ = [
    "ApiError",
    "Behaviour",
    "Call",
    "PassiveBehaviour",
    "Service",
    "behaviour",
    "invalid",
    "method",
    "not_found",
]

Message = Any
"""A dynamic protobuf message; its class exists only once the definition is loaded, so no static type names it."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One API call as every transport delivers it."""

    method: str
    """Full name without a leading slash: `google.cloud.aiplatform.v1.JobService/CreateCustomJob`."""
    transport: str
    """`rest` or `grpc`."""
    version: str
    """API version that was asked: `v1`, `v1beta1`, `v1beta`, `v3`."""
    headers: Mapping[str, str] = field(default_factory=dict)


class Api(Protocol):
    """The part of the definition that behaviours use (`local/definition`)."""

    def new(self, full_name: str, **fields: Any) -> Message:
        """An empty message: `new("google.cloud.aiplatform.v1beta1.Model", display_name="m")`."""
        ...

    def to_json(self, message: Message, *, enums_as_numbers: bool = False) -> dict[str, Any]:
        """The message as REST JSON (camelCase)."""
        ...

    def from_json(self, value: Mapping[str, Any], into: Message | str) -> Message:
        """JSON (camelCase or snake_case) into a message or a new message of that full name; raises ApiError."""
        ...


class Store(Protocol):
    """The resources on disk (`local/resources/store.py`); a write has reached the disk when the call returns."""

    def get(self, name: str) -> Message:
        """The resource of this name; raises ApiError NOT_FOUND."""
        ...

    def find(self, name: str) -> Message | None: ...

    def put(self, resource: Message) -> None:
        """Write the resource under its `name`, and its update_time with it."""
        ...

    def delete(self, name: str) -> None: ...

    def list(self, kind: str, parent: str = "") -> Iterator[Message]:
        """All resources of a kind ("CustomJob"), newest last; below `parent` where given."""
        ...

    def private(self, name: str) -> dict[str, Any]:
        """What a behaviour remembers beside the resource (JSON, never answered to a client)."""
        ...

    def remember(self, name: str, value: Mapping[str, Any]) -> None:
        """Replace what `private` returns."""
        ...


class Service(Protocol):
    """What a behaviour may use of the service it runs in."""

    api: Api
    store: Store
    data: Path
    """The data folder; pipeline jobs live in `data/pipelines/<id>`, custom jobs in `data/jobs/<id>`."""
    url: str
    """`http://127.0.0.1:P`, without a trailing slash."""

    def now(self) -> datetime:
        """The service's clock (UTC); tests move it forward."""
        ...

    def environment(self, kind: str, *, name: str = "") -> dict[str, str]:
        """The whole environment of a child process, `kind` being `trainer`, `driver` or `serve`.

        It has PATH, HOME, TUNELINE_LOCAL_URL, STORAGE_EMULATOR_HOST, GOOGLE_CLOUD_PROJECT, TUNELINE_STAGING and what
        redirects Google's clients here; for `driver` and `trainer` with `name`, TUNELINE_REGION and the project of
        that resource. Nothing is inherited that is not named.
        """
        ...

    def template(self, uri: str) -> dict[str, Any] | None:
        """The pipeline spec this project serves under that templateUri, or None."""
        ...

    def background(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Run a coroutine until it ends or the service stops; its failure is logged."""
        ...

    def hold(self, what: str, reason: str) -> None:
        """Keep an idle service alive while `what` (a resource name) goes on; see `release`."""
        ...

    def release(self, what: str) -> None: ...

    def at_stop(self, stop: Callable[[], None]) -> None:
        """Call this when the service ends, before its state is folded away."""
        ...

    def operation(
        self, call: Call, resource: Message, *, metadata: str, response: Message | None = None, name: str = ""
    ) -> Message:
        """A finished long-running operation under `resource` whose response is `response` (or the resource)."""
        ...


class Behaviour(Protocol):
    """One kind of resource with a meaning of its own; see `PassiveBehaviour` for the defaults."""

    kind: str
    """The message's name: "PipelineJob"."""

    def creating(self, service: Service, resource: Message, request: Message) -> Mapping[str, Any] | None:
        """Check and fill the resource before it is stored (its `name` and times are set); raise ApiError to refuse.

        What is answered is remembered beside it (`Store.private`).
        """
        ...

    def created(self, service: Service, resource: Message) -> None:
        """Start the work; the resource is on disk."""
        ...

    def reading(self, service: Service, resource: Message) -> None:
        """Bring the resource up to date before it is answered by get or list; changes are for the answer alone
        unless the behaviour calls `service.store.put`."""
        ...

    def updating(self, service: Service, resource: Message, before: Message) -> None:
        """Check a changed resource before it is stored; raise ApiError to refuse."""
        ...

    def cancel(self, service: Service, resource: Message) -> None:
        """Stop the work. Called for a resource in any state; raise ApiError where that makes no sense."""
        ...

    def deleting(self, service: Service, resource: Message) -> None:
        """Check, and clean up, before the resource goes; raise ApiError to refuse."""
        ...

    def recover(self, service: Service) -> None:
        """At service start: take up what was running when the last service ended, however it ended."""
        ...


class PassiveBehaviour:
    """A behaviour that refuses nothing and does nothing: derive from it and override what the kind needs."""

    kind = ""

    def creating(self, service: Service, resource: Message, request: Message) -> Mapping[str, Any] | None:
        """Accept as it is."""
        return None

    def created(self, service: Service, resource: Message) -> None:
        """Nothing to start."""

    def reading(self, service: Service, resource: Message) -> None:
        """Nothing to refresh."""

    def updating(self, service: Service, resource: Message, before: Message) -> None:
        """Accept as it is."""

    def cancel(self, service: Service, resource: Message) -> None:
        raise ApiError("UNIMPLEMENTED", f"The local service cannot cancel a {self.kind}.")

    def deleting(self, service: Service, resource: Message) -> None:
        """Nothing to clean up."""

    def recover(self, service: Service) -> None:
        """Nothing was running."""


Handler = Callable[[Service, Message, Call], "Message | Awaitable[Message] | AsyncGenerator[Message, None]"]

BEHAVIOURS: dict[str, Behaviour] = {}
METHODS: dict[str, Handler] = {}
VERSIONS = ("v1", "v1beta1")

B = TypeVar("B", bound=type)
H = TypeVar("H", bound=Callable[..., Any])


def behaviour(cls: B) -> B:
    """Register a Behaviour class for its kind; one instance serves the whole service, so state belongs in the store."""
    instance = cls()
    if instance.kind in BEHAVIOURS:
        raise ValueError(f"two behaviours for {instance.kind}")
    BEHAVIOURS[instance.kind] = instance
    return cls


def method(full_name: str) -> Callable[[H], H]:
    """Register a handler for a method that is not a standard one, or that a standard one does not do justice to.

    `full_name` is `package.Service.Method`; `{v}` in it stands for v1 and v1beta1. The handler is called as
    `handler(service, request, call)` with the request in the version asked, and returns the answer (of either
    version), an awaitable of it, or an async generator for a server-streaming method.
    """

    def register(handler: H) -> H:
        names = [full_name.replace("{v}", v) for v in VERSIONS] if "{v}" in full_name else [full_name]
        for name in names:
            if name in METHODS:
                raise ValueError(f"two handlers for {name}")
            METHODS[name] = handler
        return handler

    return register
