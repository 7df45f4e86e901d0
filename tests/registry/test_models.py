"""A checkpoint becomes one model, whatever happens to the call; and the older SDK's label finds it."""

import dataclasses
import subprocess
import sys
import threading

import pytest

from tuneline import errors, registry

PLACE = {"project": "tuneline-local", "location": "us-central1"}


def request_for(name: str, **changes) -> registry.Upload:
    """An upload of a test's own."""
    return registry.Upload(
        **PLACE,
        **{
            "display_name": name,
            "artifact_uri": f"gs://tuneline-local/{name}/checkpoints/step-000040",
            "serving_image": "example/serving-python:1",
            "base_model": "builtin:tiny",
            "base_label": "code-bison-002",
            "labels": {"team": "ml"},
            **changes,
        },
    )


def test_what_is_uploaded_is_what_was_asked(vertex_environment):
    key = "projects/tuneline-local/locations/us-central1/keyRings/r/cryptoKeys/k"
    model = registry.upload(request_for("whole", encryption_key=key, description="why"))
    raw = registry.get(model.name).raw
    assert model.name.startswith("projects/tuneline-local/locations/us-central1/models/tuned-")
    assert (raw["displayName"], raw["description"]) == ("whole", "why")
    assert raw["artifactUri"] == "gs://tuneline-local/whole/checkpoints/step-000040"
    assert raw["labels"] == {"team": "ml", "google-vertex-llm-tuning-base-model-id": "code-bison-002"}
    assert raw["encryptionSpec"] == {"kmsKeyName": key}
    assert raw["containerSpec"]["imageUri"] == "example/serving-python:1"
    assert {"name": "TUNELINE_BASE_MODEL", "value": "builtin:tiny"} in raw["containerSpec"]["env"]
    assert model.uri == f"https://us-central1-aiplatform.googleapis.com/v1/{model.name}"
    assert not model.adopted


def test_the_same_upload_again_is_the_same_model(vertex_environment):
    first = registry.upload(request_for("again"))
    second = registry.upload(request_for("again"))
    assert (second.name, second.adopted) == (first.name, True)
    assert len(listed(display_name="again")) == 1


def test_another_checkpoint_name_key_or_image_is_another_model():
    base = request_for("one")
    others = [
        dataclasses.replace(base, artifact_uri="gs://tuneline-local/other"),
        dataclasses.replace(base, display_name="two"),
        dataclasses.replace(base, encryption_key="projects/p/locations/l/keyRings/r/cryptoKeys/k"),
        dataclasses.replace(base, serving_image="example/serving-python:2"),
        dataclasses.replace(base, location="europe-west4"),
    ]
    assert len({registry.model_id(each) for each in (base, *others)}) == 6
    assert registry.model_id(dataclasses.replace(base, labels={})) == registry.model_id(base)


def test_an_answer_lost_after_the_effect_makes_no_second_model(vertex_environment):
    """The service has uploaded; the client never heard of it, and tries again."""
    vertex_environment.fault("UploadModel", drop="after", times=1)
    model = registry.upload(request_for("lost-answer"))
    assert model.adopted
    assert len(listed(display_name="lost-answer")) == 1


def test_a_service_that_is_away_for_a_moment_is_waited_for(vertex_environment):
    vertex_environment.fault("UploadModel", status=503, times=2)
    assert registry.upload(request_for("patience")).display_name == "patience"


def test_racing_uploads_end_with_one_model(vertex_environment):
    names = []
    threads = [
        threading.Thread(target=lambda: names.append(registry.upload(request_for("race")).name)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 6
    assert len(set(names)) == 1
    assert len(listed(display_name="race")) == 1


def test_a_refusal_is_the_services_own_words(vertex_environment):
    with pytest.raises(errors.InvalidArgument, match=r"no folder of Cloud Storage"):
        registry.upload(request_for("refused", artifact_uri="/on/this/machine"))
    with pytest.raises(errors.NotFound):
        registry.get("projects/tuneline-local/locations/us-central1/models/none")


def test_tuned_models_are_listed_by_their_base(vertex_environment):
    chat = registry.upload(request_for("chat", base_label="chat-bison-002"))
    assert [model.name for model in registry.list_tuned(**PLACE, base_label="chat-bison-002")] == [chat.name]
    every = {model.name for model in registry.list_tuned(**PLACE)}
    assert chat.name in every
    assert not list(registry.list_tuned(**PLACE, base_label="nothing"))


SDK = """
import sys
import google.cloud.aiplatform as sdk

wanted = f'labels.google-vertex-llm-tuning-base-model-id="{sys.argv[1]}"'
for model in sdk.Model.list(filter=wanted, project=sys.argv[2], location=sys.argv[3]):
    print(model.resource_name)
"""


def test_the_older_sdk_finds_the_model_by_its_label(vertex_environment):
    """The filter that `list_tuned_model_names` sends, through Google's own client in a process of its own.

    Its credentials read the environment when they are imported, which another test may have done before.
    """
    model = registry.upload(request_for("sdk", base_label="text-bison-002"))
    asked = [sys.executable, "-c", SDK, "text-bison-002", PLACE["project"], PLACE["location"]]
    found = subprocess.run(asked, env=vertex_environment.environment(), check=True, capture_output=True, text=True)
    assert found.stdout.split() == [model.name]


def listed(*, display_name: str) -> list[registry.Model]:
    return [model for model in registry.list_tuned(**PLACE) if model.display_name == display_name]
