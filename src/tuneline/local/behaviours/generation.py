"""generateContent and predict: answered by the tuned model itself, through the trainer's server.

A model of Google's (`publishers/google/models/gemini-…`) is stood in for by the built-in base; the answer's
`modelVersion` says so.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from tuneline.local import prompts
from tuneline.local.behaviours.models import resolve
from tuneline.local.resources.behaviour import ApiError, Call, invalid, method
from tuneline.local.serving import Source
from tuneline.local.stand_in import stand_in

SERVICE = "google.cloud.aiplatform.{v}.PredictionService."
BASE_VARIABLE = "TUNELINE_BASE_MODEL"
"""Variable of a model's container that names the base of its adapter: docs/trainer.md."""


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
    found, about = await service.serving.ask(source, prompts.of_request(request))
    version = prompts.version(name, source, about)
    return prompts.fill(service.api.new(response_type), request, found, version=version)


def source_of(service: Any, name: str) -> Source:
    """What answers for an endpoint, or for a publisher's model; raises ApiError where nothing does."""
    if "/endpoints/" in name:
        return _deployed(service, service.store.get(name))
    if "publishers/" in name:
        return Source(base=stand_in())
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
    return of_version(service, resolve(service, f"{chosen.model}@{chosen.model_version_id}"))


def of_version(service: Any, version: Any) -> Source:
    """The base and adapter of a version of a model; raises ApiError where it is none of the trainer's."""
    own = service.store.private(version.name)
    if "checkpoints" in own:
        return Source(base=own["base"], adapter=own["checkpoints"][version.default_checkpoint_id])
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
    messages = prompts.messages(request)
    prompt = {"messages": messages, "max_new_tokens": 1}
    found, _ = await service.serving.ask(source, prompt)
    answered = service.api.new(f"google.cloud.aiplatform.{call.version}.CountTokensResponse")
    answered.total_tokens = found.prompt_tokens
    answered.total_billable_characters = sum(len(message["text"]) for message in messages)
    return answered


@method(SERVICE + "Predict")
async def predict(service: Any, request: Any, call: Call) -> Any:
    """One text for each instance `{"prompt": …}`; parameters are `maxOutputTokens`, `temperature`, `topP`, `topK`."""
    source = source_of(service, request.endpoint)
    parameters = service.api.to_json(request.parameters) if request.HasField("parameters") else {}
    parameters = parameters if isinstance(parameters, dict) else {}
    response = service.api.new(f"google.cloud.aiplatform.{call.version}.PredictResponse")
    for index, instance in enumerate(request.instances):
        prompt = prompts.of_instance(service.api.to_json(instance), parameters, where=f"instances[{index}]")
        found, _ = await service.serving.ask(source, prompt)
        response.predictions.add().struct_value.update(prompts.prediction(found))
    for chosen in service.store.get(request.endpoint).deployed_models[:1] if "/endpoints/" in request.endpoint else ():
        response.deployed_model_id = chosen.id
        response.model, response.model_version_id = chosen.model, chosen.model_version_id
    return response
