"""Promise: Google's own Python clients run unmodified, by environment alone, over REST, gRPC and asyncio."""

from __future__ import annotations

import asyncio

import pytest
from google.api_core import exceptions
from google.rpc import error_details_pb2

WHERE = "projects/proj-wire/locations/us-central1"
HOST = "us-central1-aiplatform.googleapis.com"
MODEL = {"display_name": "m", "container_spec": {"image_uri": "i"}}


@pytest.fixture
def v1(vertex_environment):
    """The generated client library."""
    from google.cloud import aiplatform_v1

    return aiplatform_v1


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_the_generated_clients_work_over_both_transports(v1, transport):
    """Create with an operation, get, list over pages, enums, errors."""
    client = v1.ModelServiceClient(client_options={"api_endpoint": HOST}, transport=transport)
    made = [client.upload_model(parent=WHERE, model={**MODEL, "labels": {"by": transport}}).result() for _ in range(3)]
    pages = client.list_models(request={"parent": WHERE, "page_size": 2, "filter": f"labels.by={transport}"})
    assert [m.name for m in pages] == [m.model for m in reversed(made)]
    got = client.get_model(name=made[0].model)
    assert got.supported_deployment_resources_types == [v1.Model.DeploymentResourcesType.DEDICATED_RESOURCES]


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_errors_carry_their_details_over_both_transports(v1, transport):
    """Code, message and google.rpc details alike."""
    client = v1.JobServiceClient(client_options={"api_endpoint": HOST}, transport=transport)
    with pytest.raises(exceptions.NotFound, match="customJobs/none"):
        client.get_custom_job(name=f"{WHERE}/customJobs/none")
    with pytest.raises(exceptions.BadRequest, match="displayName") as refused:
        client.create_custom_job(parent=WHERE, custom_job={"job_spec": {"worker_pool_specs": [{}]}})
    if transport == "grpc":
        details = refused.value.details[0]
        assert isinstance(details, error_details_pb2.BadRequest)
        assert details.field_violations[0].field == "customJob.displayName"
    else:
        assert refused.value.details[0]["fieldViolations"][0]["field"] == "customJob.displayName"


def test_what_one_transport_made_the_other_one_sees_in_another_version(vertex_environment):
    """v1 over gRPC, v1beta1 over REST."""
    from google.cloud import aiplatform_v1, aiplatform_v1beta1

    grpc = aiplatform_v1.EndpointServiceClient(client_options={"api_endpoint": HOST})
    rest = aiplatform_v1beta1.EndpointServiceClient(client_options={"api_endpoint": HOST}, transport="rest")
    made = grpc.create_endpoint(parent=WHERE, endpoint={"display_name": "both"}).result()
    assert rest.get_endpoint(name=made.name).display_name == "both"


def test_the_asynchronous_client_works(v1):
    """Many calls at once on one channel."""

    async def calls() -> list[str]:
        client = v1.ModelServiceAsyncClient(client_options={"api_endpoint": HOST})
        operations = await asyncio.gather(*(client.upload_model(parent=WHERE, model=MODEL) for _ in range(8)))
        results = await asyncio.gather(*(operation.result() for operation in operations))
        found = await asyncio.gather(*(client.get_model(name=each.model) for each in results))
        return [model.display_name for model in found]

    assert asyncio.run(calls()) == ["m"] * 8


def test_an_insecure_grpc_channel_straight_to_the_port_works(local_vertex, monkeypatch):
    """One explicit setting, no proxy and no certificate."""
    import grpc
    from google.cloud.aiplatform_v1.services.model_service import ModelServiceClient
    from google.cloud.aiplatform_v1.services.model_service.transports import ModelServiceGrpcTransport

    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with grpc.insecure_channel(f"127.0.0.1:{local_vertex.port}") as channel:
        client = ModelServiceClient(transport=ModelServiceGrpcTransport(channel=channel))
        made = client.upload_model(parent=WHERE, model=MODEL).result()
        assert client.get_model(name=made.model).name == made.model


def test_google_auth_finds_its_credentials_and_project(vertex_environment):
    """From the metadata server, though a developer may be logged in."""
    import google.auth
    from google.auth.transport.requests import Request

    credentials, project = google.auth.default()
    credentials.refresh(Request())
    assert project == "tuneline-local"
    assert credentials.token == "tuneline-local-token"


def test_resource_manager_knows_every_project_by_id_and_number(vertex_environment):
    """The same project, whichever is asked."""
    from google.cloud import resourcemanager_v3

    client = resourcemanager_v3.ProjectsClient()
    by_id = client.get_project(name="projects/proj-wire")
    assert by_id.project_id == "proj-wire"
    assert client.get_project(name=by_id.name).project_id == "proj-wire"


def test_google_genai_works_asynchronously(vertex_environment):
    """Several prompts at once, a stream, tokens and a list, on one event loop."""
    from google import genai

    async def calls() -> tuple[list[str], str, int, list[str]]:
        client = genai.Client(vertexai=True, project="proj-wire", location="us-central1").aio
        config = {"max_output_tokens": 4}
        model = "gemini-2.5-flash"
        answers = await asyncio.gather(
            *(client.models.generate_content(model=model, contents=str(word), config=config) for word in range(4))
        )
        streamed = ""
        async for part in await client.models.generate_content_stream(model=model, contents="one", config=config):
            streamed += part.text or ""
        counted = await client.models.count_tokens(model=model, contents="one")
        jobs = [job.name async for job in await client.tunings.list()]
        return [answer.model_version for answer in answers], streamed, counted.total_tokens, jobs

    versions, streamed, tokens, jobs = asyncio.run(calls())
    assert len(versions) == 4
    assert all("a stand-in" in version for version in versions)
    assert streamed
    assert tokens > 0
    assert jobs == []
