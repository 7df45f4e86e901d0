"""Promise: what was answered is on disk; a kill at any moment loses nothing and doubles nothing."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import urllib.error

import pytest

from tuneline.testing import LocalVertex

WHERE = "projects/p-1/locations/us-central1"


def writer(vertex: LocalVertex, number: int, answered: set[str], tried: set[str], stop: threading.Event) -> None:
    """Create models as fast as they are answered; a try that got no answer is tried again under the same id."""
    count = 0
    while not stop.is_set():
        identifier = f"m{number}-{count}"
        tried.add(identifier)
        body = {"modelId": identifier, "model": {"displayName": identifier, "containerSpec": {"imageUri": "i"}}}
        try:
            vertex.request("POST", f"/v1/{WHERE}/models:upload", body, timeout_s=5)
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)  # it is being killed and started again
            continue
        answered.add(identifier)
        count += 1


def survive(vertex: LocalVertex, rounds: int, seed: int) -> tuple[set[str], set[str]]:
    """(ids answered, ids tried) after so many kills at random moments under load."""
    moments = random.Random(seed)
    answered: set[str] = set()
    tried: set[str] = set()
    stop = threading.Event()
    threads = [threading.Thread(target=writer, args=(vertex, n, answered, tried, stop)) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(rounds):
            time.sleep(moments.uniform(0.01, 0.3))
            vertex.kill()
            vertex.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return answered, tried


def check(vertex: LocalVertex, rounds: int, seed: int) -> None:
    """Kill, restart, and compare what is there with what was answered."""
    answered, tried = survive(vertex, rounds, seed)
    found, token = [], ""
    while True:
        page = vertex.request("GET", f"/v1/{WHERE}/models?pageSize=500&pageToken={token}")
        found += page.get("models", [])
        token = page.get("nextPageToken", "")
        if not token:
            break
    names = [model["name"].rpartition("/")[2] for model in found]
    assert len(names) == len(set(names))
    assert answered <= set(names) <= tried
    assert len(answered) > rounds
    for model in found:
        assert model["versionAliases"] == ["default"]  # no half-made one
        assert vertex.request("GET", f"/v1/{model['name']}@1")["versionId"] == "1"


def test_killed_under_load_it_loses_and_doubles_nothing(fresh_vertex):
    """A short version of the long test below."""
    check(fresh_vertex, rounds=6, seed=1)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_killed_two_hundred_times_it_loses_and_doubles_nothing(fresh_vertex):
    """200 rounds under load."""
    check(fresh_vertex, rounds=200, seed=2)


def test_a_folder_is_a_plain_folder_that_can_be_copied(fresh_vertex, tmp_path):
    """Stopped, copied, and served from the copy."""
    import shutil

    name = fresh_vertex.request("POST", f"/v1/{WHERE}/endpoints", {"displayName": "x"})["response"]["name"]
    fresh_vertex.stop()
    shutil.copytree(fresh_vertex.data, tmp_path / "copy")
    copy = LocalVertex(tmp_path / "copy").start()
    try:
        assert copy.request("GET", f"/v1/{name}")["displayName"] == "x"
    finally:
        copy.stop()


def test_a_folder_of_another_format_is_refused(tmp_path):
    """Clearly, and untouched."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "format.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(RuntimeError, match="has format 99"):
        LocalVertex(tmp_path / "data").start()


def test_a_folder_of_something_else_is_refused(tmp_path):
    """A typing error must not fill somebody's documents with a service's files."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.tex").write_text("x")
    with pytest.raises(RuntimeError, match="no data folder"):
        LocalVertex(tmp_path / "data").start()
