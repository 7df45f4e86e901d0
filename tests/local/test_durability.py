"""Promise: killed at random moments under load and started again, the whole service loses, doubles and tears nothing.

Objects are written, jobs submitted and one job trained, all at once, while the service is killed (SIGKILL) and started
on the same folder. A call that was not answered may have happened or not; one that was answered has.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneline.testing import LocalVertex

WHERE = "projects/durable/locations/us-central1"
ENDED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")
UPLOAD = "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name="
STEPS = 300


class Load:
    """Threads that call the service until they are told to stop; errors of their own are kept."""

    def __init__(self, vertex: LocalVertex, seed: int) -> None:
        self.vertex = vertex
        self.chance = random.Random(seed)
        self.objects: dict[str, set[bytes | None]] = {}
        """Name → what it may hold: one thing once a write was answered."""
        self.created: set[str] = set()
        """Names that a create-if-absent was answered for."""
        self.jobs_tried: list[str] = []
        self.jobs_answered: set[str] = set()
        self.seen: Counter[str] = Counter()
        """How often a trainer of each job was seen at work."""
        self.errors: list[BaseException] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        for number in range(2):
            self._run(self._write_objects, number)
        self._run(self._submit_jobs, 0)
        self._run(self._look_for_twins, 0)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.errors, self.errors

    def wait_for_an_answer(self) -> None:
        """Until a write is answered from now on, however busy the machine is."""
        before, deadline = len(self.created), time.monotonic() + 60
        while len(self.created) == before and not self.errors:
            assert time.monotonic() < deadline, "no write was answered for a minute"
            time.sleep(0.01)

    def _run(self, work: Callable[[int, random.Random], None], number: int) -> None:
        seed = self.chance.randrange(1 << 30)

        def guarded() -> None:
            while not self._stop.is_set():
                try:
                    work(number, random.Random(seed + len(self.objects)))
                except (OSError, http.client.HTTPException) as error:
                    if isinstance(error, urllib.error.HTTPError):
                        self.errors.append(error)
                        return
                    time.sleep(0.02)  # it is being killed and started again: there is nobody to wait for
                except AssertionError as error:
                    self.errors.append(error)
                    return

        thread = threading.Thread(target=guarded)
        self._threads.append(thread)
        thread.start()

    def _write_objects(self, number: int, chance: random.Random) -> None:
        while not self._stop.is_set():
            name = f"load-{number}-{chance.randrange(8)}"
            content = chance.randbytes(chance.choice((10, 20_000, 400_000)))
            self.objects[name] = self.objects.get(name, {None}) | {content}
            self.vertex.request("POST", UPLOAD + name, content, timeout_s=20)
            self.objects[name] = {content}
            once = f"once-{number}-{len(self.created)}"
            try:
                self.vertex.request("POST", f"{UPLOAD}{once}&ifGenerationMatch=0", once.encode(), timeout_s=20)
            except urllib.error.HTTPError as error:
                if error.code != 412:  # it was created by the call before, which got no answer
                    raise
            self.created.add(once)

    def _submit_jobs(self, number: int, chance: random.Random) -> None:
        while not self._stop.wait(0.5):
            name = f"job-{len(self.jobs_tried)}"
            self.jobs_tried.append(name)  # tried once: what happens to an unanswered call is what is looked at
            self.vertex.request("POST", f"/v1/{WHERE}/customJobs", job(name, f"{name}-missing.json"), timeout_s=20)
            self.jobs_answered.add(name)

    def _look_for_twins(self, number: int, chance: random.Random) -> None:
        """No job ever has two trainers at a time, however its service died."""
        while not self._stop.wait(0.02):
            running = Counter(trainers(self.vertex.data))
            assert all(count == 1 for count in running.values()), running
            self.seen += running


def trainers(data: Path) -> list[str]:
    """The job of each trainer process that works for the service of this folder."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            line = (process / "cmdline").read_bytes().split(b"\0")
            if line[1:3] != [b"-m", b"tuneline.trainer"]:
                continue
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended while it was looked at
            continue
        if f"TUNELINE_DATA={data}".encode() in environment:
            found += [entry.decode() for entry in environment if entry.startswith(b"CLOUD_ML_JOB_ID=")]
    return found


def job(name: str, config: str) -> dict[str, Any]:
    container = {
        "imageUri": "us-docker.pkg.dev/p/r/tuneline-trainer:0.1",
        "command": ["python", "-m", "tuneline.trainer"],
        "args": ["--config", f"gs://tuneline-local/{config}", "--output", f"gs://tuneline-local/{name}"],
    }
    pool = {"machineSpec": {"machineType": "n1-standard-4"}, "replicaCount": "1", "containerSpec": container}
    return {"displayName": name, "jobSpec": {"workerPoolSpecs": [pool]}}


def train(vertex: LocalVertex) -> str:
    """Begins a job that trains through all of it; its name."""
    rows = [{"input_text": f"after {number}", "output_text": str(number + 1)} for number in range(40)]
    vertex.request("POST", f"{UPLOAD}train.jsonl", "\n".join(json.dumps(row) for row in rows).encode())
    config = {
        "version": 1,
        "base_model": "builtin:tiny",
        "train_data": "gs://tuneline-local/train.jsonl",
        "evaluation_data": "",
        "prediction_data": "",
        "format": "palm-text",
        "train_steps": STEPS,
        "batch_size": 2,
        "evaluation_interval": 10,
    }
    vertex.request("POST", f"{UPLOAD}trained.json", json.dumps(config).encode())
    return str(vertex.request("POST", f"/v1/{WHERE}/customJobs", job("trained", "trained.json"))["name"])


def content_of(vertex: LocalVertex, name: str) -> bytes | None:
    line = http.client.HTTPConnection("127.0.0.1", vertex.port, timeout=30)
    line.request("GET", f"/tuneline-local/{name}")
    answer = line.getresponse()
    content = answer.read()
    line.close()
    return content if answer.status == 200 else None


def jobs_of(vertex: LocalVertex) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        page = vertex.request("GET", f"/v1/{WHERE}/customJobs?pageSize=200&pageToken={token}")
        found += page.get("customJobs", [])
        token = page.get("nextPageToken", "")
        if not token:
            return found


def wait_for_all(vertex: LocalVertex, timeout_s: float) -> list[dict[str, Any]]:
    """All jobs once each has ended."""
    deadline = time.monotonic() + timeout_s
    while True:
        jobs = jobs_of(vertex)
        going = [found["displayName"] for found in jobs if found["state"] not in ENDED]
        if not going:
            return jobs
        assert time.monotonic() < deadline, f"still going: {going[:10]}"
        time.sleep(0.2)  # the API tells of a job's end to nobody


def storm(vertex: LocalVertex, *, rounds: int, seed: int, patience_s: float) -> None:
    moments = random.Random(seed)
    trained = train(vertex)
    load = Load(vertex, seed)
    load.begin()
    try:
        for _ in range(rounds):
            if moments.random() < 0.7:  # else it is killed while it recovers, perhaps before any answer
                load.wait_for_an_answer()
            time.sleep(moments.uniform(0.0, 0.8))  # the moment of the kill is the point of the test
            vertex.kill()
            vertex.start()
            if load.errors:
                break
        load.wait_for_an_answer()
    finally:
        load.end()

    for name, may in load.objects.items():
        assert content_of(vertex, name) in may, f"{name} is torn, or lost what was answered"
    for name in load.created:
        assert content_of(vertex, name) == name.encode()
    assert len(load.created) > rounds / 3
    assert load.seen, "no trainer was ever seen: the look for twins is blind"

    jobs = wait_for_all(vertex, patience_s)
    names = Counter(found["displayName"] for found in jobs)
    assert [name for name, count in names.items() if count > 1] == [], "doubled"
    assert load.jobs_answered - set(names) == set(), "lost"
    assert set(names) <= {*load.jobs_tried, "trained"}, "out of nowhere"
    for found in jobs:
        if found["name"] == trained:
            assert found["state"] == "JOB_STATE_SUCCEEDED", found
        else:
            assert found["state"] == "JOB_STATE_FAILED"
            assert f"{found['displayName']}-missing.json" in found["error"]["message"]

    result = json.loads(content_of(vertex, "trained/result.json") or b"{}")
    assert (result["state"], result["steps"]) == ("succeeded", STEPS)
    rows = [json.loads(row) for row in (content_of(vertex, "trained/metrics.jsonl") or b"").splitlines()]
    steps = [row["step"] for row in rows]
    assert steps == sorted(set(steps)), "two trainers wrote into one output, or one began anew"
    assert steps[-1] == STEPS


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for twins in /proc")
def test_a_few_kills_under_load_lose_and_double_nothing(fresh_vertex: LocalVertex) -> None:
    """Four rounds: the short version of the test below."""
    storm(fresh_vertex, rounds=4, seed=1, patience_s=200)


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for twins in /proc")
def test_two_hundred_kills_under_load_lose_and_double_nothing(fresh_vertex: LocalVertex) -> None:
    """200 rounds."""
    storm(fresh_vertex, rounds=200, seed=2, patience_s=2400)
