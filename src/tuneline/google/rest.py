"""One REST call: sent, tried again by the table, answered as a dict or as a typed error."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from tuneline import errors
from tuneline.google import hosts, retry, wire
from tuneline.google.session import session

if TYPE_CHECKING:
    import requests

# A try of an idempotent call gets no more than this, so that one dead connection does not eat the whole time.
TRY_S = 30.0
CONNECT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Response:
    """What came back."""

    body: dict[str, Any]
    """The JSON object; empty where there was none."""
    server_time: datetime | None
    """The server's clock when it answered (its `Date`, whole seconds, UTC), never this machine's."""
    status: int
    headers: Mapping[str, str]


def call(
    method: str,
    service: str,
    path: str,
    *,
    location: str | None = None,
    body: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    retry: bool = True,
    timeout_s: float = 60.0,
    try_s: float = TRY_S,
) -> dict[str, Any]:
    """The answer's JSON object; see `exchange`."""
    return exchange(
        method,
        service,
        path,
        location=location,
        body=body,
        params=params,
        retry=retry,
        timeout_s=timeout_s,
        try_s=try_s,
    ).body


def paged(
    service: str,
    path: str,
    field: str,
    *,
    location: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> Iterator[dict[str, Any]]:
    """Every entry under `field`, page after page.

    Raises:
        ServiceError: as `exchange`; also where a server hands out the same page token twice, which would never end.
    """
    query = dict(params or {})
    seen: set[str] = set()
    while True:
        page = call("GET", service, path, location=location, params=query)
        yield from page.get(field) or []
        token = page.get("nextPageToken") or ""
        if not token:
            return
        if token in seen:
            raise errors.ServiceError(f"GET {path} gave the page token {token!r} twice")
        seen.add(token)
        query["pageToken"] = token


def exchange(
    method: str,
    service: str,
    path: str,
    *,
    location: str | None = None,
    body: Mapping[str, Any] | None = None,
    data: bytes | None = None,
    content_type: str = "",
    params: Mapping[str, Any] | None = None,
    retry: bool = True,
    timeout_s: float = 60.0,
    try_s: float = TRY_S,
) -> Response:
    """Send one call and return the answer with the server's time.

    Args:
        method: `GET`, `POST`, …
        service: as in `hosts.base_url`.
        path: from the version on, e.g. `/v1/projects/p/locations/us-central1/customJobs`.
        location: where; unset, it is read out of the path.
        body: sent as JSON; a POST without one sends an empty body under the same type, as a cancel wants it.
        data: raw bytes in place of `body`, under `content_type`.
        retry: False for a call that spends: it is sent once.
        timeout_s: seconds for everything, tries and pauses together.
        try_s: seconds for one try of a call that may be repeated; more for one whose answer takes its time.

    Raises:
        ServiceError: one of its classes, with the service's own message; `Unavailable` with status 0 where no answer
            came: the call may then have had its effect.
    """
    url, held = hosts.base_url(service, location or hosts.location_of(path)) + path, None
    payload = data if data is not None else (json.dumps(body).encode() if body is not None else None)
    headers = {"Content-Type": content_type or "application/json; charset=utf-8"} if method != "GET" else {}
    try:
        held = session(service, fresh=not retry)
        answer = send(
            held,
            method,
            url,
            spends=not retry,
            timeout_s=timeout_s,
            try_s=try_s,
            params=params,
            data=payload if payload is not None else (b"" if method == "POST" else None),
            headers=headers,
        )
    finally:
        if not retry and held is not None:
            held.close()
    return Response(
        body=_json(answer, f"{method} {url}"),
        server_time=server_time(answer.headers),
        status=answer.status_code,
        headers=answer.headers,
    )


def send(
    held: requests.Session,
    method: str,
    url: str,
    *,
    spends: bool,
    timeout_s: float,
    try_s: float = TRY_S,
    stream: bool = False,
    **request: Any,
) -> requests.Response:
    """Send until it succeeds, is refused, or `timeout_s` is over; the answer has a status below 300.

    Raises:
        ServiceError: of the last try.
    """
    deadline = time.monotonic() + timeout_s
    pauses = retry.pauses(random.Random())
    while True:
        left = max(deadline - time.monotonic(), 0.001)
        try:
            return _try(held, method, url, left if spends else min(left, try_s), stream, request)
        except _Failed as failed:
            pause = max(next(pauses), failed.pause_s)
            if not retry.again(failed.failure, spends=spends) or time.monotonic() + pause >= deadline:
                raise failed.error from failed.__cause__
        time.sleep(pause)


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The `Date` of an answer, in UTC, or None where it has none."""
    text = headers.get("Date")
    if not text:
        return None
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None  # a proxy's malformed date is as good as none


class _Failed(Exception):
    """One try that failed: its row in the table, its error, and the pause that the server asked for."""

    def __init__(self, failure: retry.Failure, error: errors.ServiceError, pause_s: float = 0.0) -> None:
        super().__init__(str(error))
        self.failure = failure
        self.error = error
        self.pause_s = pause_s


def _try(
    held: requests.Session, method: str, url: str, seconds: float, stream: bool, request: Mapping[str, Any]
) -> requests.Response:
    """One try: its answer (2xx), or `_Failed`."""
    import google.auth.exceptions
    import requests

    asked = f"{method} {url}"
    try:
        # No redirects: a token goes to the host it was meant for.
        answer = held.request(
            method, url, timeout=(min(seconds, CONNECT_S), seconds), allow_redirects=False, stream=stream, **request
        )
        if answer.status_code < 300:
            return answer
        content = answer.content  # still part of the try: a streamed error can be cut off as well
    except google.auth.exceptions.GoogleAuthError as error:
        text = f"no access token: {error} ({asked})"
        if getattr(error, "retryable", False) or isinstance(error, google.auth.exceptions.TransportError):
            raise _Failed(retry.Failure.NO_TOKEN, errors.Unavailable(text)) from error
        raise _Failed(retry.Failure.UNAUTHENTICATED, errors.NotPermitted(text)) from error
    except requests.ConnectTimeout as error:
        raise _Failed(retry.Failure.NO_CONNECTION, errors.Unavailable(f"no connection: {error} ({asked})")) from error
    except (requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _Failed(retry.Failure.NO_ANSWER, errors.Unavailable(f"no answer: {error} ({asked})")) from error
    except requests.ConnectionError as error:
        failure = retry.Failure.NO_CONNECTION if _never_connected(error) else retry.Failure.NO_ANSWER
        raise _Failed(failure, errors.Unavailable(f"no answer: {error} ({asked})")) from error
    except requests.RequestException as error:  # a malformed address and its like: another try is no use
        raise _Failed(retry.Failure.REFUSED, errors.ServiceError(f"{error} ({asked})")) from error
    refused = wire.error_of(answer.status_code, content, call=asked)
    raise _Failed(retry.failure_of(answer.status_code, refused.reason), refused, _retry_after(answer))


def _never_connected(error: requests.ConnectionError) -> bool:
    from urllib3.exceptions import NewConnectionError

    inner = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(inner, NewConnectionError)


def _retry_after(answer: requests.Response) -> float:
    """Seconds that the server asks to be left alone; 0 where it does not say, or says it as a date."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0


def _json(answer: requests.Response, asked: str) -> dict[str, Any]:
    if not answer.content:
        return {}
    try:
        parsed = json.loads(answer.content)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise errors.ServiceError(
            f"expected a JSON object, got {answer.content[:200]!r} ({asked})", status=answer.status_code
        )
    return parsed
