"""One parsed example against its format's rules: every finding with its path, and the turns it holds.

This is the exact, slow reading. `fast.py` accepts plain, correct lines at the parser's speed and must agree with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from tuneline.datasets import formats
from tuneline.datasets.model import ASSISTANT, SYSTEM, USER, Turn
from tuneline.datasets.places import step


@dataclass
class Walked:
    """What an example holds, as far as it could be read."""

    turns: list[Turn] = field(default_factory=list)
    problems: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    """(code, path, message, hint, severity); '' for the check's own hint or severity."""
    authors: int = 0
    media: list[tuple[str, str, str]] = field(default_factory=list)
    """(MIME type, URI, path) of each file."""
    functions: bool = False
    resolution: str = ""
    rejected: str = ""
    """The completion that a preference example scores 0."""

    def say(self, code: str, path: str, message: str, hint: str = "", severity: str = "") -> None:
        self.problems.append((code, path, message, hint, severity))


def walk(value: object, form: str) -> Walked:
    """Reads one example in the named format."""
    walked = Walked()
    if not isinstance(value, dict):
        twice = isinstance(value, str) and value.lstrip().startswith("{")
        hint = "it was encoded twice: write json.dumps(example) once" if twice else ""
        walked.say("D207", "$", f"the example is {kind(value)}, not an object", hint)
        return walked
    other = formats.of(value)
    if other != form and other != formats.UNKNOWN and form != formats.UNKNOWN and not _half_fits(value, form):
        walked.say("D111", "$", f"this example is {other}, the rest of the file {form}")
        return walked
    _WALKERS[form](walked, value)
    return walked


def _half_fits(value: dict, form: str) -> bool:
    """Whether the example is the file's own format with a role or key gone wrong, not another format."""
    if form in formats.MARKS:
        return any(key in value for key in formats.MARKS[form])
    if form in (formats.OPENAI, formats.GEMINI_1_0):
        return "messages" in value and formats.of(value) in (formats.OPENAI, formats.GEMINI_1_0)
    if form == formats.PALM_CHAT:
        return "messages" in value and "context" in value
    return form == formats.PREFERENCE and "contents" in value


def kind(value: object) -> str:
    """The JSON type of a value, in words."""
    if value is None:
        return "null"
    for types, name in ((bool, "a boolean"), ((int, float), "a number"), (str, "a string"), (list, "a list")):
        if isinstance(value, types):
            return name
    return "an object"


def unknown_keys(walked: Walked, value: dict, known: tuple[str, ...], path: str) -> None:
    """Names every key that the format does not have, with the one that was probably meant."""
    if value.keys() <= set(known):
        return
    from difflib import get_close_matches

    for key in value:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.75)
            shown = key if len(key) <= 60 else key[:57] + "..."
            walked.say(
                "D303",
                step(path, key),
                f"unknown field {shown!r}",
                f"did you mean {near[0]!r}?" if near and near[0] not in value else "",
            )


def text_field(walked: Walked, value: dict, key: str, path: str, *, what: str = "") -> str | None:
    """The text under the key; says what is wrong where it is missing, no string, or blank."""
    here = step(path, key)
    if key not in value:
        near = next((k for k in value if isinstance(k, str) and k.strip(" :").lower() == key.lower()), None)
        walked.say("D301", path, f"field {key!r} is missing", f"rename {near!r} to {key!r}" if near else "")
        return None
    text = value[key]
    if not isinstance(text, str):
        walked.say("D302", here, f"{key!r} is {kind(text)}, not a string")
        return None
    if not text or text.isspace():
        walked.say("D404", here, f"{what or key!r} is empty")
    return text


def object_list(walked: Walked, value: dict, key: str, path: str = "$") -> list[tuple[str, dict]]:
    """(path, object) of each object in the list under the key."""
    here = step(path, key)
    if key not in value:
        walked.say("D301", path, f"field {key!r} is missing")
        return []
    items = value[key]
    if not isinstance(items, list):
        walked.say("D302", here, f"{key!r} is {kind(items)}, not a list")
        return []
    if not items:
        walked.say("D306", here, f"{key!r} is empty")
    found = []
    for index, item in enumerate(items):
        if isinstance(item, dict):
            found.append((step(here, index), item))
        else:
            walked.say("D302", step(here, index), f"{kind(item)} where an object belongs")
    return found


def check_order(
    walked: Walked, speakers: list[tuple[str | None, str]], *, strict: bool, answer: str, ends_with: str
) -> None:
    """The order of turns: begins with the user, alternates, ends with `ends_with`.

    `speakers` are (role, path). Where it is not known who speaks (None), that was told, and the order is left alone.
    """
    if not speakers or any(role is None for role, _ in speakers):
        return
    if speakers[0][0] != USER:
        walked.say("D401", speakers[0][1], "the first turn is not the user's")
    if speakers[-1][0] != ends_with:
        what = f"the {answer}'s" if ends_with == ASSISTANT else "the user's"
        walked.say("D402", speakers[-1][1], f"the last turn is not {what}")
    for (before, _), (role, path) in pairwise(speakers):
        if before == role:
            who = "user" if role == USER else answer
            walked.say("D403", path, f"two turns of the {who} in a row", "", "" if strict else "warning")


def _pair(walked: Walked, value: dict, first: str, second: str) -> None:
    unknown_keys(walked, value, (first, second), "$")
    prompt = text_field(walked, value, first, "$")
    response = text_field(walked, value, second, "$")
    if prompt is not None and response is not None:
        walked.turns = [Turn(role=USER, text=prompt), Turn(role=ASSISTANT, text=response)]


def _palm_text(walked: Walked, value: dict) -> None:
    _pair(walked, value, "input_text", "output_text")


def _gemini_api(walked: Walked, value: dict) -> None:
    _pair(walked, value, "text_input", "output")


def _prompt_completion(walked: Walked, value: dict) -> None:
    _pair(walked, value, "prompt", "completion")


def _palm_chat(walked: Walked, value: dict) -> None:
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


DECLARED, CALLS = ("tools", "functions"), ("tool_calls", "function_call", "tool_call_id")
"""Where examples of OpenAI's form declare functions, and where their messages call them."""
MEANT = {
    "bot": ASSISTANT,
    "chatbot": ASSISTANT,
    "ai": ASSISTANT,
    "gpt": ASSISTANT,
    "chatgpt": ASSISTANT,
    "model": ASSISTANT,
    "assistant": ASSISTANT,
    "human": USER,
    "prompter": USER,
    "user": USER,
    "system": SYSTEM,
    "developer": SYSTEM,
}
"""Names that people give to the speakers, for the hint."""


def role_field(walked: Walked, value: dict, key: str, path: str, roles: dict[str, str]) -> str | None:
    """The speaker named under the key, as our own role; a finding where it is none of `roles`, and then the role that
    is plainly meant, or None."""
    here = step(path, key)
    if key not in value:
        walked.say("D301", path, f"field {key!r} is missing")
        return None
    name = value[key]
    if not isinstance(name, str):
        walked.say("D302", here, f"{key!r} is {kind(name)}, not a string")
        return None
    if name in roles:
        return roles[name]
    if name.lower() in roles:
        walked.say("D305", here, f"{key} {name!r} is read as {name.lower()!r}")
        return roles[name.lower()]
    meant = MEANT.get(name.lower())
    near = next((theirs for theirs, ours in roles.items() if ours == meant), None)
    walked.say(
        "D304",
        here,
        f"{key} {name[:60]!r} is none of {', '.join(repr(r) for r in roles)}",
        f"write {near!r}" if near else "",
    )
    return meant


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


def _gemini_1_0(walked: Walked, value: dict) -> None:
    _messages(walked, value, answer="model", known=("messages",))


def _openai(walked: Walked, value: dict) -> None:
    _messages(walked, value, answer="assistant", known=("messages", *DECLARED, "parallel_tool_calls"))
    _functions(walked, value)


def _gemini(walked: Walked, value: dict) -> None:
    from tuneline.datasets.walk_gemini import walk_gemini

    walk_gemini(walked, value)


def _preference(walked: Walked, value: dict) -> None:
    from tuneline.datasets.walk_gemini import walk_preference

    walk_preference(walked, value)


def _unknown(walked: Walked, value: dict) -> None:
    """Nothing is said of an example of no known format: D108 says it of the file."""


_WALKERS: dict[str, Callable[[Walked, dict], None]] = {
    formats.PALM_TEXT: _palm_text,
    formats.PALM_CHAT: _palm_chat,
    formats.GEMINI: _gemini,
    formats.GEMINI_1_0: _gemini_1_0,
    formats.GEMINI_API: _gemini_api,
    formats.OPENAI: _openai,
    formats.PROMPT_COMPLETION: _prompt_completion,
    formats.PREFERENCE: _preference,
    formats.UNKNOWN: _unknown,
}
