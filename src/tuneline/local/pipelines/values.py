"""Parameter values as the pipeline's types say: integers stay integers, text stays text.

JSON from a client knows only one kind of number, so `3.0` for a NUMBER_INTEGER is 3. Inside LIST and STRUCT a number
without a fraction is an integer too, which is how protobuf's own JSON writes it.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

Value = Any
"""A JSON value."""

NUMBER = (int, float)
SELECTOR = re.compile(r"""^parseJson\(string_value\)(?:\[["'](?P<key>.*)["']\])?$""", re.DOTALL)


def typed(value: Value, kind: str) -> Value:
    """`value` as a parameter of type `kind`; raises ValueError that says what was found instead.

    Text that spells the value is taken too, as it comes out of text templates and `OutputPath` files.
    """
    if value is None:
        raise ValueError(f"null is no {kind}")
    if kind == "STRING":
        return value if isinstance(value, str) else json.dumps(integral(value))
    if kind in ("LIST", "STRUCT", "TASK_FINAL_STATUS", "TASK_CONFIG"):
        if isinstance(value, str):
            value = parsed(value, kind)
        if not isinstance(value, list if kind == "LIST" else dict):
            raise ValueError(f"{shown(value)} is no {kind}")
        return integral(value)
    if isinstance(value, str):
        value = parsed(value.lower() if kind == "BOOLEAN" else value, kind)
    if kind == "BOOLEAN":
        if isinstance(value, bool):
            return value
    elif isinstance(value, NUMBER) and not isinstance(value, bool):
        if kind == "NUMBER_DOUBLE":
            return float(value)
        if kind == "NUMBER_INTEGER" and float(value).is_integer():
            return int(value)
    raise ValueError(f"{shown(value)} is no {kind}")


def integral(value: Value) -> Value:
    """The same value with every number that has no fraction as an integer."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [integral(item) for item in value]
    if isinstance(value, dict):
        return {key: integral(item) for key, item in value.items()}
    return value


def finite(value: Value) -> Value:
    """The same value with NaN and the infinities as texts, which the API's JSON has no numbers for."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return value


def select(value: Value, expression: str) -> Value:
    """Apply a `parameterExpressionSelector`: `parseJson(string_value)["key"]`, the only form the compiler writes."""
    found = SELECTOR.match(expression)
    if found is None:
        raise ValueError(f"the selector {expression!r} is not understood")
    if isinstance(value, str):
        value = parsed(value, "STRUCT")
    key = found["key"]
    if key is None:
        return value
    if not isinstance(value, dict) or key not in value:
        raise ValueError(f"{shown(value)} has no field {key!r}")
    return value[key]


def parsed(text: str, kind: str) -> Value:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise ValueError(f"{shown(text)} is no {kind}") from None


def shown(value: Value) -> str:
    """A value for a message: JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
