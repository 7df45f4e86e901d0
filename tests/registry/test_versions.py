"""A checkpoint becomes one version of its model, whatever happens to the call: the service takes no id for it."""

import threading

import pytest

from tests.registry.test_models import PLACE, request_for
from tuneline import errors, jobs, registry
from tuneline.google import rest
from tuneline.jobs.protocol import refused
from tuneline.registry.versions import ModelVersions

STAGING = "gs://tuneline-local"


@pytest.fixture
def parent(vertex_environment, request) -> str:
    """A model of the test's own, with one version."""
    return registry.upload(request_for(request.node.name.replace("_", "-")[:60])).name


def next_version(parent: str, checkpoint: str = "step-000080", **more) -> registry.Model:
    wanted = request_for("next", artifact_uri=f"gs://tuneline-local/next/{checkpoint}")
    return registry.upload_version(wanted, parent, staging=STAGING, **more)


def numbers(parent: str) -> list[str]:
    """The versions that the model has."""
    return sorted(each["versionId"] for each in rest.paged("aiplatform", f"/v1/{parent}:listVersions", "models"))


def test_the_next_version_is_made_once_and_is_not_the_default(parent):
    """The same upload again is the same version; another checkpoint is another."""
    second = next_version(parent)
    assert (second.version, second.name, second.adopted) == ("2", parent, False)
    assert second.artifact_uri.endswith("step-000080")
    again = next_version(parent)
    assert (again.version, again.adopted) == ("2", True)
    assert next_version(parent, "step-000120").version == "3"
    assert registry.get(parent).version == "1"
    assert numbers(parent) == ["1", "2", "3"]


def test_an_answer_lost_after_the_effect_makes_no_second_version(parent, vertex_environment):
    """It is found by its label, and adopted."""
    vertex_environment.fault("UploadModel", drop="after")
    assert next_version(parent).version == "2"
    assert numbers(parent) == ["1", "2"]


def test_racing_uploads_end_with_one_version(parent, vertex_environment):
    """Six at once send one call."""
    before = len(vertex_environment.calls("UploadModel"))
    made = []
    threads = [threading.Thread(target=lambda: made.append(next_version(parent).version)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["2"] * 6
    assert len(vertex_environment.calls("UploadModel")) - before == 1
    assert numbers(parent) == ["1", "2"]


def test_a_version_that_was_deleted_is_uploaded_again(parent, monkeypatch):
    """What is gone stands for nothing."""
    monkeypatch.setenv("TUNELINE_LOOKUP_WINDOW_S", "0.5")
    second = next_version(parent)
    rest.call("DELETE", "aiplatform", f"/v1/{parent}@{second.version}:deleteVersion")
    again = next_version(parent)
    assert not again.adopted
    assert again.artifact_uri == second.artifact_uri
    assert len(numbers(parent)) == 2


def test_a_refusal_is_the_services_own_words(vertex_environment):
    """There is no such model to be a version of."""
    with pytest.raises(errors.NotFound, match="models/none"):
        next_version(f"projects/{PLACE['project']}/locations/{PLACE['location']}/models/none")


@pytest.mark.parametrize(
    ("raised", "definite"),
    [
        (errors.NotFound("no such operation", status=404), False),
        (errors.NotPermitted("the operation may not be read", status=403), False),
        (errors.StillRunning("not done"), False),
        (errors.Unavailable("the upload broke off"), False),
        (errors.InvalidArgument("the image cannot be read"), True),
        (errors.QuotaExceeded("no more models"), True),
    ],
)
def test_only_the_uploads_own_error_is_a_refusal(parent, monkeypatch, raised, definite):
    """A look at the operation that fails leaves open whether there is a version; no local operation lasts so long."""

    def fails(*args, **named):
        raise raised

    monkeypatch.setattr("tuneline.registry.operations.wait", fails)
    wanted = jobs.Request(
        **PLACE, display_name="next", body={"parentModel": parent, "model": {}}, staging=STAGING, labels={}
    )
    claim = jobs.Claim(fingerprint="f", attempt=1, nonce="n", judge_uri="", output_uri="")
    monkeypatch.setattr("tuneline.google.rest.call", lambda *args, **named: {"name": "operations/1"})
    with pytest.raises(errors.ServiceError) as caught:
        ModelVersions(parent).create(wanted, claim, timeout_s=1)
    assert refused(caught.value) is definite
