"""generateContent and predict: answered by the tuned model itself, through the trainer's server.

A model of Google's (`publishers/google/models/gemini-…`) is stood in for by the built-in base; the answer's
`modelVersion` says so.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from tuneline.local.behaviours.models import resolve
from tuneline.local.resources.behaviour import ApiError, Call, invalid, method
from tuneline.local.serving import Answer, Source

SERVICE = "google.cloud.aiplatform.{v}.PredictionService."
STAND_IN = "builtin:tiny"
BASE_VARIABLE = "TUNELINE_BASE_MODEL"
"""Variable of a model's container that names the base of its adapter: docs/trainer.md."""
DEFAULT_TOKENS = 256
_ROLES = {"user": "user", "": "user", "model": "assistant", "assistant": "assistant", "system": "system"}
_TEXT_KEYS = ("prompt", "content", "input_text", "text")


@method(SERVICE + "GenerateContent")
async def generate_content(service: Any, request: Any, call: Call) -> Any:
    """The whole answer."""
    return await answer(service, request, f"google.cloud.aiplatform.{call.version}.GenerateContentResponse")


@method(SERVICE + "StreamGenerateContent")
async def stream_generate_content(service: Any, request: Any, call: Call) -> AsyncGenerator[Any, None]:
    """The answer as a stream of one part: the model's server gives a text when it is whole."""
    return _one(answer(service, request, f"google.cloud.aiplatform.{call.version}.GenerateContentResponse"))


async def _one(coming: Any) -> AsyncGenerator[Any, None]:
    yield await coming


async def answer(service: Any, request: Any, response_type: str, *, source: Source | None = None) -> Any:
    """One GenerateContentResponse of any API version from one GenerateContentRequest."""
    name = request.model
    source = source or source_of(service, name)
    for field in ("tools", "cached_content"):
        if field in request.DESCRIPTOR.fields_by_name and getattr(request, field):
            raise ApiError("UNIMPLEMENTED", f"{field}: the local model answers a prompt with text and does no more.")
    config = request.generation_config
    if config.candidate_count > 1:
        raise invalid("generationConfig.candidateCount", "The local model gives one candidate.")
    prompt: dict[str, Any] = {
        "messages": _messages(request),
        "max_new_tokens": config.max_output_tokens or DEFAULT_TOKENS,
        "temperature": config.temperature,
        "top_p": config.top_p or 1.0,
        "top_k": int(config.top_k),
        "seed": config.seed if "seed" in config.DESCRIPTOR.fields_by_name else 0,
    }
    found, about = await service.serving.ask(source, prompt)
    text, finish = _stopped(found, list(config.stop_sequences))
    response = service.api.new(response_type)
    candidate = response.candidates.add()
    candidate.content.role = "model"
    candidate.content.parts.add(text=text)
    candidate.finish_reason = "MAX_TOKENS" if finish == "length" else "STOP"
    usage = response.usage_metadata
    usage.prompt_token_count = found.prompt_tokens
    usage.candidates_token_count = found.output_tokens
    usage.total_token_count = found.prompt_tokens + found.output_tokens
    _set(response, "model_version", _version(name, source, about))
    return response


def _set(message: Any, field: str, value: Any) -> None:
    if field in message.DESCRIPTOR.fields_by_name:
        setattr(message, field, value)


def _version(name: str, source: Source, about: Mapping[str, Any]) -> str:
    """Which model answered, with the stand-in named where there is one."""
    base = str(about.get("name") or source.base)
    stand_in = bool(about.get("stand_in")) or "publishers/" in name
    tuned = " tuned on" if source.adapter else ""
    return (
        f"{name.rpartition('/')[2]} ({tuned.strip()}{' ' if tuned else ''}{base}{', a stand-in' if stand_in else ''})"
    )


def _messages(request: Any) -> list[dict[str, str]]:
    messages = []
    if request.system_instruction.parts:
        messages.append({"role": "system", "text": _text(request.system_instruction, "systemInstruction")})
    for index, content in enumerate(request.contents):
        role = _ROLES.get(content.role.lower())
        if role is None:
            raise invalid(f"contents[{index}].role", f"'{content.role}' is neither user nor model.")
        messages.append({"role": role, "text": _text(content, f"contents[{index}]")})
    if not messages or messages[-1]["role"] != "user":
        raise invalid("contents", "The last content must be the user's.")
    return messages


def _text(content: Any, field: str) -> str:
    for index, each in enumerate(content.parts):
        kind = each.WhichOneof("data")
        if kind not in (None, "text"):
            raise invalid(f"{field}.parts[{index}]", f"The local model reads text; {kind} is nothing for it.")
    return "".join(each.text for each in content.parts)


def _stopped(found: Answer, stops: list[str]) -> tuple[str, str]:
    """The text up to the first stop sequence."""
    ends = [at for stop in stops if stop and (at := found.text.find(stop)) >= 0]
    return (found.text[: min(ends)], "stop") if ends else (found.text, found.finish)


def source_of(service: Any, name: str) -> Source:
    """What answers for an endpoint, or for a publisher's model; raises ApiError where nothing does."""
    if "/endpoints/" in name:
        return _deployed(service, service.store.get(name))
    if "publishers/" in name:
        return Source(base=STAND_IN)
    raise invalid("model", f"'{name}' is neither an endpoint nor a publisher's model.")


def _deployed(service: Any, endpoint: Any) -> Source:
    if not endpoint.deployed_models:
        raise ApiError("FAILED_PRECONDITION", f"Endpoint '{endpoint.name}' has no deployed model.")
    own = service.store.private(endpoint.name)
    if "adapter" in own:
        # An endpoint that a tuning job made for one of its checkpoints.
        return Source(base=own["base"], adapter=own["adapter"])
    shares = dict(endpoint.traffic_split)
    chosen = max(endpoint.deployed_models, key=lambda each: shares.get(each.id, 0))
    version = resolve(service, f"{chosen.model}@{chosen.model_version_id}")
    own = service.store.private(version.name)
    if "adapter" in own:
        return Source(base=own["base"], adapter=own["adapter"])
    variables = {each.name: each.value for each in version.container_spec.env}
    if not version.artifact_uri or BASE_VARIABLE not in variables:
        raise ApiError(
            "UNIMPLEMENTED",
            f"The model '{version.name}' is served by '{version.container_spec.image_uri}', not run here; only "
            f"adapters of tuneline's trainer are (with {BASE_VARIABLE} in the container's environment).",
        )
    return Source(base=variables[BASE_VARIABLE], adapter=version.artifact_uri)


@method("google.cloud.aiplatform.v1.LlmUtilityService.CountTokens")
@method("google.cloud.aiplatform.v1beta1.PredictionService.CountTokens")
async def count_tokens(service: Any, request: Any, call: Call) -> Any:
    """The tokens of a prompt by the tokenizer of the model that would answer it."""
    source = source_of(service, request.endpoint)
    prompt = {"messages": _messages(request), "max_new_tokens": 1}
    found, _ = await service.serving.ask(source, prompt)
    answered = service.api.new(f"google.cloud.aiplatform.{call.version}.CountTokensResponse")
    answered.total_tokens = found.prompt_tokens
    answered.total_billable_characters = sum(len(message["text"]) for message in _messages(request))
    return answered


@method(SERVICE + "Predict")
async def predict(service: Any, request: Any, call: Call) -> Any:
    """One text for each instance `{"prompt": …}`; parameters are `maxOutputTokens`, `temperature`, `topP`, `topK`."""
    endpoint = service.store.get(request.endpoint)
    source = _deployed(service, endpoint)
    parameters = service.api.to_json(request.parameters) if request.HasField("parameters") else {}
    parameters = parameters if isinstance(parameters, dict) else {}
    response = service.api.new(f"google.cloud.aiplatform.{call.version}.PredictResponse")
    for index, instance in enumerate(request.instances):
        value = service.api.to_json(instance)
        text = next((value[key] for key in _TEXT_KEYS if key in value), None) if isinstance(value, dict) else value
        if not isinstance(text, str):
            raise invalid(f"instances[{index}]", 'An instance is a text, or an object with one: {"prompt": "…"}.')
        prompt = {
            "messages": [{"role": "user", "text": text}],
            "max_new_tokens": int(parameters.get("maxOutputTokens", DEFAULT_TOKENS)),
            "temperature": float(parameters.get("temperature", 0)),
            "top_p": float(parameters.get("topP", 1)),
            "top_k": int(parameters.get("topK", 0)),
            "seed": int(parameters.get("seed", 0)),
        }
        found, _ = await service.serving.ask(source, prompt)
        response.predictions.add().struct_value.update({"content": found.text, "finishReason": found.finish})
    chosen = endpoint.deployed_models[0]
    response.deployed_model_id = chosen.id
    response.model, response.model_version_id = chosen.model, chosen.model_version_id
    return response
