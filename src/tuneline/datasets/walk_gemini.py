"""The gemini format and its preference sibling: contents of parts, system instruction, tools, files.

Rules from the supervised tuning pages of Gemini on Vertex AI (docs/datasets.md).
"""

from __future__ import annotations

import json

from tuneline.datasets.model import ASSISTANT, SYSTEM, USER, Turn
from tuneline.datasets.places import step
from tuneline.datasets.walked import Walked, check_order, kind, object_list, role_field, unknown_keys

ROLES = {"user": USER, "model": ASSISTANT, "function": USER, "tool": USER}
TOP = (
    "contents",
    "systemInstruction",
    "system_instruction",
    "tools",
    "toolConfig",
    "tool_config",
    "generationConfig",
    "generation_config",
)
KINDS = {
    "text": "text",
    "fileData": "file",
    "file_data": "file",
    "functionCall": "call",
    "function_call": "call",
    "functionResponse": "response",
    "function_response": "response",
    "inlineData": "inline",
    "inline_data": "inline",
}
BESIDE = ("thought", "thoughtSignature", "thought_signature", "videoMetadata", "video_metadata", "mediaResolution")
RESOLUTIONS = ("MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH")


def walk_gemini(walked: Walked, value: dict) -> None:
    """Findings and turns of `{"systemInstruction", "contents", "tools", "generationConfig"}`."""
    unknown_keys(walked, value, TOP, "$")
    _system(walked, value)
    _resolution(walked, value)
    declared = _tools(walked, value)
    speakers = _contents(walked, value, declared)
    check_order(walked, speakers, strict=False, answer="model", ends_with=ASSISTANT)


def walk_preference(walked: Walked, value: dict) -> None:
    """Findings and turns of `{"contents": [..., user], "completions": [{"completion", "score"} × 2]}`."""
    unknown_keys(walked, value, (*TOP, "completions"), "$")
    _system(walked, value)
    speakers = _contents(walked, value, None)
    check_order(walked, speakers, strict=False, answer="model", ends_with=USER)
    scored: dict[int, str] = {}
    items = object_list(walked, value, "completions")
    for path, item in items:
        unknown_keys(walked, item, ("completion", "score"), path)
        score = item.get("score")
        completion = item.get("completion")
        if score not in (0, 1) or isinstance(score, bool):
            walked.say("D407", step(path, "score"), f"score is {json.dumps(score)[:40]}, not 0 or 1")
        if not isinstance(completion, dict):
            walked.say(
                "D301" if completion is None else "D302",
                step(path, "completion"),
                "'completion' is missing"
                if completion is None
                else f"'completion' is {kind(completion)}, not an object",
            )
            continue
        text = _content(walked, completion, step(path, "completion"), None)[1]
        if score in (0, 1):
            scored[score] = text
    if len(items) != 2 or set(scored) != {0, 1}:
        if items and not any(code == "D407" for code, *_ in walked.problems):
            walked.say("D407", "$.completions", f"{len(items)} completions, and not one of score 1 and one of score 0")
    elif scored[0] == scored[1]:
        walked.say("D408", "$.completions", "the preferred and the rejected completion are the same")
    if 1 in scored:
        walked.turns.append(Turn(role=ASSISTANT, text=scored[1]))
        walked.rejected = scored.get(0, "")
    for mime, _, path in walked.media:
        walked.say("D510", path, f"a file ({mime or 'no type'}): preference tuning takes text alone")


def _system(walked: Walked, value: dict) -> None:
    if "systemInstruction" in value and "system_instruction" in value:
        walked.say("D303", "$.system_instruction", "both spellings of systemInstruction are given", "keep one")
    for key in ("systemInstruction", "system_instruction"):
        if key not in value:
            continue
        path, system = f"$.{key}", value[key]
        if not isinstance(system, dict):
            walked.say("D302", path, f"{key!r} is {kind(system)}, not an object", 'write {"parts": [{"text": "..."}]}')
            continue
        if "role" in system and system["role"] not in ("system", ""):
            walked.say("D305", f"{path}.role", "the role of a system instruction is ignored")
        unknown_keys(walked, system, ("role", "parts"), path)
        text, kinds = _parts(walked, system, path)
        if kinds - {"text"}:
            walked.say("D510", path, "a system instruction holds text alone")
        if text:
            walked.turns.append(Turn(role=SYSTEM, text=text))
        return


def _resolution(walked: Walked, value: dict) -> None:
    for key in ("generationConfig", "generation_config"):
        config = value.get(key)
        if config is None:
            continue
        if not isinstance(config, dict):
            walked.say("D302", f"$.{key}", f"{key!r} is {kind(config)}, not an object")
            continue
        for name in ("mediaResolution", "media_resolution"):
            if name in config:
                resolution = config[name]
                if resolution in RESOLUTIONS:
                    walked.resolution = resolution
                else:
                    walked.say(
                        "D304", f"$.{key}.{name}", f"{str(resolution)[:40]!r} is none of {', '.join(RESOLUTIONS)}"
                    )


def _tools(walked: Walked, value: dict) -> set[str] | None:
    """Names of the declared functions; None where there are no tools."""
    if "tools" not in value:
        return None
    names: set[str] = set()
    for path, tool in object_list(walked, value, "tools"):
        key = "functionDeclarations" if "functionDeclarations" in tool else "function_declarations"
        if key not in tool:
            walked.say("D303", path, "a tool without functionDeclarations cannot be tuned on")
            continue
        for at, declaration in object_list(walked, tool, key, path):
            if isinstance(declaration.get("name"), str) and declaration["name"]:
                names.add(declaration["name"])
            else:
                walked.say("D301", at, "the function has no 'name'")
    walked.functions = True
    return names


def _contents(walked: Walked, value: dict, declared: set[str] | None) -> list[tuple[str | None, str]]:
    items = object_list(walked, value, "contents")
    # "role may be absent when there is one turn each": the first is then the user's, the second the model's.
    bare = len(items) <= 2 and not any("role" in content for _, content in items)
    speakers: list[tuple[str | None, str]] = []
    open_calls: list[str] = []
    for index, (path, content) in enumerate(items):
        role = (USER, ASSISTANT)[index] if bare else _role(walked, content, path)
        names, text = _content(walked, content, path, declared)
        calls, responses = names["call"], names["response"]
        if responses and sorted(responses) != sorted(open_calls):
            walked.say("D406", path, f"responses of {_list(responses)} after calls of {_list(open_calls)}")
        elif open_calls and not responses:
            walked.say("D406", path, f"the call of {_list(open_calls)} is not answered")
        open_calls = calls
        if role == SYSTEM:
            continue
        speakers.append((role, path))
        if role:
            walked.turns.append(Turn(role=role, text=text))
    return speakers


def _role(walked: Walked, content: dict, path: str) -> str | None:
    if content.get("role") == "system":
        walked.say("D405", step(path, "role"), "a system turn among the contents", "move it to systemInstruction")
        return SYSTEM
    return role_field(walked, content, "role", path, ROLES)


def _content(walked: Walked, content: dict, path: str, declared: set[str] | None) -> tuple[dict[str, list[str]], str]:
    unknown_keys(walked, content, ("role", "parts"), path)
    names: dict[str, list[str]] = {"call": [], "response": []}
    text, _ = _parts(walked, content, path, names)
    for name in names["call"]:
        if declared is None or name not in declared:
            where = "no tools are declared" if declared is None else f"the tools declare {_list(sorted(declared))}"
            walked.say("D406", path, f"function {name[:60]!r} is called, but {where}", "declare it in tools", "warning")
    return names, text


def _parts(walked: Walked, content: dict, path: str, names: dict[str, list[str]] | None = None) -> tuple[str, set[str]]:
    """The text of the parts joined, and which kinds of part there are."""
    if isinstance(content.get("parts"), dict):
        walked.say("D305", step(path, "parts"), "parts as one object is read as a list of one")
        items = [(step(path, "parts"), content["parts"])]
    else:
        items = object_list(walked, content, "parts", path)
    texts, kinds = [], set()
    for at, part in items:
        unknown_keys(walked, part, (*KINDS, *BESIDE), at)
        present = [key for key in part if key in KINDS]
        if len(present) != 1:
            walked.say("D307", at, f"the part holds {_list(present) if present else 'no data'}")
        for key in present:
            kinds.add(KINDS[key])
            texts.append(_part(walked, part[key], KINDS[key], key, step(at, key), names))
    return "\n".join(text for text in texts if text), kinds


def _part(walked: Walked, data: object, what: str, key: str, at: str, names: dict[str, list[str]] | None) -> str:
    if what == "text":
        if not isinstance(data, str):
            walked.say("D302", at, f"'text' is {kind(data)}, not a string")
            return ""
        if not data or data.isspace():
            walked.say("D404", at, "the text is empty")
        return data
    if not isinstance(data, dict):
        walked.say("D302", at, f"{key!r} is {kind(data)}, not an object")
        return ""
    if what in ("call", "response"):
        walked.functions = True
        name = data.get("name")
        if not isinstance(name, str) or not name:
            walked.say("D301", at, f"{key!r} has no 'name'")
        elif names is not None:
            names[what].append(name)
        # Sorted, so that the same call written in another order of keys is the same input.
        return json.dumps({key: data}, ensure_ascii=False, sort_keys=True)
    if what == "inline":
        walked.say("D510", at, "inline data is not taken", "upload the file and name it as fileData")
        return ""
    return _file(walked, data, at)


def _file(walked: Walked, data: dict, at: str) -> str:
    unknown_keys(walked, data, ("mimeType", "mime_type", "fileUri", "file_uri", "displayName"), at)
    mime = data.get("mimeType", data.get("mime_type"))
    uri = data.get("fileUri", data.get("file_uri"))
    if not isinstance(mime, str) or "/" not in mime:
        walked.say("D509", at, "the file has no MIME type", "add mimeType, such as image/png")
        mime = ""
    if not isinstance(uri, str) or not uri.startswith(("gs://", "http://", "https://")):
        walked.say("D512", at, f"fileUri {str(uri)[:80]!r} is neither gs:// nor http(s)")
        uri = str(uri)
    walked.media.append((mime, uri, at))
    return json.dumps({"fileData": [mime, uri]})


def _list(names: list[str] | list[object]) -> str:
    return ", ".join(repr(str(name)[:40]) for name in names) or "none"
