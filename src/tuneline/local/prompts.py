"""From what a client asks to what the trainer's server takes, and from its text to what the client expects.

Used by the service for one request at a time, and by the process of a batch prediction job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneline.local.resources.errors import ApiError, invalid
from tuneline.local.serving import Answer, Source

DEFAULT_TOKENS = 256
_ROLES = {"user": "user", "": "user", "model": "assistant", "assistant": "assistant", "system": "system"}
_TEXT_KEYS = ("prompt", "content", "input_text", "text")


def of_request(request: Any) -> dict[str, Any]:
    """The prompt of a GenerateContentRequest of any API version; raises ApiError for what no model here can do."""
    for field in ("tools", "cached_content"):
        if field in request.DESCRIPTOR.fields_by_name and getattr(request, field):
            raise ApiError("UNIMPLEMENTED", f"{field}: the local model answers a prompt with text and does no more.")
    config = request.generation_config
    if config.candidate_count > 1:
        raise invalid("generationConfig.candidateCount", "The local model gives one candidate.")
    return {
        "messages": messages(request),
        "max_new_tokens": config.max_output_tokens or DEFAULT_TOKENS,
        "temperature": config.temperature,
        "top_p": config.top_p or 1.0,
        "top_k": int(config.top_k),
        "seed": config.seed if "seed" in config.DESCRIPTOR.fields_by_name else 0,
    }


def of_instance(value: Any, parameters: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """The prompt of an instance of `predict`: a text, or an object with one."""
    text = next((value[key] for key in _TEXT_KEYS if key in value), None) if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise invalid(where, 'An instance is a text, or an object with one: {"prompt": "…"}.')
    try:
        return {
            "messages": [{"role": "user", "text": text}],
            "max_new_tokens": int(parameters.get("maxOutputTokens", DEFAULT_TOKENS)),
            "temperature": float(parameters.get("temperature", 0)),
            "top_p": float(parameters.get("topP", 1)),
            "top_k": int(parameters.get("topK", 0)),
            "seed": int(parameters.get("seed", 0)),
        }
    except (TypeError, ValueError) as error:
        raise invalid("parameters", f"A parameter is no number: {error}.") from None


def fill(response: Any, request: Any, found: Answer, *, version: str) -> Any:
    """An empty GenerateContentResponse of any API version, with the answer in it."""
    text, finish = _stopped(found, list(request.generation_config.stop_sequences))
    candidate = response.candidates.add()
    candidate.content.role = "model"
    candidate.content.parts.add(text=text)
    candidate.finish_reason = "MAX_TOKENS" if finish == "length" else "STOP"
    usage = response.usage_metadata
    usage.prompt_token_count = found.prompt_tokens
    usage.candidates_token_count = found.output_tokens
    usage.total_token_count = found.prompt_tokens + found.output_tokens
    if "model_version" in response.DESCRIPTOR.fields_by_name:
        response.model_version = version
    return response


def prediction(found: Answer) -> dict[str, str]:
    """The answer as one of the predictions of `predict`."""
    return {"content": found.text, "finishReason": found.finish}


def version(name: str, source: Source, about: Mapping[str, Any]) -> str:
    """Which model answered, with the stand-in named where there is one."""
    base = str(about.get("name") or source.base)
    stand_in = bool(about.get("stand_in")) or "publishers/" in name
    tuned = " tuned on" if source.adapter else ""
    return (
        f"{name.rpartition('/')[2]} ({tuned.strip()}{' ' if tuned else ''}{base}{', a stand-in' if stand_in else ''})"
    )


def messages(request: Any) -> list[dict[str, str]]:
    """The turns of a request, as the trainer's server takes them; raises ApiError for what is no text."""
    found = []
    if request.system_instruction.parts:
        found.append({"role": "system", "text": _text(request.system_instruction, "systemInstruction")})
    for index, content in enumerate(request.contents):
        role = _ROLES.get(content.role.lower())
        if role is None:
            raise invalid(f"contents[{index}].role", f"'{content.role}' is neither user nor model.")
        found.append({"role": role, "text": _text(content, f"contents[{index}]")})
    if not found or found[-1]["role"] != "user":
        raise invalid("contents", "The last content must be the user's.")
    return found


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
