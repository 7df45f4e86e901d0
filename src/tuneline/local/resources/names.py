"""Resource names: which pattern a name follows, where it lives, which ids and labels are allowed."""

from __future__ import annotations

import re
import secrets
from itertools import pairwise

from tuneline.local.resources.errors import ApiError, invalid

_LOCATION = re.compile(r"^(?:[a-z]+(?:-[a-z]+)+\d+|us|eu|global|-)$")
_ID = re.compile(r"^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,126}[a-zA-Z0-9])?$")
_LABEL_KEY = re.compile(r"^[\w-]{1,63}$")
_LABEL_VALUE = re.compile(r"^[\w-]{0,63}$")


def parent_of(name: str) -> str:
    """The name of what a resource lives in: all but the last two segments."""
    return "/".join(name.split("/")[:-2])


def id_of(name: str) -> str:
    """The last segment."""
    return name.rpartition("/")[2]


def part(name: str, collection: str) -> str:
    """The segment that follows `collection`: `part("projects/p/locations/r/…", "locations")` is `r`; '' if none."""
    segments = name.split("/")
    return next((b for a, b in pairwise(segments) if a == collection), "")


def new_id() -> str:
    """An id as Vertex AI makes them: nineteen digits, never the same again."""
    return str(10**18 + secrets.randbelow(9 * 10**18))


def check_location(name: str, field: str) -> None:
    """Refuse a name whose location is none (an unset shell variable, a typing error)."""
    segments = name.split("/")
    if "locations" not in segments:
        return
    location = part(name, "locations")
    if not _LOCATION.match(location):
        known = "" if location else " The location is empty: was a variable never set?"
        raise invalid(field, f"'{location}' is no location of Vertex AI in '{name}'.{known}")


def matches(pattern: str, name: str) -> bool:
    """Whether a name follows a pattern such as `projects/{project}/locations/{location}/models/{model}`."""
    want, have = pattern.split("/"), name.split("/")
    return len(want) == len(have) and all(h and (w.startswith("{") or w == h) for w, h in zip(want, have, strict=True))


def collection_for(patterns: tuple[str, ...], parent: str, field: str) -> str:
    """The collection in which a child of `parent` is made; raises ApiError where none of the patterns has it."""
    for pattern in patterns:
        segments = pattern.split("/")
        if len(segments) < 2 or not segments[-1].startswith("{"):
            continue
        outer = "/".join(segments[:-2])
        if (not outer and not parent) or (outer and matches(outer, parent)):
            return segments[-2]
    wanted = " or ".join("/".join(p.split("/")[:-2]) for p in patterns if p.count("/") > 1)
    raise invalid(field, f"Invalid resource parent '{parent}': expected {wanted}.")


def check_id(value: str, field: str) -> str:
    """The id if it may be one; letters, digits, `-`, `_` and `.`, at most 128 of them."""
    if not _ID.match(value):
        raise invalid(field, f"Invalid resource ID '{value}': use letters, digits and '-', at most 128 characters.")
    return value


def check_labels(labels: dict[str, str], field: str) -> None:
    """Refuse labels outside Google Cloud's rules: lower case, digits, `_`, `-`, at most 63 characters and 64 labels."""
    if len(labels) > 64:
        raise invalid(field, f"{len(labels)} labels; at most 64 are allowed.")
    for key, value in labels.items():
        if not _LABEL_KEY.match(key) or key != key.lower():
            raise invalid(field, f"Invalid label key '{key}': lower-case letters, digits, '_' and '-', at most 63.")
        if not _LABEL_VALUE.match(value) or value != value.lower():
            raise invalid(
                field, f"Invalid value '{value}' of label '{key}': lower-case letters, digits, '_' and '-', at most 63."
            )


def require(name: str, pattern: str, field: str) -> None:
    """Refuse a name that does not follow a pattern."""
    if not matches(pattern, name):
        raise ApiError(
            "INVALID_ARGUMENT",
            f"Invalid resource name '{name}' in {field}: expected {pattern}.",
            violations=[(field, f"expected {pattern}")],
        )


def location_of(name: str) -> str:
    """`projects/P/locations/L` of a name, or its first two segments where it has no location."""
    segments = name.split("/")
    return "/".join(segments[:4] if segments[2:3] == ["locations"] else segments[:2])
