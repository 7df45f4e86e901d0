"""From what came over the wire to a typed error that keeps the service's own words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tuneline import errors

# HTTP status of each canonical code: google/rpc/code.proto.
CODES = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}

_BY_STATUS: dict[int, type[errors.ServiceError]] = {
    401: errors.NotPermitted,
    403: errors.NotPermitted,
    404: errors.NotFound,
    408: errors.Unavailable,
    409: errors.AlreadyExists,
    412: errors.AlreadyExists,
    429: errors.QuotaExceeded,
    499: errors.Unavailable,
}


def error_type(status: int, reason: str = "") -> type[errors.ServiceError]:
    """The error class of an HTTP status; `reason` is the canonical code and is heard where it is more exact.

    Every status has one: 4xx not listed is a wrong request, 5xx an outage, anything else a plain `ServiceError`.
    """
    if reason == "ABORTED":
        return errors.Unavailable  # a 409 that says "try again", not "somebody made it first"
    if reason == "RESOURCE_EXHAUSTED":
        return errors.QuotaExceeded
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 400 <= status < 500:
        return errors.InvalidArgument
    if 500 <= status < 600:
        return errors.Unavailable
    return errors.ServiceError


def error_of(status: int, body: bytes, *, call: str) -> errors.ServiceError:
    """The error for a refused or failed call: the service's message first, then which call it was.

    Args:
        status: HTTP status of the answer.
        body: the answer as it came; Google's JSON form, an HTML page of a proxy, or nothing.
        call: the call in words, e.g. `POST https://…/customJobs`.
    """
    message, reason = _message(body)
    kind = error_type(status, reason)
    code = f"HTTP {status}" + (f" {reason}" if reason else "")
    return kind(f"{message or 'no message'} ({call}: {code})", status=status, reason=reason)


def _message(body: bytes) -> tuple[str, str]:
    """The message (with details) and the canonical code in an error body."""
    text = body.decode("utf-8", "replace").strip()
    try:
        parsed: Any = json.loads(text)
    except ValueError:
        return text[:2000], ""
    if isinstance(parsed, list) and parsed:  # streaming methods wrap their error in a list
        parsed = parsed[0]
    error = parsed.get("error") if isinstance(parsed, Mapping) else None
    if isinstance(error, str):  # the token server's form
        return f"{error}: {parsed.get('error_description', '')}".rstrip(": "), ""
    if not isinstance(error, Mapping):
        return text[:2000], ""
    message = str(error.get("message") or "").strip()
    # The field alone is no news where the message has said the rest.
    details = [d for d in _details(error) if d not in message and d.partition(": ")[2] not in message]
    return " ".join(filter(None, [message, *details])), str(error.get("status") or "")


def _details(error: Mapping[str, Any]) -> list[str]:
    """What `google.rpc.BadRequest` and `QuotaFailure` add to the message: which field, which quota."""
    found = []
    for detail in error.get("details") or []:
        if not isinstance(detail, Mapping):
            continue
        for violation in detail.get("fieldViolations") or []:
            found.append(f"{violation.get('field', '')}: {violation.get('description', '')}".strip(": "))
        for violation in detail.get("violations") or []:
            found.append(f"{violation.get('subject', '')}: {violation.get('description', '')}".strip(": "))
    return found
