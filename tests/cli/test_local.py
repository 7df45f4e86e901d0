"""`tuneline local` faults, calls, clock, quota and put do to the running service what their help says."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error

import pytest
from click.testing import CliRunner, Result

from tuneline import errors
from tuneline.cli.root import cli
from tuneline.testing import LocalVertex, local_vertex

__all__ = ["local_vertex"]

ENDPOINTS = "/v1/projects/proj-faults/locations/us-central1/endpoints"


@pytest.fixture
def vertex(local_vertex: LocalVertex) -> LocalVertex:
    """The service, with no fault waiting."""
    tuneline(local_vertex, "faults", "clear")
    return local_vertex


def invoke(vertex: LocalVertex, *words: str) -> Result:
    group, *rest = words
    commands = [group, rest.pop(0)] if group == "faults" else [group]
    return CliRunner().invoke(cli, ["local", *commands, "--data", str(vertex.data), *rest])


def tuneline(vertex: LocalVertex, *words: str) -> str:
    """What a command printed; it must have gone well."""
    done = invoke(vertex, *words)
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.output


def create(vertex: LocalVertex, name: str) -> None:
    vertex.request("POST", ENDPOINTS, {"displayName": name})


def made(vertex: LocalVertex) -> set[str]:
    return {each["displayName"] for each in vertex.request("GET", ENDPOINTS).get("endpoints", [])}


def test_a_refusal_strikes_as_often_as_asked_with_the_words_asked(vertex: LocalVertex) -> None:
    """Twice 429 after a delay, with the message and the time to come back; then the call goes through."""
    asked = ("--status", "RESOURCE_EXHAUSTED", "--times", "2", "--delay", "300ms", "--message", "full")
    said = tuneline(vertex, "faults", "add", "--method", "CreateEndpoint", *asked, "--retry-after", "7s")
    assert "CreateEndpoint  2x  status=429  delay=0.3" in said
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(urllib.error.HTTPError) as refused:
            create(vertex, "refused")
        error = json.loads(refused.value.read())["error"]
        assert (error["code"], error["message"], time.monotonic() - began >= 0.3) == (429, "full", True)
        assert any(detail.get("retryDelay") == "7s" for detail in error["details"])
    assert tuneline(vertex, "faults", "list") == ""
    create(vertex, "accepted")
    assert "refused" not in made(vertex)


def test_a_connection_is_dropped_before_after_or_long_before_the_effect(vertex: LocalVertex) -> None:
    """The client hears nothing in each case; what was made differs, and a list that lags does not know it yet."""
    for name, how in (("lost", ("--drop", "before")), ("kept", ("--drop", "after")), ("late", ("--late", "1s"))):
        tuneline(vertex, "faults", "add", "--method", "CreateEndpoint", *how)
        with pytest.raises((OSError, http.client.HTTPException)):
            create(vertex, name)
    assert made(vertex) & {"lost", "kept", "late"} == {"kept"}
    tuneline(vertex, "faults", "add", "--method", "ListEndpoints", "--lag", "1h")
    assert made(vertex) == set()
    deadline = time.monotonic() + 20
    while "late" not in made(vertex):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "lost" not in made(vertex)


def test_faults_are_listed_and_taken_back(vertex: LocalVertex) -> None:
    """As JSON they read as they were sent."""
    tuneline(vertex, "faults", "add", "--method", "Get*", "--drop", "before", "--times", "3")
    listed = json.loads(tuneline(vertex, "faults", "list", "--format", "json"))
    assert listed == [{"method": "Get*", "times": 3, "drop": "before"}]
    tuneline(vertex, "faults", "clear")
    assert json.loads(tuneline(vertex, "faults", "list", "--format", "json")) == []
    create(vertex, "after clear")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--method", "CreateTunningJob", "--status", "503"), "Did you mean CreateTuningJob?"),
        (("--method", "CreateTuningJob"), "does nothing"),
        (("--method", "CreateTuningJob", "--status", "502"), "'502' is none of"),
        (("--method", "storage.objects.list", "--lag", "1s"), "there at once"),
    ],
)
def test_a_fault_that_would_never_strike_is_refused(vertex: LocalVertex, arguments: tuple, says: str) -> None:
    """In the service's words, and nothing is added."""
    done = invoke(vertex, "faults", "add", *arguments)
    assert isinstance(done.exception, errors.InvalidArgument)
    assert says in str(done.exception)
    assert tuneline(vertex, "faults", "list") == ""


def test_calls_are_filtered_by_method_and_number(vertex: LocalVertex) -> None:
    """The newest last."""
    create(vertex, "one")
    create(vertex, "two")
    rows = json.loads(tuneline(vertex, "calls", "--method", "Create*", "--last", "2", "--format", "json"))
    assert [row["method"].rpartition(".")[2] for row in rows] == ["CreateEndpoint", "CreateEndpoint"]
    assert rows[0]["time"] <= rows[1]["time"]
    assert "CreateEndpoint" not in tuneline(vertex, "calls", "--method", "Delete*")


def test_the_clock_is_moved_forward_and_never_back(vertex: LocalVertex) -> None:
    """By as much as was said."""
    before = tuneline(vertex, "clock").strip()
    after = tuneline(vertex, "clock", "--forward", "2d").strip()
    assert after > before
    assert tuneline(vertex, "clock").strip() >= after
    assert invoke(vertex, "clock", "--forward", "-1h").exit_code == 2


def test_without_a_service_the_error_says_how_to_start_one(tmp_path) -> None:
    """And exits 1."""
    done = CliRunner().invoke(cli, ["local", "faults", "list", "--data", str(tmp_path)])
    assert isinstance(done.exception, errors.Unavailable)
    assert "tuneline local up" in str(done.exception)


def test_the_quota_of_tuning_jobs_is_shown_as_it_was_set(vertex: LocalVertex) -> None:
    """For all projects and for one; zero takes it away; what becomes of one job too many is told."""
    assert "this machine's own slots" in tuneline(vertex, "quota")
    tuneline(vertex, "quota", "--tuning-jobs", "1")
    said = tuneline(vertex, "quota", "--tuning-jobs", "2", "--project", "mine", "--above", "refuse")
    assert said.splitlines() == ["every other project  1  above it: wait", "mine  2  above it: refuse"]
    for project in ("", "mine"):
        tuneline(vertex, "quota", "--tuning-jobs", "0", "--project", project)
    known = json.loads(tuneline(vertex, "quota", "--format", "json"))
    assert [(each["project"], each["limit"]) for each in known] == [("", 0), ("mine", 0)]


def test_files_are_put_where_a_program_expects_them(vertex: LocalVertex, tmp_path, monkeypatch) -> None:
    """A file under its name or another, a folder with all below it; the bucket is made; a place that is none is not."""
    for name in ("TUNELINE_LOCAL_URL", "TUNELINE_REGION", "TUNELINE_STAGING", "STORAGE_EMULATOR_HOST"):
        monkeypatch.setenv(name, "")  # what the command sets in this process goes with the test
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "")
    (tmp_path / "below").mkdir()
    for name in ("a.jsonl", "below/b.jsonl"):
        (tmp_path / name).write_text(name)
    tuneline(vertex, "put", str(tmp_path / "a.jsonl"), "gs://put-here/x/other.jsonl")
    tuneline(vertex, "put", str(tmp_path / "a.jsonl"), "gs://put-here/y/")
    said = tuneline(vertex, "put", str(tmp_path), "gs://put-here/z")
    assert said.splitlines() == ["gs://put-here/z/a.jsonl", "gs://put-here/z/below/b.jsonl"]
    listed = vertex.request("GET", "/storage/v1/b/put-here/o")["items"]
    assert [each["name"] for each in listed] == ["x/other.jsonl", "y/a.jsonl", "z/a.jsonl", "z/below/b.jsonl"]
    refused = invoke(vertex, "put", str(tmp_path / "a.jsonl"), "put-here/a")
    assert refused.exit_code == 2
    assert "gs://BUCKET/NAME" in refused.output
