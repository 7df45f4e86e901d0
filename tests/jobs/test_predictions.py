"""Predictions by calls: each example asked once, at a bounded rate, gone on with where it broke off, errors counted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.google.scripted import Answer, Server, serving
from tests.jobs.plans import plan
from tuneline import errors, evaluation, jobs, objects
from tuneline.google import hosts, retry, session
from tuneline.jobs import prediction_job, predictions
from tuneline.testing import LocalVertex

ENDPOINT = "projects/p/locations/us-central1/endpoints/7"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A service that echoes what it is asked, so that each answer shows its question."""
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.01)
    with serving() as held:
        monkeypatch.setenv("TUNELINE_LOCAL_URL", held.url)
        held.script = [Answer(body=echo)]
        yield held


def echo(requests: list[dict[str, Any]]) -> dict[str, Any]:
    return said(json.loads(requests[-1]["body"])["contents"][-1]["parts"][0]["text"])


def said(text: str, finish: str = "STOP") -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish}]}


def wanted(folder: Path, rows: int = 10, **changes: Any) -> jobs.Prediction:
    """Predictions over so many pairs, staged in the folder."""
    data = folder / "data.jsonl"
    lines = [{"systemInstruction": {"parts": [{"text": "Count."}]}, **turns(number)} for number in range(rows)]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked: dict[str, Any] = {
        "project": "p",
        "location": "us-central1",
        "staging": str(folder),
        "model": ENDPOINT,
        "data_uri": str(data),
        "data_digest": "d" * 64,
    }
    return jobs.Prediction(**asked | changes)


def turns(number: int) -> dict[str, Any]:
    both = (("user", f"question {number}"), ("model", f"answer {number}"))
    return {"contents": [{"role": role, "parts": [{"text": text}]} for role, text in both]}


def test_each_example_is_asked_once_and_the_file_is_the_trainers(tmp_path: Path, server: Server) -> None:
    """Greedy, with its system instruction; and the same predictions again cost no call."""
    engine = jobs.engine("vertex_tuning")
    uri = engine.predict(wanted(tmp_path))
    rows = evaluation.read_predictions(uri)
    assert [(row.index, row.input, row.expected) for row in rows] == [
        (number, f"question {number}", f"answer {number}") for number in range(10)
    ]
    assert {row.finish for row in rows} == {"stop"}
    assert rows[0].tokens is None
    asked = [json.loads(each["body"]) for each in server.requests]
    assert len(asked) == 10
    assert {each["path"] for each in server.requests} == {f"/v1/{ENDPOINT}:generateContent"}
    assert asked[0]["generationConfig"]["temperature"] == 0
    assert asked[0]["systemInstruction"]["parts"] == [{"text": "Count."}]
    assert engine.predict(wanted(tmp_path)) == uri
    assert len(server.requests) == 10
    assert engine.predict(wanted(tmp_path, model=f"{ENDPOINT}0")) != uri


def test_what_was_cut_off_goes_on_where_it_was(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is taken away in the third part: the first two are kept, and are not asked for again."""
    monkeypatch.setattr(predictions, "PART", 4)
    monkeypatch.setattr(predictions, "AT_ONCE", 1)
    gone = Answer(status=404, body={"error": {"message": "no such endpoint", "status": "NOT_FOUND"}})
    server.script[:] = [Answer(body=echo)] * 9 + [gone]
    with pytest.raises(errors.NotFound, match="no such endpoint"):
        jobs.engine("vertex_tuning").predict(wanted(tmp_path, rows=12))
    before = len(server.requests)
    server.script[:] = [Answer(body=echo)]
    rows = evaluation.read_predictions(jobs.engine("vertex_tuning").predict(wanted(tmp_path, rows=12)))
    assert len(rows) == 12
    assert len(server.requests) - before == 4


def test_what_passes_is_tried_again(tmp_path: Path, server: Server) -> None:
    """429 and 503 are no errors of the example."""
    busy = [Answer(status=429, body={}), Answer(status=503, body={}), Answer(drop=True)]
    server.script[:] = [*busy, Answer(body=echo)]
    rows = evaluation.read_predictions(jobs.engine("vertex_tuning").predict(wanted(tmp_path)))
    assert [row.error for row in rows] == [""] * 10
    assert len(server.requests) == 13


def test_an_example_that_is_refused_is_counted_and_the_others_are_kept(tmp_path: Path, server: Server) -> None:
    """Of twenty, one is blocked: it holds the reason. Three are too many, and the error says how many."""

    def block(numbers: set[int]) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        texts = {f"question {number}" for number in numbers}

        def body(requests: list[dict[str, Any]]) -> dict[str, Any]:
            answer = echo(requests)
            blocked = answer["candidates"][0]["content"]["parts"][0]["text"] in texts
            return {"promptFeedback": {"blockReason": "SAFETY"}} if blocked else answer

        return body

    server.script[:] = [Answer(body=block({7, 8, 9}))]
    with pytest.raises(errors.ServiceError, match=r"3 of 20 examples .* example 7: .*SAFETY"):
        jobs.engine("vertex_tuning").predict(wanted(tmp_path, rows=20))
    server.script[:] = [Answer(body=block({7}))]
    rows = evaluation.read_predictions(jobs.engine("vertex_tuning").predict(wanted(tmp_path, rows=20)))
    assert [row.index for row in rows if row.error] == [7]
    assert "SAFETY" in rows[7].error
    assert rows[7].prediction == ""


def test_calls_begin_no_faster_than_they_may(tmp_path: Path, server: Server) -> None:
    """600 a minute are ten a second: six calls take half a second, however many could go at once."""
    began = time.monotonic()
    jobs.engine("vertex_tuning").predict(wanted(tmp_path, rows=6, per_minute=600))
    assert time.monotonic() - began >= 0.5


def test_a_tuned_model_of_the_developer_api_is_asked_there(tmp_path: Path, server: Server) -> None:
    """And its base is the model without the ending of those that take tuning."""
    engine = jobs.engine("gemini_api")
    engine.predict(wanted(tmp_path, rows=1, model="tunedModels/t"))
    assert server.requests[-1]["path"] == "/v1beta/tunedModels/t:generateContent"
    assert engine.base_target("models/gemini-1.5-flash-001-tuning") == "models/gemini-1.5-flash-001"


@pytest.mark.parametrize(
    ("place", "host"),
    [
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_an_endpoint_is_asked_where_it_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, host: str
) -> None:
    """Multi-regions have hosts of their own, and the untuned base answers in the same place."""
    for name in ("TUNELINE_LOCAL_URL", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    endpoint = f"projects/p/locations/{place}/endpoints/7"
    base = jobs.engine("vertex_tuning").base_target("gemini-3.5-flash", endpoint)
    assert base == f"projects/p/locations/{place}/publishers/google/models/gemini-3.5-flash"
    asked, real = [], hosts.base_url
    with serving() as held:
        held.script = [Answer(body=echo)]

        def base_url(service: str, location: str | None = None) -> str:
            asked.append(real(service, location))
            return held.url

        monkeypatch.setattr(hosts, "base_url", base_url)
        monkeypatch.setattr(session, "_make", lambda *, anonymous, key: plain_session())
        for model in (endpoint, base):
            jobs.engine("vertex_tuning").predict(wanted(tmp_path, rows=1, model=model, per_minute=60_000))
    assert set(asked) == {host}


def plain_session() -> Any:
    import requests

    made = requests.Session()
    made.trust_env = False
    return made


@given(rows=st.integers(1, 400), limit=st.integers(0, 500))
def test_a_sample_is_spread_over_the_whole_set(rows: int, limit: int) -> None:
    """In order, no row twice, as many as wanted, and no gap wider than it must be."""
    kept = [index for index, _ in predictions.spread(list(range(rows)), limit)]
    assert kept == sorted(set(kept))
    assert len(kept) == (min(limit, rows) if limit else rows)
    gap = -(-rows // len(kept))
    assert all(later - earlier <= gap for earlier, later in pairwise(kept))


def test_a_thought_is_no_part_of_the_answer() -> None:
    """Models that think say which parts are thoughts."""
    parts = [{"text": "hm", "thought": True}, {"text": "23"}]
    told = {"candidates": [{"content": {"parts": parts}, "finishReason": "MAX_TOKENS"}]}
    assert predictions.heard(told) == predictions.Answer(text="23", finish="length")


def job_of(staging: str, model: str, **changes: Any) -> jobs.Prediction:
    """What the trainer is to predict by an adapter or by the base."""
    uri = objects.join(staging, "data/numbers.jsonl")
    return jobs.Prediction(
        project="tuneline-local",
        location="us-central1",
        staging=staging,
        model=model,
        data_uri=uri,
        data_digest="numbers",
        format="palm-text",
        plan=plan(base_model__uri="builtin:tiny"),
        **changes,
    )


def test_models_that_are_predicted_together_are_one_job(tmp_path: Path) -> None:
    """Whichever of them is asked for: base and adapter are the same request."""
    adapter = "gs://bucket/out/step-000004"
    one = prediction_job.request(job_of(str(tmp_path), adapter, beside=("",)))
    other = prediction_job.request(job_of(str(tmp_path), "", beside=(adapter,)))
    assert jobs.fingerprint("custom_training", one) == jobs.fingerprint("custom_training", other)
    config = one.identity["config"]
    assert [model.get("adapter", "") for model in config["models"]] == ["", adapter]
    assert config["mode"] == "predict"
    alone = prediction_job.request(job_of(str(tmp_path), adapter))
    assert jobs.fingerprint("custom_training", alone) != jobs.fingerprint("custom_training", one)


@pytest.mark.slow
def test_the_trainer_predicts_in_a_job_that_is_made_once(here: LocalVertex) -> None:
    """The base's predictions, as the trainer writes them; asked for again they cost no job."""
    staging = "gs://tuneline-local/predict"
    lines = [json.dumps({"input_text": str(n), "output_text": str(n + 1)}) for n in range(12)]
    objects.write_bytes(f"{staging}/data/numbers.jsonl", ("\n".join(lines) + "\n").encode())
    engine = jobs.engine("custom_training")
    made = len(here.calls("CreateCustomJob"))
    rows = evaluation.read_predictions(engine.predict(job_of(staging, "")))
    assert [row.expected for row in rows] == [str(n + 1) for n in range(12)]
    assert all(row.tokens for row in rows)
    engine.predict(job_of(staging, ""))
    assert len(here.calls("CreateCustomJob")) == made + 1
