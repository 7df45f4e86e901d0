"""The parameters of a request against what a pipeline declares: everything that is wrong, at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneline.errors import Problem
from tuneline.local.pipelines.spec import Spec
from tuneline.local.pipelines.values import NUMBER, shown, typed
from tuneline.local.pipelines.wiring import parameter_type

JSON_KINDS: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "BOOLEAN": (bool,),
    "NUMBER_INTEGER": NUMBER,
    "NUMBER_DOUBLE": NUMBER,
    "LIST": (list,),
    "STRUCT": (dict,),
}
NEAR = 70.0
"""Similarity (0 to 100, `rapidfuzz.fuzz.ratio`) from which another name is suggested."""


def read_parameters(
    spec: Mapping[str, Any], given: Mapping[str, Any], *, lenient: bool
) -> tuple[dict[str, Any], list[Problem]]:
    """(the parameters typed as the pipeline declares them, every problem with them).

    `lenient` takes text for what it spells (`"20"` → 20, `"true"` → true): the hosted template's callers send that.
    Defaults are not filled in.
    """
    declared = Spec(spec).root.input_parameters
    values: dict[str, Any] = {}
    problems = []
    for name, value in given.items():
        if name not in declared:
            problems.append(
                Problem(where=name, what="is no parameter of this pipeline", fix=_suggestion(name, declared))
            )
            continue
        kind = parameter_type(declared[name])
        if value is None and (declared[name].get("isOptional") or "defaultValue" in declared[name]):
            continue
        if not lenient and not _fits(value, kind):
            problems.append(_wrong_type(name, value, kind))
            continue
        try:
            values[name] = typed(value, kind)
        except ValueError:
            problems.append(_wrong_type(name, value, kind))
    for name, definition in declared.items():
        if name not in given and not definition.get("isOptional") and "defaultValue" not in definition:
            problems.append(
                Problem(where=name, what="is required and not given", fix=f"add {name!r} to parameterValues")
            )
    return values, problems


def _fits(value: Any, kind: str) -> bool:
    wanted = JSON_KINDS.get(kind, (object,))
    return isinstance(value, wanted) and (kind == "BOOLEAN" or not isinstance(value, bool))


def _wrong_type(name: str, value: Any, kind: str) -> Problem:
    words = {
        "STRING": "text",
        "BOOLEAN": "true or false",
        "NUMBER_INTEGER": "a whole number",
        "NUMBER_DOUBLE": "a number",
        "LIST": "a list",
        "STRUCT": "an object",
    }
    return Problem(
        where=name, what=f"{shown(value)} is not {words.get(kind, kind)}", fix=f"send {words.get(kind, kind)}"
    )


def _suggestion(name: str, declared: Mapping[str, Any]) -> str:
    from rapidfuzz import fuzz, process, utils

    found = process.extractOne(
        name, list(declared), scorer=fuzz.ratio, processor=utils.default_process, score_cutoff=NEAR
    )
    if found:
        return f"did you mean {found[0]!r}?"
    return f"known are {', '.join(sorted(declared))}" if declared else "this pipeline has none"
