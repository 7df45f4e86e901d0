"""Google's own models by name, as the catalogue knows them: what a client looks up before it tunes or prompts one.

What answers in their place is in `generation.py`.
"""

from __future__ import annotations

from typing import Any

from tuneline.local import prompts
from tuneline.local.resources import standard
from tuneline.local.resources.behaviour import Call, method, not_found
from tuneline.local.resources.names import id_of
from tuneline.local.serving import Source
from tuneline.local.stand_in import stand_in

GARDEN = "google.cloud.aiplatform.{v}.ModelGardenService."
GEMINI = "google.ai.generativelanguage.v1beta."
PUBLISHER = "publishers/google"
GENERATION = ("generateContent", "streamGenerateContent", "countTokens")
TUNING = "createTunedModel"
SCHEMAS = {
    "text": "text_generation",
    "code": "code_generation",
    "chat": "chat_generation",
    "codechat": "codechat_generation",
}
"""First word of a bison model's name → the schema by which the older SDK knows its class."""


def _google(*kinds: str) -> list[Any]:
    """The catalogue's models that Google serves, or once served, itself."""
    from tuneline import catalog

    return [each for each in catalog.models() if each.kind in (kinds or ("gemini", "bison"))]


def _find(name: str) -> Any:
    """The model of a resource name; raises ApiError NOT_FOUND.

    A version is left out where the catalogue has none, and put in where it has one.
    """
    wanted = id_of(name)
    for each in _google():
        if wanted in (each.name, each.name.partition("@")[0]) or wanted.partition("@")[0] in (each.name, *each.aliases):
            return each
    raise not_found(name)


@method(GARDEN + "GetPublisherModel")
def get_publisher_model(service: Any, request: Any, call: Call) -> Any:
    """A model of Google's that the catalogue has."""
    if not request.name.startswith(f"{PUBLISHER}/models/"):
        raise not_found(request.name)
    return _publisher_model(service, _find(request.name), call)


@method("google.cloud.aiplatform.v1beta1.ModelGardenService.ListPublisherModels")
def list_publisher_models(service: Any, request: Any, call: Call) -> Any:
    """All Gemini models."""
    response = service.api.new("google.cloud.aiplatform.v1beta1.ListPublisherModelsResponse")
    if request.parent != PUBLISHER:
        raise not_found(request.parent)
    response.publisher_models.extend(_publisher_model(service, each, call) for each in _google("gemini"))
    return response


def _publisher_model(service: Any, found: Any, call: Call) -> Any:
    plain, _, version = found.name.partition("@")
    model = service.api.new(f"google.cloud.aiplatform.{call.version}.PublisherModel")
    model.name, model.version_id = f"{PUBLISHER}/models/{plain}", version or "default"
    where = "projects/{user-project}/locations/{location}"
    model.publisher_model_template = f"{where}/{PUBLISHER}/models/{found.name}"
    if found.kind == "bison":
        schema = SCHEMAS[plain.partition("-")[0]]
        uri = f"gs://google-cloud-aiplatform/schema/predict/instance/{schema}_1.0.0.yaml"
        model.predict_schemata.instance_schema_uri = uri
    model.open_source_category = "PROPRIETARY"
    return model


@method(GEMINI + "ModelService.GetModel")
def get_model(service: Any, request: Any, call: Call) -> Any:
    """The same model as the Gemini API describes it."""
    return _gemini_model(service, _find(request.name))


@method(GEMINI + "ModelService.ListModels")
def list_models(service: Any, request: Any, call: Call) -> Any:
    """A page of them, by name."""
    response = service.api.new(GEMINI + "ListModelsResponse")
    rows, response.next_page_token = standard.page(
        [_gemini_model(service, each) for each in _google("gemini")], request, "name"
    )
    response.models.extend(rows)
    return response


def _gemini_model(service: Any, found: Any) -> Any:
    model = service.api.new(GEMINI + "Model", name=f"models/{found.name}", base_model_id=found.name)
    model.display_name = found.name
    model.description = f"{stand_in()} answers in its place here"
    model.input_token_limit = found.max_input_tokens or 0
    model.output_token_limit = found.max_output_tokens or 0
    model.supported_generation_methods.extend(GENERATION)
    if found.engine == "gemini_api":
        model.supported_generation_methods.append(TUNING)
    return model


@method(GEMINI + "GenerativeService.CountTokens")
async def count_tokens(service: Any, request: Any, call: Call) -> Any:
    """The tokens of a prompt by the tokenizer of the stand-in."""
    asked = service.api.new(GEMINI + "GenerateContentRequest", contents=request.contents)
    if request.HasField("generate_content_request"):
        asked = request.generate_content_request
    messages = prompts.messages(asked)
    found, _ = await service.serving.ask(Source(base=stand_in()), {"messages": messages, "max_new_tokens": 1})
    return service.api.new(GEMINI + "CountTokensResponse", total_tokens=found.prompt_tokens)
