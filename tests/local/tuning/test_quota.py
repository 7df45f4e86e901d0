"""Promise: no more of a project's tuning jobs run at a time than its quota says, and none is forgotten."""

from __future__ import annotations

import asyncio
import json
import urllib.error
from typing import Any

import pytest
from google.api_core import exceptions
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local.behaviours.tuning import PAIRS, put, supervised
from tuneline.local.resources.errors import ApiError
from tuneline.local.tuning.quota import METRIC, Quota, Quotas


class Facts:
    """The one part of a service that quotas use: its facts."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.store = self

    def fact(self, key: str) -> str | None:
        return self.kept.get(key)

    def set_fact(self, key: str, value: str) -> None:
        self.kept[key] = value


JOB = "projects/p/locations/us-central1/tuningJobs/{}"


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(["enter", "leave", "cancel", "one", "two", "none"]), max_size=30))
def test_the_limit_holds_whatever_comes_and_goes(acts: list[str]) -> None:
    """Never more inside than the limit that counted when they went in; in the order of coming; all get in at last."""

    async def scenario() -> None:
        quotas, service = Quotas(), Facts()
        inside: list[str] = []
        began: list[str] = []
        cancelled: set[str] = set()
        leave: dict[str, asyncio.Event] = {}
        tasks = []
        limit = 0

        async def job(name: str) -> None:
            async with quotas.room(service, name, lambda: name not in cancelled):
                if name not in cancelled:
                    began.append(name)
                    inside.append(name)
                    await leave[name].wait()
                    inside.remove(name)

        for act in acts:
            if act == "enter":
                name = JOB.format(len(tasks))
                leave[name] = asyncio.Event()
                quotas.enter(name)
                tasks.append(asyncio.create_task(job(name)))
            elif act == "leave" and inside:
                leave[inside[0]].set()
            elif act == "cancel" and (waiting := [n for n in leave if n not in began and n not in cancelled]):
                cancelled.add(waiting[0])
                quotas.look_again()
            elif act in ("one", "two", "none"):
                limit = {"one": 1, "two": 2, "none": 0}[act]
                quotas.set(service, "", Quota(limit=limit))
            before = len(inside)
            for _ in range(20):
                await asyncio.sleep(0)
            if limit:
                assert len(inside) <= max(limit, before)
            else:
                assert len(inside) == len([n for n in leave if n not in cancelled and not leave[n].is_set()])
        assert began == sorted(began, key=list(leave).index)
        for event in leave.values():
            event.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
        assert set(began) | cancelled == set(leave)

    asyncio.run(scenario())


def test_a_project_of_its_own_has_a_limit_of_its_own() -> None:
    """The limit of all others is not added to it; a refusal carries Google's words for a quota, and 429."""
    quotas, service = Quotas(), Facts()
    quotas.set(service, "", Quota(limit=1))
    quotas.set(service, "p", Quota(limit=2, above="refuse"))
    quotas.check(service, JOB.format(1), live=1)
    quotas.check(service, JOB.format(1).replace("/p/", "/q/"), live=7)
    with pytest.raises(ApiError, match=METRIC) as refused:
        quotas.check(service, JOB.format(1), live=2)
    assert refused.value.http == 429
    again = Quotas()
    assert again.of(service, "p") == Quota(limit=2, above="refuse")


@pytest.mark.parametrize("body", [{"limit": -1}, {"limit": "1"}, {"limit": 1, "above": "queue"}, {"jobs": 1}, [1]])
def test_a_limit_that_is_none_is_refused(local_vertex: Any, body: Any) -> None:
    """By the service's own API, with what it should be."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        local_vertex.request("POST", "/_tuneline/quota", body)
    assert json.loads(refused.value.read())["error"]["status"] == "INVALID_ARGUMENT"


def test_a_job_above_the_quota_waits_or_is_refused(vertex_environment: Any) -> None:
    """Over both transports: WAITING_FOR_QUOTA in PENDING, in any region of the project; its turn comes when the other
    is cancelled; RESOURCE_EXHAUSTED where that is asked for."""
    from google.cloud import aiplatform_v1 as gapic

    uri = put(vertex_environment, "quota.jsonl", supervised(PAIRS))
    project = "proj-quota"

    def create(region: str, transport: str = "grpc") -> Any:
        host = {"api_endpoint": f"{region}-aiplatform.googleapis.com"}
        client = gapic.GenAiTuningServiceClient(transport=transport, client_options=host)
        job = gapic.TuningJob(base_model="gemini-2.5-flash")
        job.supervised_tuning_spec.training_dataset_uri = uri
        job.supervised_tuning_spec.hyper_parameters.epoch_count = 500
        return client.create_tuning_job(parent=f"projects/{project}/locations/{region}", tuning_job=job)

    quota = {"limit": 1, "project": project}
    vertex_environment.request("POST", "/_tuneline/quota", quota)
    try:
        first, second = create("us-central1"), create("europe-west4")
        raw = vertex_environment.request("GET", f"/v1beta1/{second.name}")
        assert (raw["state"], raw["tuningJobState"]) == ("JOB_STATE_PENDING", "TUNING_JOB_STATE_WAITING_FOR_QUOTA")
        vertex_environment.request("POST", f"/v1/{first.name}:cancel", {})
        wait_for(vertex_environment, second.name, {"JOB_STATE_RUNNING"})
        vertex_environment.request("POST", "/_tuneline/quota", {**quota, "above": "refuse"})
        with pytest.raises(exceptions.ResourceExhausted, match="global_concurrent_tuning_jobs"):
            create("us-central1")
        with pytest.raises(exceptions.TooManyRequests, match="global_concurrent_tuning_jobs"):
            create("us-central1", "rest")
    finally:
        vertex_environment.request("POST", "/_tuneline/quota", {**quota, "limit": 0})
    vertex_environment.request("POST", f"/v1/{second.name}:cancel", {})
    for job in (first, second):
        assert wait_for(vertex_environment, job.name, {"JOB_STATE_CANCELLED"})["error"]["code"] == 1


def wait_for(vertex: Any, name: str, states: set[str]) -> Any:
    """The job once it is in one of the states."""
    import time

    deadline = time.monotonic() + 60
    while (job := vertex.request("GET", f"/v1/{name}"))["state"] not in states:
        assert time.monotonic() < deadline, job
        time.sleep(0.1)
    return job
