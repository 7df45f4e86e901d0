"""Each service and location has its host, and nothing that is no location gets into a host name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tuneline import errors
from tuneline.google import hosts, runtime, settings


@pytest.fixture(autouse=True)
def _google(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "TUNELINE_LOCAL_URL",
        "STORAGE_EMULATOR_HOST",
        "TUNELINE_REGION",
        "GOOGLE_CLOUD_REGION",
        "CLOUD_ML_REGION",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("northamerica-northeast1", "https://northamerica-northeast1-aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        (None, "https://aiplatform.googleapis.com"),
    ],
)
def test_regional_multi_regional_and_global_hosts(location: str | None, host: str) -> None:
    assert hosts.base_url("aiplatform", location) == host


@pytest.mark.parametrize("location", ["evil.example/", "us-central1.evil.example#", "", "us-central1:8080"])
def test_a_location_that_is_none_is_refused_before_a_token_is_sent_to_it(location: str) -> None:
    with pytest.raises(errors.UsageError):
        hosts.base_url("aiplatform", location)


def test_a_setting_sends_everything_to_the_local_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNELINE_LOCAL_URL", "http://127.0.0.1:8123/")
    for service in ("aiplatform", "storage", "generativelanguage", "cloudresourcemanager"):
        assert hosts.base_url(service, "us-central1") == "http://127.0.0.1:8123"


def test_storage_alone_can_be_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:9000")
    assert hosts.base_url("storage") == "http://127.0.0.1:9000"
    assert hosts.base_url("generativelanguage") == "https://generativelanguage.googleapis.com"
    assert not settings.is_local()


def test_the_location_is_read_out_of_a_name() -> None:
    assert hosts.location_of("/v1/projects/p/locations/europe-west4/customJobs/1:cancel") == "europe-west4"
    assert hosts.location_of("/v1/projects/p") is None


def test_the_region_of_the_run_is_the_first_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_ML_REGION", "europe-west4")
    assert runtime.region() == "europe-west4"
    monkeypatch.setenv("TUNELINE_REGION", "us-west1")
    assert runtime.region() == "us-west1"


def test_an_unknown_region_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNELINE_LOCAL_URL", "http://127.0.0.1:9")
    with pytest.raises(errors.UsageError, match="give `location`"):
        runtime.region()


def test_importing_the_room_imports_no_client_library() -> None:
    code = (
        "import sys, tuneline.google.rest, tuneline.google.runtime, tuneline.objects;"
        "print([m for m in ('requests', 'google.auth', 'google.cloud.storage', 'google_crc32c') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
