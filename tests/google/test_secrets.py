"""A key that lies in Secret Manager is read from there, used for the developer API alone, and told to nobody."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.google.scripted import Answer, Server, serving
from tests.google.test_session import Tokens
from tuneline.google import hosts, rest, secrets, session

SECRET = "projects/p/secrets/gemini-key"
KEY = "a-key-of-nobodys"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server in the place of Google's hosts; this process forgets the key afterwards."""
    for name in ("TUNELINE_LOCAL_URL", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as held:
        monkeypatch.setattr(hosts, "base_url", lambda service, location=None: held.url)
        monkeypatch.setattr(session._store, "sessions", {}, raising=False)
        monkeypatch.setattr(session, "credentials", Tokens)
        yield held
    session.use_api_key("")


def test_a_secret_is_read_by_its_newest_version_and_used_as_the_key(server: Server) -> None:
    """With the account's token; the calls to the developer API then carry the key, and no others do."""
    server.script = [Answer(body={"payload": {"data": base64.b64encode(f"{KEY}\n".encode()).decode()}}), Answer()]
    session.use_api_key(secrets.read(SECRET))
    rest.call("GET", "generativelanguage", "/v1beta/tunedModels")
    rest.call("GET", "aiplatform", "/v1/projects/p/locations/us-central1/models")
    asked = [{name.lower(): value for name, value in each["headers"].items()} for each in server.requests]
    assert server.requests[0]["path"] == f"/v1/{SECRET}/versions/latest:access"
    assert "authorization" in asked[0]
    assert [each.get("x-goog-api-key") for each in asked] == [None, KEY, None]


def test_a_version_is_read_where_it_is_named(server: Server) -> None:
    """As it is written."""
    server.script = [Answer(body={"payload": {"data": ""}})]
    assert secrets.read(f"{SECRET}/versions/3") == ""
    assert server.requests[0]["path"] == f"/v1/{SECRET}/versions/3:access"
