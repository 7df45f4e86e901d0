"""Promise: kfp's own RegistryClient keeps pipelines here, and a pipeline job runs one by its address."""

from __future__ import annotations

from pathlib import Path

import pytest

HOST = "https://us-central1-kfp.pkg.dev/proj-registry/pipelines"


@pytest.fixture
def client(vertex_environment):
    """The official client, redirected by environment alone."""
    from kfp.registry import RegistryClient

    return RegistryClient(host=HOST)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A pipeline's file."""
    from kfp import compiler, dsl

    @dsl.component(base_image="python:3.11", install_kfp_package=False)
    def nothing():
        pass

    @dsl.pipeline(name="kept-pipeline")
    def pipeline():
        nothing()

    path = tmp_path_factory.mktemp("registry") / "pipeline.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    return path


def test_a_pipeline_is_uploaded_listed_tagged_downloaded_and_deleted(client, compiled, tmp_path):
    """By version and by tag; the same file twice is one version."""
    package, version = client.upload_pipeline(str(compiled), tags=["v1", "latest"])
    assert (package, version[:7]) == ("kept-pipeline", "sha256:")
    assert client.upload_pipeline(str(compiled)) == (package, version)
    assert len(client.list_versions(package)) == 1
    assert [p["name"].rpartition("/")[2] for p in client.list_packages()] == [package]
    assert [t["name"].rpartition("/")[2] for t in client.list_tags(package)] == ["latest", "v1"]
    client.create_tag(package, version, "stable")
    for wanted in ({"version": version}, {"tag": "stable"}):
        copy = client.download_pipeline(package, file_name=str(tmp_path / "copy.yaml"), **wanted)
        assert Path(copy).read_bytes() == compiled.read_bytes()
    for tag in ("stable", "v1", "latest"):
        client.delete_tag(package, tag)
    assert client.delete_version(package, version) is True
    with pytest.raises(Exception, match="404"):
        client.get_package(package)


def test_a_job_runs_a_pipeline_by_its_address(client, compiled, vertex_environment):
    """`templateUri` of an uploaded pipeline; an address of nothing is refused."""
    client.upload_pipeline(str(compiled), tags=["v1"])
    where = "/v1/projects/proj-registry/locations/us-central1/pipelineJobs"
    body = {"templateUri": f"{HOST}/kept-pipeline/v1", "runtimeConfig": {"gcsOutputDirectory": "gs://tuneline-local/r"}}
    job = vertex_environment.request("POST", where, body)
    assert job["state"] == "PIPELINE_STATE_PENDING"
    body["templateUri"] = f"{HOST}/kept-pipeline/v2"
    with pytest.raises(Exception, match="400"):
        vertex_environment.request("POST", where, body)
