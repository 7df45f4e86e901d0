"""A stream from Cloud Storage goes on after a lost connection, on the same generation, and checks what it read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.google.scripted import Answer, Server, serving
from tuneline import errors, objects
from tuneline.google import retry

WHOLE = b"hello world"
HEADERS = {"x-goog-generation": "7", "x-goog-hash": "crc32c=yZRlqg==,md5=XrY7u+Ae7tCTyyK7j1rNww=="}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as held:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", held.url)
        monkeypatch.delenv("TUNELINE_LOCAL_URL", raising=False)
        monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.01)
        yield held


def test_a_lost_connection_is_taken_up_where_it_broke(server: Server) -> None:
    server.script = [
        Answer(body=WHOLE, headers=HEADERS, drop_after=5),
        Answer(status=503),
        Answer(status=206, body=WHOLE[5:], headers=HEADERS),
    ]
    assert objects.read_bytes("gs://bucket/x") == WHOLE
    again = server.requests[-1]
    assert again["headers"]["Range"] == "bytes=5-"
    assert "generation=7" in again["path"]


def test_bytes_with_another_checksum_are_an_error(server: Server) -> None:
    server.script = [Answer(body=b"hello worle", headers=HEADERS)]
    with pytest.raises(errors.ServiceError, match="checksum"):
        objects.read_bytes("gs://bucket/x")


def test_an_object_replaced_in_the_middle_is_an_error_and_never_a_mixture(server: Server) -> None:
    server.script = [Answer(body=WHOLE, headers=HEADERS, drop_after=5), Answer(status=404)]
    with pytest.raises(errors.ServiceError, match="replaced or deleted while it was being read"):
        objects.read_bytes("gs://bucket/x")


def test_a_server_that_ignores_the_range_is_an_error_and_never_a_repetition(server: Server) -> None:
    server.script = [Answer(body=WHOLE, headers=HEADERS, drop_after=5), Answer(body=WHOLE, headers=HEADERS)]
    with pytest.raises(errors.ServiceError, match="cannot go on from byte 5"):
        objects.read_bytes("gs://bucket/x")


MADE = {"bucket": "bucket", "name": "x", "size": "3", "generation": "1", "timeCreated": "2026-01-01T00:00:00Z"}


def _sent_metadata(requests: list[dict[str, Any]]) -> dict[str, Any]:
    """The object as the service would describe it after the first upload."""
    line = next(line for line in requests[0]["body"].split(b"\r\n") if line.startswith(b"{"))
    return MADE | {"metadata": json.loads(line)["metadata"]}


def test_a_create_whose_answer_was_lost_knows_its_own_object_again(server: Server) -> None:
    server.script = [Answer(drop=True), Answer(status=412), Answer(body=_sent_metadata)]
    assert objects.create("gs://bucket/x", b"one").generation == 1


def test_a_create_after_a_lost_answer_does_not_take_anothers_object_for_its_own(server: Server) -> None:
    server.script = [Answer(drop=True), Answer(status=412), Answer(body=MADE)]
    with pytest.raises(errors.AlreadyExists):
        objects.create("gs://bucket/x", b"one")


def test_a_create_is_refused_too_where_the_object_in_its_way_is_gone_by_now(server: Server) -> None:
    server.script = [Answer(status=412), Answer(status=404)]
    with pytest.raises(errors.AlreadyExists):
        objects.create("gs://bucket/x", b"one")
