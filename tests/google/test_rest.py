"""A call is tried again as the table says and fails in the service's own words; one that spends is sent once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.google.scripted import Answer, Server, serving
from tuneline import errors
from tuneline.google import rest, retry

PATH = "/v1/projects/p/locations/us-central1/customJobs"
QUOTA = {
    "error": {
        "code": 429,
        "status": "RESOURCE_EXHAUSTED",
        "message": "Quota exceeded.",
        "details": [{"violations": [{"subject": "project:p", "description": "A100 GPUs: limit 0"}]}],
    }
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as held:
        monkeypatch.setenv("TUNELINE_LOCAL_URL", held.url)
        monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.01)
        yield held


def test_an_answer_is_a_dict_and_the_body_went_out_as_json(server: Server) -> None:
    server.script = [Answer(body={"name": "x"})]
    assert rest.call("POST", "aiplatform", PATH, body={"a": 1}) == {"name": "x"}
    sent = server.requests[0]
    assert (sent["path"], sent["body"]) == (PATH, b'{"a": 1}')
    assert sent["headers"]["Content-Type"] == "application/json; charset=utf-8"


def test_a_cancel_sends_an_empty_body_under_the_json_type(server: Server) -> None:
    server.script = [Answer()]
    assert rest.call("POST", "aiplatform", f"{PATH}/1:cancel") == {}
    sent = server.requests[0]
    assert sent["body"] == b""
    assert sent["headers"]["Content-Length"] == "0"
    assert sent["headers"]["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_idempotent_call_survives_what_is_transient(server: Server, status: int) -> None:
    server.script = [Answer(status=status), Answer(status=status), Answer(body={"ok": True})]
    assert rest.call("GET", "aiplatform", PATH) == {"ok": True}
    assert len(server.requests) == 3


def test_an_idempotent_call_survives_a_dropped_answer(server: Server) -> None:
    server.script = [Answer(drop=True), Answer(body={"ok": True})]
    assert rest.call("GET", "aiplatform", PATH) == {"ok": True}
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 501])
def test_a_refusal_is_not_tried_again(server: Server, status: int) -> None:
    server.script = [Answer(status=status)]
    with pytest.raises(errors.ServiceError) as caught:
        rest.call("GET", "aiplatform", PATH)
    assert caught.value.status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer", [Answer(status=429), Answer(status=500), Answer(status=503), Answer(drop=True)], ids=str
)
def test_a_spending_call_is_sent_once_whatever_happens(server: Server, answer: Answer) -> None:
    server.script = [answer]
    with pytest.raises(errors.ServiceError):
        rest.call("POST", "aiplatform", PATH, body={}, retry=False)
    assert len(server.requests) == 1


def test_every_row_of_the_table_forbids_to_send_a_spending_call_twice() -> None:
    assert [f for f in retry.Failure if retry.again(f, spends=True)] == [retry.Failure.NO_TOKEN]
    assert set(retry.TABLE) == set(retry.Failure)


def test_a_lost_answer_of_a_spending_call_is_told_as_unknown(server: Server) -> None:
    server.script = [Answer(drop=True)]
    with pytest.raises(errors.Unavailable) as caught:
        rest.call("POST", "aiplatform", PATH, body={}, retry=False)
    assert caught.value.status == 0


def test_retrying_ends_within_the_stated_time(server: Server) -> None:
    server.script = [Answer(status=503, body={"error": {"message": "Try later.", "status": "UNAVAILABLE"}})]
    started = time.monotonic()
    with pytest.raises(errors.Unavailable, match=r"Try later\."):
        rest.call("GET", "aiplatform", PATH, timeout_s=0.5)
    assert time.monotonic() - started < 2
    assert len(server.requests) > 2


def test_a_pause_that_the_server_asks_for_is_kept(server: Server) -> None:
    server.script = [Answer(status=429, headers={"Retry-After": "1"}), Answer(body={"ok": True})]
    started = time.monotonic()
    rest.call("GET", "aiplatform", PATH)
    assert time.monotonic() - started >= 1


def test_the_services_words_and_its_details_are_kept(server: Server) -> None:
    server.script = [Answer(status=429, body=QUOTA)]
    with pytest.raises(errors.QuotaExceeded) as caught:
        rest.call("POST", "aiplatform", PATH, body={}, retry=False)
    assert str(caught.value) == (
        f"Quota exceeded. project:p: A100 GPUs: limit 0 (POST {server.url}{PATH}: HTTP 429 RESOURCE_EXHAUSTED)"
    )
    assert caught.value.reason == "RESOURCE_EXHAUSTED"


def test_a_proxys_html_page_is_kept_as_the_message(server: Server) -> None:
    server.script = [Answer(status=403, body=b"<h1>Blocked by policy</h1>")]
    with pytest.raises(errors.NotPermitted, match="Blocked by policy"):
        rest.call("GET", "aiplatform", PATH)


def test_an_answer_that_is_no_json_object_is_an_error_and_not_an_empty_dict(server: Server) -> None:
    server.script = [Answer(body=b"hello")]
    with pytest.raises(errors.ServiceError, match="expected a JSON object"):
        rest.call("GET", "aiplatform", PATH)


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.script = [Answer(status=302, headers={"Location": "http://127.0.0.1:9/"})]
    with pytest.raises(errors.ServiceError):
        rest.call("GET", "aiplatform", PATH)
    assert len(server.requests) == 1


def test_nobody_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNELINE_LOCAL_URL", "http://127.0.0.1:9")
    with pytest.raises(errors.Unavailable, match="no answer"):
        rest.call("GET", "aiplatform", PATH, timeout_s=0.3)


def test_pages_are_read_to_the_end(server: Server) -> None:
    server.script = [Answer(body={"jobs": [{"n": 1}], "nextPageToken": "t"}), Answer(body={"jobs": [{"n": 2}]})]
    assert list(rest.paged("aiplatform", PATH, "jobs", params={"pageSize": 1})) == [{"n": 1}, {"n": 2}]
    assert [r["path"].partition("?")[2] for r in server.requests] == ["pageSize=1", "pageSize=1&pageToken=t"]


def test_a_page_token_given_twice_is_an_error_and_not_an_endless_list(server: Server) -> None:
    server.script = [Answer(body={"jobs": [], "nextPageToken": "t"})]
    with pytest.raises(errors.ServiceError, match="twice"):
        list(rest.paged("aiplatform", PATH, "jobs"))


def test_the_time_is_the_servers(server: Server) -> None:
    server.script = [Answer()]
    told = rest.exchange("GET", "aiplatform", PATH).server_time
    assert told is not None
    assert abs((datetime.now(UTC) - told).total_seconds()) < 5


def test_the_local_service_gets_no_credentials(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "secret")
    server.script = [Answer()]
    rest.call("GET", "generativelanguage", "/v1beta/tunedModels")
    assert not {"Authorization", "X-Goog-Api-Key"} & {name.title() for name in server.requests[0]["headers"]}
