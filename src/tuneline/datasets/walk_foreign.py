"""Examples of other people's formats, read as far as they say what is asked and what is answered.

They stay examples of no known format; but what they hold is checked, and can be converted.
"""

from __future__ import annotations

from collections.abc import Callable

from tuneline.datasets.foreign import foreign, pair
from tuneline.datasets.model import ASSISTANT, SYSTEM, USER, Turn
from tuneline.datasets.places import step
from tuneline.datasets.walked import MEANT, Walked, check_order, kind, object_list, text_field

BESIDE = frozenset(
    (
        *("_id", "id", "idx", "index", "uid", "uuid", "task_id", "timestamp", "created", "created_at", "author"),
        *("category", "difficulty", "domain", "subset", "split", "tag", "tags", "task", "title", "topic", "type"),
        *("dataset", "dataset_name", "lang", "language", "license", "meta", "metadata", "source", "url", "name"),
    )
)
"""Fields that tell of an example and are no part of it. Of others nobody can know."""


def walk_foreign(walked: Walked, value: dict) -> None:
    """Turns of an example of a format that is known for somebody else's; nothing where it is not."""
    theirs = foreign(value)
    if theirs is None or not theirs.kind:
        return
    name, _, argument = theirs.kind.partition(":")
    used = _READERS[name](walked, value, *([argument] if argument else []))
    spoken = [(turn.role, "$") for turn in walked.turns if turn.role != SYSTEM]
    check_order(walked, spoken, strict=False, answer="assistant", ends_with=ASSISTANT)
    if any(turn.role == SYSTEM for turn in walked.turns[1:]):
        walked.say("D405", "$", "a system message that is not the first")
    if theirs.preference and len(spoken) > 1 and spoken[-2][0] != USER:
        walked.say("D402", "$", "the prompt does not end with the user's turn")
    others = [key for key in value if key not in used and value[key] not in (None, "", [], {})]
    walked.beside = tuple(key for key in others if key.lower() in BESIDE)
    walked.unread = tuple(key for key in others if key.lower() not in BESIDE)


def _pair(walked: Walked, value: dict) -> set[str]:
    first, second = pair(value) or ("", "")
    used = _system(walked, value)
    asked = [_optional(walked, value, "context"), text_field(walked, value, first, "$")]
    _ask(walked, asked, text_field(walked, value, second, "$"))
    return {first, second, "context", *used}


def _instruction(walked: Walked, value: dict) -> set[str]:
    """As in Alpaca and Dolly, with the system text and the history that some add."""
    answer = next(key for key in ("response", "output", "answer") if key in value)
    asked = [text_field(walked, value, "instruction", "$")]
    asked += [_optional(walked, value, key) for key in ("input", "context")]
    used = _system(walked, value)
    history = value.get("history") or []
    for said in history if isinstance(history, list) else [history]:
        if not (isinstance(said, list) and len(said) == 2 and all(isinstance(text, str) for text in said)):
            walked.say("D302", "$.history", "the history is no list of pairs of texts")
            break
        if not all(map(str.strip, said)):
            walked.say("D404", "$.history", "a turn of the history is empty")
        walked.turns += [Turn(role=USER, text=said[0]), Turn(role=ASSISTANT, text=said[1])]
    _ask(walked, asked, text_field(walked, value, answer, "$"))
    # `text` is there the whole example, as it was laid out for some model.
    return {"instruction", "input", "context", "history", answer, "text", *used}


def _squad(walked: Walked, value: dict) -> set[str]:
    asked = [text_field(walked, value, key, "$") for key in ("context", "question")]
    answers = value["answers"]
    texts = answers.get("text") if isinstance(answers, dict) else answers
    answer = texts[0] if isinstance(texts, list) and texts else texts
    if isinstance(answer, dict):
        answer = answer.get("text")
    if not isinstance(answer, str) or not answer.strip():
        walked.say("D404", "$.answers", "there is no answer")
        return set(value)
    _ask(walked, asked, answer)
    return {"context", "question", "answers"}


def _speakers(walked: Walked, value: dict, key: str) -> set[str]:
    """As in ShareGPT."""
    used = _system(walked, value)
    for path, item in object_list(walked, value, key):
        names = ("from", "value") if "from" in item else ("role", "content")
        _say(walked, path, item, *names)
    return {key, *used}


def _lists(walked: Walked, value: dict) -> set[str]:
    for key in ("prompt", "completion"):
        _messages(walked, value, key)
    return {"prompt", "completion"}


def _ideal(walked: Walked, value: dict) -> set[str]:
    answer = value["ideal"][0] if isinstance(value["ideal"], list) and value["ideal"] else value["ideal"]
    if isinstance(value["input"], str):
        walked.turns.append(Turn(role=USER, text=text_field(walked, value, "input", "$") or ""))
    else:
        _messages(walked, value, "input")
    if isinstance(answer, str) and answer.strip():
        walked.turns.append(Turn(role=ASSISTANT, text=answer))
    else:
        walked.say("D404", "$.ideal", "there is no answer")
    return {"input", "ideal"}


def _preferred(walked: Walked, value: dict) -> set[str]:
    """As OpenAI has them."""
    given = value.get("input")
    tools = isinstance(given, dict) and given.get("tools")
    if tools:
        walked.functions = True
    _messages(walked, given if isinstance(given, dict) else {}, "messages", "$.input")
    _prefer(walked, value, "preferred_output", "non_preferred_output")
    return {"input", "preferred_output", "non_preferred_output"}


def _chosen(walked: Walked, value: dict) -> set[str]:
    """As TRL has them: a prompt and two answers, each a text or a list of messages."""
    asks = next((key for key in ("prompt", "question", "instruction", "input") if key in value), "")
    if not asks:
        walked.say("D301", "$", "field 'prompt' is missing", "part it from what chosen and rejected have in common")
        return set(value)
    used = _system(walked, value)
    if isinstance(value[asks], str):
        walked.turns.append(Turn(role=USER, text=text_field(walked, value, asks, "$") or ""))
    else:
        _messages(walked, value, asks)
    _prefer(walked, value, "chosen", "rejected")
    return {asks, "chosen", "rejected", *used}


def _system(walked: Walked, value: dict) -> list[str]:
    """The system text that stands beside the others; the names of the field."""
    for key in ("system", "system_prompt"):
        text = _optional(walked, value, key)
        if text:
            walked.turns.append(Turn(role=SYSTEM, text=text))
            return [key]
    return []


def _prefer(walked: Walked, value: dict, better: str, worse: str) -> None:
    """The two answers; where they are conversations, their last turns, since the prompt is known."""
    answers = []
    for key in (better, worse):
        if isinstance(value[key], str):
            answers.append(text_field(walked, value, key, "$"))
            continue
        turns = _only_messages(walked, value, key)
        answers.append(turns[-1].text if turns and turns[-1].role == ASSISTANT else None)
        if turns and turns[-1].role != ASSISTANT:
            walked.say("D402", step("$", key), "the last turn is not the assistant's")
    if answers[0] is None or answers[1] is None:
        return
    if answers[0] == answers[1]:
        walked.say("D408", "$", "the preferred and the rejected answer are the same")
    walked.turns.append(Turn(role=ASSISTANT, text=answers[0]))
    walked.rejected = answers[1]


def _only_messages(walked: Walked, value: dict, key: str) -> list[Turn]:
    before, walked.turns = walked.turns, []
    _messages(walked, value, key)
    found, walked.turns = walked.turns, before
    return found


def _messages(walked: Walked, value: dict, key: str, path: str = "$") -> None:
    for at, item in object_list(walked, value, key, path):
        _say(walked, at, item, "role", "content")


def _say(walked: Walked, path: str, item: dict, who: str, what: str) -> None:
    name = item.get(who)
    role = MEANT.get(name.lower()) if isinstance(name, str) else None
    if role is None:
        walked.say("D304", step(path, who), f"{who} {str(name)[:60]!r} is nobody who speaks")
        return
    walked.functions |= bool(item.get("tool_calls"))
    walked.turns.append(Turn(role=role, text=text_field(walked, item, what, path) or ""))


def _optional(walked: Walked, value: dict, key: str) -> str | None:
    """A text that may be absent, null or empty."""
    text = value.get(key)
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        walked.say("D302", step("$", key), f"{key!r} is {kind(text)}, not a string")
        return None
    return text if text.strip() else None


def _ask(walked: Walked, asked: list[str | None], answer: str | None) -> None:
    prompt = "\n\n".join([text for text in asked if text])
    if prompt and answer is not None:
        walked.turns += [Turn(role=USER, text=prompt), Turn(role=ASSISTANT, text=answer)]


_READERS: dict[str, Callable[..., set[str]]] = {
    "pair": _pair,
    "instruction": _instruction,
    "squad": _squad,
    "speakers": _speakers,
    "lists": _lists,
    "ideal": _ideal,
    "preferred": _preferred,
    "chosen": _chosen,
}
