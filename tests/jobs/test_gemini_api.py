"""A tuned model of the Gemini API is made once: there the id is the lock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.ai.generativelanguage_v1beta.types import TunedModel

from tests.google.scripted import Answer, Server, serving
from tuneline import errors, jobs
from tuneline.jobs import Settings
from tuneline.jobs.gemini_api import GeminiApi, job_of, snapshots

EXAMPLES = [("1", "2"), ("seven", "eight")]
QUICK = Settings(deadline_s=0.5, window_s=0.5, poll_s=0.05)


def request(staging: Path, **changes: Any) -> jobs.Request:
    return jobs.gemini_api.request(
        **{
            "display_name": "next number",
            "base_model": "gemini-1.5-flash-001-tuning",
            "examples": EXAMPLES,
            "staging": str(staging),
            **changes,
        }
    )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that answers as the API is documented to, with the faults that a test asks for."""
    with serving() as held:
        monkeypatch.setenv("TUNELINE_LOCAL_URL", held.url)
        yield held


def tuned(identifier: str, state: str = "CREATING") -> dict[str, Any]:
    return {"name": f"tunedModels/{identifier}", "displayName": "next number", "state": state}


def test_the_body_is_one_that_the_official_definition_takes(tmp_path: Path) -> None:
    """Examples go inline, hyperparameters only where given."""
    body = dict(request(tmp_path, epoch_count=5, batch_size=4, learning_rate=0.001).body)
    official = TunedModel.from_json(json.dumps(body))
    assert official.base_model == "models/gemini-1.5-flash-001-tuning"
    assert official.tuning_task.hyperparameters.epoch_count == 5
    assert official.tuning_task.training_data.examples.examples[1].output == "eight"
    assert "hyperparameters" not in request(tmp_path).body["tuningTask"]


def test_rate_and_multiplier_exclude_each_other(tmp_path: Path) -> None:
    """One of the two, as the documentation says."""
    with pytest.raises(errors.UsageError, match="give one of the two"):
        request(tmp_path, learning_rate=0.001, learning_rate_multiplier=2.0)


def test_the_id_is_made_of_the_fingerprint(tmp_path: Path, server: Server) -> None:
    """The same request has the same id, which the API takes: 40 characters at most, of those it allows."""
    wanted = request(tmp_path)
    name = jobs.fingerprint("gemini_api", wanted)
    identifier = f"tl-{name[:30]}-1"
    server.script[:] = [
        Answer(body={"tunedModels": []}),
        Answer(body={"name": f"tunedModels/{identifier}/operations/o"}),
        Answer(body=tuned(identifier)),
        Answer(body={"tunedModels": [tuned(identifier)]}),
    ]
    submission = jobs.submit(jobs.engine("gemini_api"), wanted, settings=QUICK)
    assert submission.name == f"tunedModels/{identifier}"
    assert not submission.adopted
    assert len(identifier) <= 40
    posted = [each for each in server.requests if each["method"] == "POST"]
    assert [each["path"] for each in posted] == [f"/v1beta/tunedModels?tunedModelId={identifier}"]


def test_an_id_that_is_taken_is_adopted(tmp_path: Path, server: Server) -> None:
    """409 is no refusal: the id says that the model there is this request's."""
    wanted = request(tmp_path)
    identifier = f"tl-{jobs.fingerprint('gemini_api', wanted)[:30]}-1"
    server.script[:] = [
        Answer(body={"tunedModels": []}),
        Answer(status=409, body={"error": {"message": "there is one", "status": "ALREADY_EXISTS"}}),
        Answer(body=tuned(identifier)),
        Answer(body=tuned(identifier)),
        Answer(body={"tunedModels": [tuned(identifier)]}),
    ]
    assert jobs.submit(jobs.engine("gemini_api"), wanted, settings=QUICK).name == f"tunedModels/{identifier}"


def test_a_lost_answer_is_found_under_its_id(tmp_path: Path, server: Server) -> None:
    """The connection drops after the effect: the next look finds the model, and no second call is sent."""
    wanted = request(tmp_path)
    identifier = f"tl-{jobs.fingerprint('gemini_api', wanted)[:30]}-1"
    server.script[:] = [
        Answer(body={"tunedModels": []}),
        Answer(drop=True),
        Answer(body={"tunedModels": [tuned(identifier), {"name": "tunedModels/somebody-elses"}]}),
        Answer(body=tuned(identifier)),
        Answer(body={"tunedModels": [tuned(identifier)]}),
    ]
    assert jobs.submit(jobs.engine("gemini_api"), wanted, settings=QUICK).name == f"tunedModels/{identifier}"
    assert [each["method"] for each in server.requests].count("POST") == 1


def test_a_wait_ends_when_the_model_is_active(server: Server) -> None:
    """CREATING goes on, ACTIVE is success, and the loss curve is the result."""
    ready = {
        **tuned("tl-x", "ACTIVE"),
        "tuningTask": {"snapshots": [{"meanLoss": 3.5}, {"step": 4, "epoch": 1, "meanLoss": 1.25}]},
    }
    server.script[:] = [Answer(body=tuned("tl-x")), Answer(body=ready)]
    engine = jobs.engine("gemini_api")
    job = jobs.wait(engine, "tunedModels/tl-x", deadline_s=30)
    assert job.state is jobs.JobState.SUCCEEDED
    assert engine.result(job.name) == {
        "state": "succeeded",
        "model": "tunedModels/tl-x",
        "snapshots": [{"step": 0, "epoch": 0, "mean_loss": 3.5}, {"step": 4, "epoch": 1, "mean_loss": 1.25}],
    }
    assert len([*engine.logs(job.name)]) == 2


def test_a_failed_one_fails(server: Server) -> None:
    """The API gives no reason, and that is said too."""
    server.script[:] = [Answer(body=tuned("tl-x", "FAILED"))]
    job = jobs.wait(jobs.engine("gemini_api"), "tunedModels/tl-x", deadline_s=30)
    with pytest.raises(errors.JobFailed, match="says no more"):
        job.raise_unless_succeeded()
    with pytest.raises(errors.NotFound, match="no result"):
        jobs.engine("gemini_api").result("tunedModels/tl-x")


@pytest.mark.parametrize("has_cancel", [True, False])
def test_cancelling_ends_what_is_still_being_tuned(server: Server, has_cancel: bool) -> None:
    """By the operation where the service can, else by deleting what is half tuned."""
    operations = {
        "operations": [{"name": "tunedModels/x/operations/1", "done": True}, {"name": "tunedModels/x/operations/2"}]
    }
    server.script[:] = [Answer(body=operations), Answer(status=200 if has_cancel else 404), Answer()]
    jobs.engine("gemini_api").cancel("tunedModels/x")
    asked = [(each["method"], each["path"]) for each in server.requests]
    assert asked[1] == ("POST", "/v1beta/tunedModels/x/operations/2:cancel")
    assert (("DELETE", "/v1beta/tunedModels/x") in asked) is not has_cancel


def test_a_model_that_is_ready_is_not_touched(server: Server) -> None:
    """Too late to cancel is no error."""
    server.script[:] = [Answer(body={"operations": [{"name": "tunedModels/x/operations/1", "done": True}]})]
    jobs.engine("gemini_api").cancel("tunedModels/x")
    assert [each["method"] for each in server.requests] == ["GET"]


def test_somebody_elses_model_carries_no_marks() -> None:
    """An id that is not ours is read as a job without labels, and a state that is new as unknown."""
    job = job_of({"name": "tunedModels/tl-short-1", "state": "STATE_OF_NEXT_YEAR"})
    assert job.labels == {}
    assert job.state is jobs.JobState.UNSPECIFIED
    assert snapshots(job) == []


def test_an_id_of_ones_own_is_the_lock_too(tmp_path: Path, server: Server) -> None:
    """Its model bears the request's mark in its description, by which it is known again."""
    wanted = request(tmp_path, tuned_model_id="next-number")
    mark = f"tl-{jobs.fingerprint('gemini_api', wanted)[:30]}-1"
    made = {**tuned("next-number"), "description": f"Made by tuneline as {mark}"}
    server.script[:] = [
        Answer(body={"tunedModels": []}),
        Answer(status=409, body={"error": {"message": "there is one", "status": "ALREADY_EXISTS"}}),
        Answer(body=made),
        Answer(body=made),
        Answer(body={"tunedModels": [made]}),
    ]
    submission = jobs.submit(jobs.engine("gemini_api"), wanted, settings=QUICK)
    assert submission.name == "tunedModels/next-number"
    (posted,) = [each for each in server.requests if each["method"] == "POST"]
    assert posted["path"] == "/v1beta/tunedModels?tunedModelId=next-number"
    assert json.loads(posted["body"])["description"] == made["description"]
    assert jobs.fingerprint("gemini_api", wanted) != jobs.fingerprint("gemini_api", request(tmp_path))


def test_an_id_that_another_request_has_is_refused(tmp_path: Path, server: Server) -> None:
    """It is not adopted: what lies there was tuned on something else. The way out is named."""
    server.script[:] = [
        Answer(body={"tunedModels": []}),
        Answer(status=409, body={"error": {"message": "there is one", "status": "ALREADY_EXISTS"}}),
        Answer(body=tuned("next-number")),
    ]
    with pytest.raises(errors.InvalidArgument, match="another tuned_model_id"):
        jobs.submit(jobs.engine("gemini_api"), request(tmp_path, tuned_model_id="next-number"), settings=QUICK)


def test_a_description_is_changed_around_the_mark(server: Server) -> None:
    """So that a run still finds its model after it was described by hand."""
    mark = f"Made by tuneline as tl-{'a' * 30}-1"
    described = {**tuned("x", "ACTIVE"), "description": f"Old words. {mark}"}
    server.script[:] = [Answer(body=described), Answer(body=described)]
    job = GeminiApi().patch("tunedModels/x", description="New words.")
    assert job.labels["tuneline_fingerprint"] == "a" * 30
    asked = server.requests[-1]
    assert (asked["method"], asked["path"]) == ("PATCH", "/v1beta/tunedModels/x?updateMask=description")
    assert json.loads(asked["body"])["description"] == f"New words. {mark}"


def test_the_curve_grows_in_the_operation_while_the_model_is_made(server: Server) -> None:
    """And is the model's own once it has one; then the operations are not asked for."""
    point = {"step": 4, "epoch": 1, "meanLoss": 1.25}
    server.script[:] = [
        Answer(body=tuned("x")),
        Answer(body={"operations": [{"name": "tunedModels/x/operations/1", "metadata": {"snapshots": [point]}}]}),
        Answer(body={**tuned("x", "ACTIVE"), "tuningTask": {"snapshots": [point]}}),
    ]
    grown = [*GeminiApi().logs("tunedModels/x")]
    assert [json.loads(line)["mean_loss"] for line in grown] == [1.25]
    assert [*GeminiApi().logs("tunedModels/x")] == grown
    assert len(server.requests) == 3
