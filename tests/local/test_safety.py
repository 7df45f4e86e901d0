"""Promise: whoever can reach the port can neither fill the memory, nor leave the data folder, nor read our secrets."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import time
import urllib.error
import urllib.parse
from pathlib import Path

import pytest

from tuneline.local.pipelines.launcher import Mount
from tuneline.testing import LocalVertex

WHERE = "projects/proj-safety/locations/us-central1"
MIB = 1 << 20


def resident_mib(vertex: LocalVertex) -> float:
    lines = Path(f"/proc/{vertex.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads the memory of a process in /proc")
def test_a_body_is_refused_once_it_is_too_large_however_it_is_packed(local_vertex):
    """64 MiB and no more, plain or unpacked from gzip; the service does not grow by what it refuses."""
    before = resident_mib(local_vertex)
    for headers, pieces in (
        ({}, [b" " * MIB] * 80),
        ({"Content-Encoding": "gzip"}, [gzip.compress(b" " * (256 * MIB), 1)]),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", local_vertex.port, timeout=60)
        headers = {**headers, "Content-Length": str(sum(map(len, pieces))), "Content-Type": "application/json"}
        connection.putrequest("POST", f"/v1/{WHERE}/endpoints")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        try:
            for piece in pieces:
                connection.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it need not listen to the end
        answer = connection.getresponse()
        assert answer.status == 400
        assert b"exceeds the limit" in answer.read()
        connection.close()
    assert resident_mib(local_vertex) < before + 200
    assert local_vertex.request("GET", f"/v1/{WHERE}/endpoints") == {}


def test_a_head_without_an_end_is_refused(local_vertex):
    """By a refusal or the end of the connection, before it is megabytes long."""
    with socket.create_connection(("127.0.0.1", local_vertex.port), timeout=20) as connection:
        connection.sendall(b"GET /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        sent = 0
        try:
            while sent < 16 * MIB:
                connection.sendall(b"x-filler: " + b"f" * 60_000 + b"\r\n")
                sent += 60_000
            answer = connection.recv(1000)
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
    assert answer == b"" or answer.split()[1] in (b"400", b"431")
    assert sent < 16 * MIB


def test_no_name_leads_out_of_the_data_folder(fresh_vertex, tmp_path):
    """Of an object, of a resource, or of an address that a task is given."""
    for name in ("../../../escaped", "/escaped", "a/../../escaped", "..%2f..%2fescaped"):
        path = f"/upload/storage/v1/b/tuneline-local/o?uploadType=media&name={urllib.parse.quote(name, safe='')}"
        assert fresh_vertex.request("POST", path, b"x")["name"] == name
    model = {"displayName": "m", "containerSpec": {"imageUri": "r/i:1"}}
    for identifier in ("..", "../x", "a/b", ".hidden"):
        body = {"model": model, "modelId": identifier}
        with pytest.raises(urllib.error.HTTPError) as refused:
            fresh_vertex.request("POST", f"/v1/{WHERE}/models:upload", body)
        assert "modelId" in json.loads(refused.value.read())["error"]["message"]
    mount = Mount(tmp_path / "gcs", made=())
    for uri in ("gs://../x", "gs://b/../../x", "gs:///x"):
        with pytest.raises(OSError, match="cannot be a file name"):
            mount.path(uri)
    assert not [path for path in tmp_path.rglob("*escaped*") if fresh_vertex.data not in path.parents]


def test_a_jobs_process_has_none_of_our_secrets(tmp_path, monkeypatch):
    """Its environment is what is named for it, whatever the service was started with."""
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "s1",
        "GOOGLE_APPLICATION_CREDENTIALS": "/home/me/key.json",
        "HF_TOKEN": "s2",
        "GEMINI_API_KEY": "real",
        "PIP_INDEX_URL": "https://user:password@index",
        "LD_PRELOAD": "",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    service = LocalVertex(tmp_path / "data").start()
    try:
        spec = {
            "schemaVersion": "2.1.0",
            "pipelineInfo": {"name": "secrets"},
            "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}}}}},
            "components": {"comp-a": {"executorLabel": "exec-a"}},
            "deploymentSpec": {
                "executors": {"exec-a": {"container": {"image": "x/tuneline-python:1", "command": ["env"]}}}
            },
        }
        body = {"pipelineSpec": spec, "runtimeConfig": {"gcsOutputDirectory": "gs://tuneline-local/r"}}
        name = service.request("POST", f"/v1/{WHERE}/pipelineJobs", body)["name"]
        deadline = time.monotonic() + 60
        while (state := service.request("GET", f"/v1/{name}")["state"]).endswith(("PENDING", "RUNNING")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert state == "PIPELINE_STATE_SUCCEEDED"
        log = next((tmp_path / "data" / "pipelines").rglob("a_*/1/log.txt")).read_text()
    finally:
        service.stop()
    seen = dict(line.split("=", 1) for line in log.splitlines() if "=" in line)
    assert seen["GEMINI_API_KEY"] == "tuneline-local"
    assert seen["GOOGLE_CLOUD_PROJECT"] == "proj-safety"
    assert not {*secrets, "TUNELINE_INSTALL_ENVIRONMENT"} & seen.keys() - {"GEMINI_API_KEY"}
    assert not any(secret in log for secret in ("s1", "s2", "password", "real\n"))
