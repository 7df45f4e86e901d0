"""A dataset in Cloud Storage is checked, converted, split and corrected like a file of this machine."""

from __future__ import annotations

import gzip
import uuid
from pathlib import Path

import pytest

from tests.datasets import data
from tuneline import datasets, objects
from tuneline.errors import DatasetError, UsageError
from tuneline.google import rest


@pytest.fixture
def bucket(storage_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh bucket of the local service."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_url)
    monkeypatch.delenv("TUNELINE_LOCAL_URL", raising=False)
    name = f"test-{uuid.uuid4().hex}"
    rest.call("POST", "storage", "/storage/v1/b", params={"project": "tuneline-local"}, body={"name": name})
    return f"gs://{name}"


def test_an_object_gives_the_report_of_the_file(bucket: str, tmp_path: Path) -> None:
    """Report, examples and format are those of the same bytes on disk; the checksum is the one the store keeps."""
    values = [data.gemini(n) for n in range(300)]
    values[7] = values[8]
    path = data.write(tmp_path, values)
    uri = f"{bucket}/sets/train.jsonl"
    stored = objects.upload_file(path, uri)
    here, there = datasets.check(path).to_dict(), datasets.check(uri).to_dict()
    assert here == there
    assert there["crc32c"] == stored.crc32c
    assert list(datasets.read_examples(uri)) == list(datasets.read_examples(path))
    packed = f"{bucket}/train.jsonl.gz"
    objects.write_bytes(packed, gzip.compress(Path(path).read_bytes()))
    report = datasets.check(packed, against=uri)
    assert (report.examples, report.leakage["examples"]) == (300, 300)


def test_new_sets_are_written_to_objects(bucket: str, tmp_path: Path) -> None:
    """Conversion, correction and split take gs:// for what they write."""
    uri = f"{bucket}/chat.jsonl"
    objects.upload_file(data.write(tmp_path, [data.palm_chat(n) for n in range(60)]), uri)
    datasets.convert(uri, "gemini", f"{bucket}/gemini.jsonl")
    datasets.fix(f"{bucket}/gemini.jsonl", f"{bucket}/fixed.jsonl")
    done = datasets.split(f"{bucket}/fixed.jsonl", "10", f"{bucket}/parts")
    assert datasets.check(done.train_uri, against=done.evaluation_uri).leakage["examples"] == 0
    assert len(list(datasets.read_examples(done.evaluation_uri))) == 10
    with pytest.raises(UsageError, match="itself"):
        datasets.convert(uri, "gemini", uri)


def test_a_missing_object_is_named(bucket: str) -> None:
    """What is not there is an error of the dataset, with the address."""
    with pytest.raises(DatasetError, match="no such object"):
        datasets.check(f"{bucket}/none.jsonl")
