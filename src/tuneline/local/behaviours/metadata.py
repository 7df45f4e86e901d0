"""ML Metadata: stores, contexts, artifacts and executions as records that the SDK reads and writes.

Every location has the store `default`, as on Vertex AI once anything has used it.
"""

from __future__ import annotations

from typing import Any

from tuneline.local.resources.behaviour import Call, PassiveBehaviour, behaviour, method
from tuneline.local.resources.names import id_of

SERVICE = "google.cloud.aiplatform.{v}.MetadataService."
V = "google.cloud.aiplatform.v1beta1."


@behaviour
class MetadataStores(PassiveBehaviour):
    """A store, which is no more than its name."""

    kind = "MetadataStore"


@behaviour
class Artifacts(PassiveBehaviour):
    """An artifact; its state is the client's to say."""

    kind = "Artifact"


@behaviour
class Executions(PassiveBehaviour):
    """An execution; its state is the client's to say."""

    kind = "Execution"


@method(SERVICE + "GetMetadataStore")
def get_metadata_store(service: Any, request: Any, call: Call) -> Any:
    """The store; `default` is made when it is first asked for."""
    if id_of(request.name) == "default" and service.store.find(request.name) is None:
        service.store.insert(service.api.new(V + "MetadataStore", name=request.name))
    return service.store.get(request.name)


@method(SERVICE + "AddContextChildren")
def add_context_children(service: Any, request: Any, call: Call) -> Any:
    """Contexts become children of another: an experiment's runs."""
    service.store.get(request.context)
    with service.store.transaction():
        for name in request.child_contexts:
            child = service.store.get(service.projects.by_id(name))
            if request.context not in child.parent_contexts:
                child.parent_contexts.append(request.context)
                service.store.put(child)
    return service.api.new(V + "AddContextChildrenResponse")
