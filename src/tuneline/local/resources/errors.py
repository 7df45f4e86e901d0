"""Every refusal the local service answers with: a google.rpc.Status, said the same on REST and on gRPC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

CODES = {
    "CANCELLED": (1, 499),
    "UNKNOWN": (2, 500),
    "INVALID_ARGUMENT": (3, 400),
    "DEADLINE_EXCEEDED": (4, 504),
    "NOT_FOUND": (5, 404),
    "ALREADY_EXISTS": (6, 409),
    "PERMISSION_DENIED": (7, 403),
    "RESOURCE_EXHAUSTED": (8, 429),
    "FAILED_PRECONDITION": (9, 400),
    "ABORTED": (10, 409),
    "OUT_OF_RANGE": (11, 400),
    "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500),
    "UNAVAILABLE": (14, 503),
    "DATA_LOSS": (15, 500),
    "UNAUTHENTICATED": (16, 401),
}
"""Canonical code → (number on the wire, HTTP status): google/rpc/code.proto."""

_DETAIL = "type.googleapis.com/google.rpc."


class ApiError(Exception):
    """A refusal with a canonical code, a message a stranger can act on, and machine-readable details.

    `code` is a name from google/rpc/code.proto ("INVALID_ARGUMENT"). `violations` are pairs of (field, what is wrong);
    `reason` and `metadata` make an ErrorInfo; `retry_s` tells the client when to come back.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        reason: str = "",
        violations: Iterable[tuple[str, str]] = (),
        metadata: Mapping[str, str] | None = None,
        retry_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.number, self.http = CODES[code]
        self.message = message
        self.reason = reason
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_s = retry_s

    def details(self) -> list[dict[str, Any]]:
        """The details as JSON objects with an `@type`, in the order Google sends them."""
        found: list[dict[str, Any]] = []
        if self.reason:
            info: dict[str, Any] = {"reason": self.reason, "domain": "aiplatform.googleapis.com"}
            if self.metadata:
                info["metadata"] = self.metadata
            found.append({"@type": _DETAIL + "ErrorInfo", **info})
        if self.violations:
            listed = [{"field": field, "description": what} for field, what in self.violations]
            found.append({"@type": _DETAIL + "BadRequest", "fieldViolations": listed})
        if self.retry_s is not None:
            found.append({"@type": _DETAIL + "RetryInfo", "retryDelay": f"{self.retry_s:g}s"})
        return found

    def to_json(self) -> dict[str, Any]:
        """The body of the REST answer."""
        error: dict[str, Any] = {"code": self.http, "message": self.message, "status": self.code}
        details = self.details()
        if details:
            error["details"] = details
        return {"error": error}


def not_found(name: str) -> ApiError:
    """The refusal for a resource that is not there, in the service's words."""
    return ApiError(
        "NOT_FOUND", f"The resource '{name}' is not found.", reason="RESOURCE_NOT_FOUND", metadata={"resource": name}
    )


def invalid(field: str, what: str, *, fix: str = "") -> ApiError:
    """The refusal for one wrong field."""
    message = f"{field}: {what}" + (f" {fix}" if fix else "")
    return ApiError("INVALID_ARGUMENT", message, violations=[(field, what)])
