"""The formats whose examples are lists of messages: palm-chat, gemini-1.0-messages, openai-messages."""

from __future__ import annotations

from tuneline.datasets.model import ASSISTANT, SYSTEM, USER, Turn
from tuneline.datasets.places import step
from tuneline.datasets.walked import Walked, check_order, kind, object_list, role_field, text_field, unknown_keys

DECLARED, CALLS = ("tools", "functions"), ("tool_calls", "function_call", "tool_call_id")
"""Where examples of OpenAI's form declare functions, and where their messages call them."""


def walk_palm_chat(walked: Walked, value: dict) -> None:
    unknown_keys(walked, value, ("messages", "context"), "$")
    if "context" in value and not isinstance(value["context"], str):
        walked.say("D302", "$.context", f"'context' is {kind(value['context'])}, not a string")
    elif value.get("context"):
        walked.turns.append(Turn(role=SYSTEM, text=value["context"]))
    speakers: list[tuple[str | None, str]] = []
    for path, message in object_list(walked, value, "messages"):
        unknown_keys(walked, message, ("author", "content"), path)
        walked.authors += "author" in message
        author = role_field(walked, message, "author", path, {"user": USER, "assistant": ASSISTANT})
        text = text_field(walked, message, "content", path, what="the message")
        speakers.append((author, path))
        if author:
            walked.turns.append(Turn(role=author, text=text or ""))
    check_order(walked, speakers, strict=True, answer="assistant", ends_with=ASSISTANT)


def walk_gemini_1_0(walked: Walked, value: dict) -> None:
    _messages(walked, value, answer="model", known=("messages",))


def walk_openai(walked: Walked, value: dict) -> None:
    _messages(walked, value, answer="assistant", known=("messages", *DECLARED, "parallel_tool_calls"))
    _functions(walked, value)


def _messages(walked: Walked, value: dict, *, answer: str, known: tuple[str, ...]) -> None:
    if isinstance(value.get("system"), str | list):
        # As Anthropic's and Bedrock's examples have it: not to be lost as some unknown field.
        walked.say("D405", "$.system", "a system text beside the messages", "make it the first message, of role system")
        known = (*known, "system")
    unknown_keys(walked, value, known, "$")
    roles = {"system": SYSTEM, "user": USER, answer: ASSISTANT}
    if answer == "assistant":
        # As OpenAI has them: "developer" is what "system" was; results of functions stand where a user's turn does.
        roles |= {"developer": SYSTEM, "tool": USER, "function": USER}
    fields = ("role", "content") if answer == "model" else ("role", "content", "name", "weight", "refusal")
    speakers: list[tuple[str | None, str]] = []
    for index, (path, message) in enumerate(object_list(walked, value, "messages")):
        carried = tuple(key for key in CALLS if key in message) if answer == "assistant" else ()
        unknown_keys(walked, message, fields + carried, path)
        role = role_field(walked, message, "role", path, roles)
        text = _content(walked, message, path, may_be_missing=bool(carried))
        if role == SYSTEM:
            if index:
                walked.say("D405", path, "a system message that is not the first")
                continue
        else:
            speakers.append((role, path))
        if role:
            walked.turns.append(Turn(role=role, text=text))
    check_order(walked, speakers, strict=False, answer=answer, ends_with=ASSISTANT)
    if walked.turns and not speakers:
        walked.say("D402", "$.messages", f"no turn of the user or the {answer}")


def _functions(walked: Walked, value: dict) -> None:
    """Says, once an example, that it calls functions."""
    messages = value.get("messages")
    holders = [("$", value)]
    holders += [(f"$.messages[{n}]", m) for n, m in enumerate(messages if isinstance(messages, list) else [])]
    found = [
        (step(path, key), key)
        for path, holder in holders
        if isinstance(holder, dict)
        for key in DECLARED + CALLS
        if holder.get(key)
    ]
    if found:
        walked.functions = True
        names = ", ".join(dict.fromkeys(key for _, key in found))
        what = f"functions ({names}): tuning on messages takes text alone"
        walked.say("D510", found[0][0], what, "functions tune in the gemini format")


def _content(walked: Walked, message: dict, path: str, *, may_be_missing: bool) -> str:
    content = message.get("content")
    here = step(path, "content")
    if content is None and may_be_missing:
        return ""
    if isinstance(content, list):
        walked.say("D305", here, "content as a list of parts is read as their texts joined")
        texts = []
        for index, part in enumerate(content):
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                texts.append(part["text"])
            else:
                named = part.get("type", "?") if isinstance(part, dict) else kind(part)
                walked.say("D510", step(here, index), f"a part of type {named!r}: text alone is taken")
        if not "".join(texts).strip():
            walked.say("D404", here, "the message is empty")
        return "\n".join(texts)
    return text_field(walked, message, "content", path, what="the message") or ""
