"""ML Metadata's graph: which executions used and made which artifacts, and to which contexts both belong.

Events are kept beside their execution, memberships beside their context; the SDK's experiments live on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tuneline.local.resources import standard
from tuneline.local.resources.behaviour import Call, invalid, method
from tuneline.local.resources.filters import compile_filter
from tuneline.local.resources.store import atomic

SERVICE = "google.cloud.aiplatform.{v}.MetadataService."
V = "google.cloud.aiplatform.v1beta1."
EXECUTIONS = "Execution"
_IN_CONTEXT = re.compile(r'in_context\("([^"]+)"\)')


@method(SERVICE + "AddContextArtifactsAndExecutions")
@atomic
def add_to_context(service: Any, request: Any, call: Call) -> Any:
    """Artifacts and executions that exist become members of a context; those that are members stay."""
    context = service.store.get(request.context).name
    members = service.store.private(context)
    for field in ("artifacts", "executions"):
        names = [service.store.get(service.projects.by_id(name)).name for name in getattr(request, field)]
        members[field] = list(dict.fromkeys([*members.get(field, []), *names]))
    service.store.remember(context, members)
    return service.api.new(V + "AddContextArtifactsAndExecutionsResponse")


@method(SERVICE + "RemoveContextChildren")
@atomic
def remove_context_children(service: Any, request: Any, call: Call) -> Any:
    """Contexts cease to be children of another."""
    parent = service.store.get(request.context).name
    for name in request.child_contexts:
        child = service.store.get(service.projects.by_id(name))
        kept = [each for each in child.parent_contexts if each != parent]
        del child.parent_contexts[:]
        child.parent_contexts.extend(kept)
        service.store.put(child)
    return service.api.new(V + "RemoveContextChildrenResponse")


@method(SERVICE + "AddExecutionEvents")
@atomic
def add_execution_events(service: Any, request: Any, call: Call) -> Any:
    """An execution used or made artifacts; an artifact has one event with it, and a second is passed over."""
    execution = service.store.get(request.execution).name
    held = service.store.private(execution)
    events = held.get("events", [])
    known = {each["artifact"] for each in events}
    for event in request.events:
        artifact = service.store.get(service.projects.by_id(event.artifact)).name
        if not event.type:
            raise invalid("events.type", "Required field is not set: INPUT or OUTPUT.")
        if artifact in known:
            continue
        known.add(artifact)
        made = service.api.new(V + "Event", artifact=artifact, execution=execution, type=event.type)
        made.labels.update(event.labels)
        made.event_time.FromDatetime(service.now())
        events.append(service.api.to_json(made))
    service.store.remember(execution, {**held, "events": events})
    return service.api.new(V + "AddExecutionEventsResponse")


@method(SERVICE + "QueryExecutionInputsAndOutputs")
def query_execution(service: Any, request: Any, call: Call) -> Any:
    """An execution with all that it used and made."""
    execution = service.store.get(request.execution).name
    return _subgraph(service, [], [execution])


@method(SERVICE + "QueryContextLineageSubgraph")
def query_context(service: Any, request: Any, call: Call) -> Any:
    """The members of a context, and the events of its executions."""
    members = service.store.private(service.store.get(request.context).name)
    return _subgraph(service, members.get("artifacts", []), members.get("executions", []))


@method(SERVICE + "QueryArtifactLineageSubgraph")
def query_artifact(service: Any, request: Any, call: Call) -> Any:
    """What an artifact is connected with, `max_hops` events away; without a limit, all of it."""
    if request.max_hops < 0:
        raise invalid("maxHops", "must not be negative.")
    if request.filter:
        raise invalid("filter", "The local service does not filter a lineage.")
    start = service.store.get(request.artifact).name
    store = start.partition("/artifacts/")[0]
    events = [event for each in service.store.list(EXECUTIONS, store) for event in _events(service, each.name)]
    seen, edge = {start}, {start}
    hops = request.max_hops or len(events) + 1
    while edge and hops:
        pairs = [(event["artifact"], event["execution"]) for event in events]
        edge = {other for pair in pairs for one, other in (pair, pair[::-1]) if one in edge} - seen
        seen |= edge
        hops -= 1
    return _subgraph(
        service,
        [name for name in seen if "/artifacts/" in name],
        [name for name in seen if "/executions/" in name],
        only=seen,
    )


def _events(service: Any, execution: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.store.private(execution).get("events", [])
    return found


def _subgraph(service: Any, artifacts: Iterable[str], executions: Iterable[str], *, only: Any = None) -> Any:
    """A LineageSubgraph of these, and of the artifacts that the executions name (`only`: those among them)."""
    graph = service.api.new(V + "LineageSubgraph")
    names = dict.fromkeys(artifacts)
    for execution in executions:
        graph.executions.append(service.store.get(execution))
        for event in _events(service, execution):
            if only is None or event["artifact"] in only:
                names.setdefault(event["artifact"])
                graph.events.append(service.api.from_json(event, V + "Event"))
    graph.artifacts.extend(found for name in names if (found := service.store.find(name)) is not None)
    return graph


@method(SERVICE + "ListArtifacts")
def list_artifacts(service: Any, request: Any, call: Call) -> Any:
    """As every list; a filter may also ask for the members of a context."""
    return _list(service, request, kind="Artifact", field="artifacts")


@method(SERVICE + "ListExecutions")
def list_executions(service: Any, request: Any, call: Call) -> Any:
    """As every list; a filter may also ask for the members of a context."""
    return _list(service, request, kind=EXECUTIONS, field="executions")


def _list(service: Any, request: Any, *, kind: str, field: str) -> Any:
    answer = service.api.new(f"{V}List{kind}sResponse")
    wanted = None
    for context in _IN_CONTEXT.findall(request.filter):
        members = service.store.private(service.projects.by_id(context)).get(field, [])
        wanted = set(members) if wanted is None else wanted & set(members)
    rest = re.sub(rf"\s*AND\s*{_IN_CONTEXT.pattern}|{_IN_CONTEXT.pattern}(\s*AND\s*)?", "", request.filter)
    test = compile_filter(rest)
    rows = [row for row in service.store.list(kind, request.parent) if wanted is None or row.name in wanted]
    rows, answer.next_page_token = standard.page([row for row in rows if test(row)], request)
    getattr(answer, field).extend(rows)
    return answer
