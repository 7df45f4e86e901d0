"""Signed URLs, of version 4 and of version 2: checked for their form and their time.

https://cloud.google.com/storage/docs/authentication/signatures. The signature itself cannot be verified here: the
public key of the account that signed is with Google.
"""

from __future__ import annotations

import datetime
import re
import time

from tuneline.local.storage.errors import Refusal
from tuneline.local.storage.exchange import Request

MAX_EXPIRES = 604_800
"""Seven days, in seconds."""
_ALGORITHMS = ("GOOG4-RSA-SHA256", "GOOG4-HMAC-SHA256")
_CREDENTIAL = re.compile(r"[^/]+/(\d{8})/[^/]+/storage/goog4_request")
_SKEW = datetime.timedelta(minutes=15)


def check(request: Request) -> None:
    """Lets a request pass that is not signed in its URL, or signed in good form and not expired."""
    if "GoogleAccessId" in request.query:
        _check_version_2(request)
        return
    given = {key.lower(): values[0] for key, values in request.query.items() if key.lower().startswith("x-goog-")}
    if "x-goog-signature" not in given and "x-goog-algorithm" not in given:
        return
    for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature"):
        if not given.get(f"x-goog-{name}"):
            raise _malformed(f"X-Goog-{name.title()} is missing from the signed URL")
    if given["x-goog-algorithm"] not in _ALGORITHMS:
        raise _malformed(f"X-Goog-Algorithm must be one of {', '.join(_ALGORITHMS)}")
    credential = _CREDENTIAL.fullmatch(given["x-goog-credential"])
    if credential is None or credential[1] != given["x-goog-date"][:8]:
        raise _malformed(
            "X-Goog-Credential must be ACCOUNT/YYYYMMDD/LOCATION/storage/goog4_request, of the day of X-Goog-Date"
        )
    try:
        signed = datetime.datetime.strptime(given["x-goog-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except ValueError as error:
        raise _malformed("X-Goog-Date must be written as 20260131T235959Z") from error
    expires = given["x-goog-expires"]
    if not expires.isdecimal() or not 1 <= int(expires) <= MAX_EXPIRES:
        raise _malformed(f"X-Goog-Expires must be 1 to {MAX_EXPIRES} seconds")
    if not re.fullmatch(r"[0-9a-fA-F]{2,}", given["x-goog-signature"]):
        raise Refusal(403, "The request signature is not hexadecimal.", code="SignatureDoesNotMatch")
    headers = given["x-goog-signedheaders"].split(";")
    if "host" not in headers:
        raise _malformed("X-Goog-SignedHeaders must name host")
    absent = [name for name in headers if name not in request.headers]
    if absent:
        raise Refusal(403, f"Headers that were signed are missing: {', '.join(absent)}.", code="SignatureDoesNotMatch")
    now = datetime.datetime.now(datetime.UTC)
    ends = signed + datetime.timedelta(seconds=int(expires))
    if signed - now > _SKEW:
        raise Refusal(403, f"The signed URL is not valid before {signed.isoformat()}.", code="AccessDenied")
    if now > ends:
        raise Refusal(
            400,
            f"The provided token has expired: request signature expired at {ends.isoformat()}.",
            code="ExpiredToken",
        )


def _check_version_2(request: Request) -> None:
    """The older kind, which the Python client still makes where no version is said."""
    expires, signature = request.first("Expires"), request.first("Signature")
    if not expires.isdecimal() or not signature:
        raise _malformed("a URL of version 2 needs Expires, in seconds since 1970, and Signature")
    if time.time() > int(expires):
        raise Refusal(
            400, f"The provided token has expired: request signature expired at {expires}.", code="ExpiredToken"
        )


def _malformed(what: str) -> Refusal:
    return Refusal(400, f"Malformed signed URL: {what}.", code="AuthenticationRequired")
