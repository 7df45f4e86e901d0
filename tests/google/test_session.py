"""On the real service every call carries a token that is refreshed in time, and the lack of one says what to do."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import google.auth.credentials
import google.auth.exceptions
import pytest

from tests.google.scripted import Answer, Server, serving
from tuneline import errors
from tuneline.google import hosts, rest, retry, session

PATH = "/v1/projects/p/locations/us-central1/customJobs"


class Tokens(google.auth.credentials.Credentials):
    """Credentials that count their refreshes, and fail the first of them as told."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self.refreshed = 0
        self.failures = list(failures)

    def refresh(self, request: Any) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.refreshed += 1
        self.token = f"token-{self.refreshed}"
        self.expiry = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(hours=1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server in the place of Google's host, so that the real way of credentials is gone."""
    for name in ("TUNELINE_LOCAL_URL", "STORAGE_EMULATOR_HOST", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as held:
        monkeypatch.setattr(hosts, "base_url", lambda service, location=None: held.url)
        monkeypatch.setattr(session._store, "sessions", {}, raising=False)
        monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.01)
        yield held


def give(monkeypatch: pytest.MonkeyPatch, tokens: Tokens) -> Tokens:
    monkeypatch.setattr(session, "credentials", lambda: tokens)
    return tokens


def authorizations(server: Server) -> list[str]:
    return [r["headers"].get("Authorization") or r["headers"].get("authorization", "") for r in server.requests]


def test_a_call_carries_the_token(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, Tokens())
    server.script = [Answer()]
    rest.call("GET", "aiplatform", PATH)
    assert authorizations(server) == ["Bearer token-1"]


@pytest.mark.parametrize("again", [True, False], ids=["idempotent", "spending"])
def test_a_token_that_is_no_longer_valid_is_refreshed_and_the_call_goes_through(
    server: Server, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    give(monkeypatch, Tokens())
    server.script = [Answer(status=401), Answer(body={"name": "job"})]
    assert rest.call("POST", "aiplatform", PATH, body={}, retry=again) == {"name": "job"}
    assert authorizations(server) == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize("again", [True, False], ids=["idempotent", "spending"])
def test_a_token_server_that_fails_for_a_moment_is_asked_again_before_anything_is_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    give(monkeypatch, Tokens(google.auth.exceptions.TransportError("no route")))
    server.script = [Answer(body={"name": "job"})]
    assert rest.call("POST", "aiplatform", PATH, body={}, retry=again) == {"name": "job"}
    assert len(server.requests) == 1


def test_credentials_that_are_refused_are_not_tried_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, Tokens(google.auth.exceptions.RefreshError("invalid_grant: expired or revoked")))
    with pytest.raises(errors.NotPermitted, match="expired or revoked"):
        rest.call("GET", "aiplatform", PATH)
    assert server.requests == []


def test_the_developer_api_takes_a_key_instead(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = give(monkeypatch, Tokens())
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")
    server.script = [Answer()]
    rest.call("GET", "generativelanguage", "/v1beta/tunedModels")
    assert {name.lower(): value for name, value in server.requests[0]["headers"].items()}["x-goog-api-key"] == "a-key"
    assert tokens.refreshed == 0


def test_without_credentials_the_way_to_some_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    session.credentials.cache_clear()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json")
    with pytest.raises(errors.NotPermitted, match="gcloud auth application-default login"):
        rest.call("GET", "aiplatform", PATH)
