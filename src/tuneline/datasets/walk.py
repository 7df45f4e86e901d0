"""One parsed example against its format's rules: every finding with its path, and the turns it holds.

This is the exact, slow reading. `shapes` accepts plain, correct lines at the parser's speed and must agree with it.
"""

from __future__ import annotations

from collections.abc import Callable

from tuneline.datasets import formats
from tuneline.datasets.model import ASSISTANT, USER, Turn
from tuneline.datasets.walk_foreign import walk_foreign
from tuneline.datasets.walk_gemini import walk_gemini, walk_preference
from tuneline.datasets.walk_messages import walk_gemini_1_0, walk_openai, walk_palm_chat
from tuneline.datasets.walked import Walked, kind, text_field, unknown_keys


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


def _pair(first: str, second: str) -> Callable[[Walked, dict], None]:
    def walk_pair(walked: Walked, value: dict) -> None:
        unknown_keys(walked, value, (first, second), "$")
        prompt = text_field(walked, value, first, "$")
        response = text_field(walked, value, second, "$")
        if prompt is not None and response is not None:
            walked.turns = [Turn(role=USER, text=prompt), Turn(role=ASSISTANT, text=response)]

    return walk_pair


_WALKERS: dict[str, Callable[[Walked, dict], None]] = {
    **{name: _pair(*keys) for name, keys in formats.MARKS.items()},
    formats.PALM_CHAT: walk_palm_chat,
    formats.GEMINI: walk_gemini,
    formats.GEMINI_1_0: walk_gemini_1_0,
    formats.OPENAI: walk_openai,
    formats.PREFERENCE: walk_preference,
    formats.UNKNOWN: walk_foreign,
}
