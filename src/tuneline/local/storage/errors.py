"""Refusals of the object store, as Cloud Storage words them in JSON and in XML.

Reasons and texts: https://cloud.google.com/storage/docs/json_api/v1/status-codes and
https://cloud.google.com/storage/docs/xml-api/reference-status.
"""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

REASONS = {
    400: "invalid",
    401: "required",
    403: "forbidden",
    404: "notFound",
    405: "methodNotAllowed",
    408: "requestTimeout",
    409: "conflict",
    410: "gone",
    411: "required",
    412: "conditionNotMet",
    413: "uploadTooLarge",
    416: "requestedRangeNotSatisfiable",
    429: "rateLimitExceeded",
    499: "clientClosedRequest",
    500: "internalError",
    501: "notImplemented",
    503: "backendError",
    504: "backendError",
}
XML_CODES = {
    400: "InvalidArgument",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    409: "BucketAlreadyOwnedByYou",
    411: "MissingContentLength",
    412: "PreconditionFailed",
    413: "EntityTooLarge",
    416: "InvalidRange",
    429: "SlowDown",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}


class Refusal(Exception):
    """A request that is answered with an error, in words that the caller can act on."""

    def __init__(self, status: int, message: str, *, reason: str = "", code: str = "", location: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason or REASONS.get(status, "backendError")
        self.code = code or XML_CODES.get(status, "InternalError")
        """The name of the error in the XML API."""
        self.location = location
        """The parameter or header at fault, where one is."""

    def to_json(self) -> bytes:
        """The body that JSON API clients read: `error.errors[].reason` included."""
        entry = {"message": self.message, "domain": "global", "reason": self.reason}
        if self.location:
            entry |= {"locationType": "parameter", "location": self.location}
        body = {"error": {"code": self.status, "message": self.message, "errors": [entry]}}
        return json.dumps(body).encode()

    def to_xml(self) -> bytes:
        """The body that XML API clients read."""
        return (
            f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{escape(self.code)}</Code>"
            f"<Message>{escape(self.message)}</Message></Error>"
        ).encode()


class NotModified(Exception):
    """A read whose condition says that the caller already has what is there (304, no body)."""


def invalid(message: str, *, location: str = "") -> Refusal:
    return Refusal(400, message, location=location)


def no_bucket(bucket: str) -> Refusal:
    return Refusal(404, f"The specified bucket does not exist: {bucket}.", code="NoSuchBucket")


def no_object(bucket: str, name: str) -> Refusal:
    return Refusal(404, f"No such object: {bucket}/{name}", code="NoSuchKey")


def condition_not_met(what: str) -> Refusal:
    return Refusal(412, f"At least one of the pre-conditions you specified did not hold: {what}.", location=what)
