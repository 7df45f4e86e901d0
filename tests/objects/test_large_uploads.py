"""A large upload that cannot be finished ends in this project's own error, within the stated time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.google.scripted import Answer, serving
from tuneline import errors, objects
from tuneline.objects import cloud


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cloud, "LARGE", 0)
    monkeypatch.setattr(cloud, "OUTAGE_S", 0.5)
    monkeypatch.delenv("TUNELINE_LOCAL_URL", raising=False)
    path = tmp_path / "weights"
    path.write_bytes(b"hello world")
    return path


def test_nobody_there_is_unavailable(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(errors.Unavailable, match="upload to gs://bucket/x"):
        objects.upload_file(large, "gs://bucket/x")


@pytest.mark.parametrize(
    ("status", "kind"), [(403, errors.NotPermitted), (404, errors.NotFound), (503, errors.Unavailable)]
)
def test_a_refusal_keeps_its_class_and_its_words(
    large: Path, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[errors.ServiceError]
) -> None:
    with serving() as held:
        held.script = [Answer(status=status, body={"error": {"code": status, "message": "Not for you."}})]
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", held.url)
        with pytest.raises(kind, match=r"Not for you|upload to gs://bucket/x"):
            objects.upload_file(large, "gs://bucket/x")


def test_a_file_that_is_not_there_is_not_found(large: Path) -> None:
    with pytest.raises(errors.NotFound):
        objects.upload_file(large.with_name("nothing"), "gs://bucket/x")
