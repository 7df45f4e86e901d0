"""What is read of one example, and the rules that formats share: fields, lists of objects, the order of turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from tuneline.datasets.model import ASSISTANT, SYSTEM, USER, Turn
from tuneline.datasets.places import step

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
    beside: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    """Fields in an example of somebody else's format that tell of it and are no part of it; those nobody knows."""

    def say(self, code: str, path: str, message: str, hint: str = "", severity: str = "") -> None:
        self.problems.append((code, path, message, hint, severity))


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
