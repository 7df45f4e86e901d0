"""HTTP sessions: with the user's credentials for Google, without any for a local service."""

from __future__ import annotations

import functools
import os
import threading
from typing import TYPE_CHECKING, Any

from tuneline import errors
from tuneline.google import settings

if TYPE_CHECKING:
    import requests

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_store = threading.local()
_given_key = ""


@functools.cache
def credentials() -> Any:
    """Application Default Credentials, looked up once a process.

    Raises:
        NotPermitted: there are none; says how to get some.
    """
    import google.auth
    import google.auth.exceptions

    try:
        found, _ = google.auth.default(scopes=[_SCOPE])
    except google.auth.exceptions.DefaultCredentialsError as error:
        raise errors.NotPermitted(
            f"{error} → run `gcloud auth application-default login`, or set TUNELINE_LOCAL_URL to use the local service"
        ) from error
    return found


def use_api_key(key: str) -> None:
    """From now on this process calls the developer API with the key; '' goes back to that of the environment."""
    global _given_key
    _given_key = key


def session(service: str, *, fresh: bool = False) -> requests.Session:
    """The session for `service`: one a thread and process, so that connections are reused.

    Args:
        service: as in `hosts.base_url`.
        fresh: a session of its own with no open connection, for a call that must not be lost to a connection that
            the server is just closing. The caller closes it.
    """
    anonymous = bool(settings.storage_url() if service == "storage" else settings.local_url())
    key = "" if anonymous else _api_key(service)
    if fresh:
        return _make(anonymous=anonymous, key=key)
    held: dict[tuple[int, bool, str], requests.Session] = _store.__dict__.setdefault("sessions", {})
    # The process id is part of the name: sockets shared over a fork would mix two processes' answers.
    name = (os.getpid(), anonymous, key)
    if name not in held:
        held[name] = _make(anonymous=anonymous, key=key)
    return held[name]


def _make(*, anonymous: bool, key: str) -> requests.Session:
    import requests

    if anonymous:
        made = requests.Session()
        made.trust_env = False  # no proxy, no .netrc: the address is on this machine
        return made
    if key:
        made = requests.Session()
        made.headers["x-goog-api-key"] = key
        return made
    from google.auth.transport.requests import AuthorizedSession

    # Refreshes its token before it expires and once more on a 401.
    return AuthorizedSession(credentials())


def _api_key(service: str) -> str:
    """The developer API's key, which its documentation advises over OAuth; `''` for every other service."""
    if service != "generativelanguage":
        return ""
    return _given_key or os.environ.get("GEMINI_API_KEY") or os.environ.get("GOOGLE_API_KEY") or ""
