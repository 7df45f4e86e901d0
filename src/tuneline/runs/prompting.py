"""Prompting a tuned model, wherever it is served: an endpoint of Vertex AI, or a tuned model of the Gemini API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tuneline import jobs, registry
from tuneline.errors import NotFound, Problem, UsageError
from tuneline.google import hosts, rest
from tuneline.google.session import session

ANSWER_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the answer is drawn; None leaves a value to the model."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Target:
    """What answers."""

    name: str
    """`projects/…/endpoints/E`, or `tunedModels/T`."""
    container: bool = False
    """A container of somebody's own serves it: it knows `predict` alone, and answers in one piece."""


def resolve(name: str, project: str, location: str) -> Target:
    """What answers for an endpoint, a model, a TuningJob or a tuned model, by full name or by bare id.

    Raises:
        UsageError: there is no such thing, it is not served, or it is served by several endpoints.
        ServiceError: the service's refusal.
    """
    if "/" not in name:
        return _named(name, project, location)
    kind = name.split("/")[-2]
    if kind == "tunedModels":
        return Target(name=name)
    if kind == "endpoints":
        return _endpoint(name)
    if kind == "models":
        return _model(name)
    if kind == "tuningJobs":
        return _endpoint(_served(name))
    if kind == "customJobs":
        what, fix = f"{name} is a job that trains and serves nothing", "name the model that was made of it"
    else:
        what, fix = f"{name} answers no prompts", "name an endpoint, a model, a tuning job or a tuned model"
    raise UsageError([Problem(where="MODEL", what=what, fix=fix)])


def answer(target: Target, prompt: str, sampling: Sampling, *, system: str = "", stream: bool = False) -> Iterator[str]:
    """The answer in parts as they come, all of it in one part unless `stream`.

    Raises:
        UsageError: a container of somebody's own is to stream, or to be given a system instruction.
        ServiceError: the service's refusal.
    """
    if target.container:
        if stream or system:
            what, fix = f"{target.name} is served by a container that knows `predict` alone", "leave it out"
            raise UsageError([Problem(where="--stream" if stream else "--system", what=what, fix=fix)])
        yield _predicted(target, prompt, sampling)
        return
    body: dict[str, Any] = {
        "contents": [{"role": "user", "parts": [{"text": prompt}]}],
        "generationConfig": _given(
            temperature=sampling.temperature,
            topP=sampling.top_p,
            topK=sampling.top_k,
            maxOutputTokens=sampling.max_tokens,
        ),
    }
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    service, version = ("generativelanguage", "v1beta") if _is_gemini_api(target) else ("aiplatform", "v1")
    path = f"/{version}/{target.name}"
    if stream:
        yield from (_text(event) for event in _events(service, f"{path}:streamGenerateContent", body))
    else:
        told = rest.call("POST", service, f"{path}:generateContent", body=body, retry=False, timeout_s=ANSWER_S)
        yield _text(told)


def _is_gemini_api(target: Target) -> bool:
    return target.name.startswith("tunedModels/")


def _events(service: str, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The answers of a stream of server-sent events, each as soon as it is there."""
    with rest.send(
        session(service),
        "POST",
        hosts.base_url(service, hosts.location_of(path)) + path,
        spends=True,
        timeout_s=ANSWER_S,
        stream=True,
        params={"alt": "sse"},
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
    ) as coming:
        for line in coming.iter_lines():
            if line.startswith(b"data:"):
                yield json.loads(line.removeprefix(b"data:"))


def _predicted(target: Target, prompt: str, sampling: Sampling) -> str:
    # vLLM's container reads an instance's own fields, others the parameters beside it.
    instance = _given(
        prompt=prompt,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        max_tokens=sampling.max_tokens,
    )
    parameters = _given(
        temperature=sampling.temperature,
        topP=sampling.top_p,
        topK=sampling.top_k,
        maxOutputTokens=sampling.max_tokens,
    )
    body = {"instances": [instance], "parameters": parameters}
    told = rest.call("POST", "aiplatform", f"/v1/{target.name}:predict", body=body, retry=False, timeout_s=ANSWER_S)
    first = (told.get("predictions") or [""])[0]
    return str(first.get("content", first) if isinstance(first, dict) else first)


def _text(told: dict[str, Any]) -> str:
    candidates = told.get("candidates") or [{}]
    parts = (candidates[0].get("content") or {}).get("parts") or []
    return "".join(str(part.get("text") or "") for part in parts)


def _named(name: str, project: str, location: str) -> Target:
    """What answers for a bare id, looked for among endpoints, models and tuning jobs."""
    place = f"projects/{project}/locations/{location}"
    for kind in ("endpoints", "models", "tuningJobs"):
        try:
            return resolve(f"{place}/{kind}/{name}", project, location)
        except NotFound:
            continue
    what, fix = f"no endpoint, model or tuning job {name} in {project}, {location}", "give its full name"
    raise UsageError([Problem(where="MODEL", what=what, fix=fix)])


def _served(job: str) -> str:
    """The endpoint that a TuningJob has made for its default checkpoint."""
    engine = jobs.engine("vertex_tuning")
    now = engine.get(job)
    endpoint = str(engine.result(job).get("endpoint") or "") if now.state is jobs.JobState.SUCCEEDED else ""
    if not endpoint:
        what = f"{job} is {now.words}, and has no endpoint"
        raise UsageError([Problem(where="MODEL", what=what, fix="wait for its end: tuneline jobs watch")])
    return endpoint


def _model(name: str) -> Target:
    served = [str(each["endpoint"]) for each in registry.get(name).raw.get("deployedModels") or ()]
    if len(set(served)) == 1:
        return _endpoint(served[0])
    if served:
        what, fix = f"{name} is served by several endpoints", "name one of " + ", ".join(sorted(set(served)))
    else:
        what, fix = f"{name} is not deployed", "deploy it, e.g. by a run with deploy_model=true"
    raise UsageError([Problem(where="MODEL", what=what, fix=fix)])


def _endpoint(name: str) -> Target:
    models = registry.get_endpoint(name).models
    if not models:
        fix = "deploy a model to it, or name another endpoint"
        raise UsageError([Problem(where="MODEL", what=f"{name} serves no model", fix=fix)])
    return Target(name=name, container=bool(registry.get(models[0]).raw.get("containerSpec")))


def _given(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
