"""One promise for Cloud Storage and for files: an object is there whole or not at all, and one creator wins."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tuneline import errors, objects

HELLO_CRC32C = "yZRlqg=="  # of b"hello world": RFC 3720's polynomial, as `gcloud storage hash` prints it


def test_bytes_come_back_as_they_were_written(folder: str) -> None:
    uri = objects.join(folder, "a/b c/ü?#%.bin")
    written = objects.write_bytes(uri, b"hello world")
    assert objects.read_bytes(uri) == b"hello world"
    assert (written.uri, written.size, written.crc32c) == (uri, 11, HELLO_CRC32C)
    assert objects.stat(uri).crc32c == HELLO_CRC32C


def test_an_empty_object_is_an_object(folder: str) -> None:
    uri = objects.join(folder, "empty")
    assert objects.write_bytes(uri, b"").size == 0
    assert objects.read_bytes(uri) == b""
    assert objects.exists(uri)


def test_writing_again_replaces_the_whole_and_the_generation_grows(folder: str) -> None:
    uri = objects.join(folder, "x")
    first = objects.write_bytes(uri, b"a long first version")
    second = objects.write_bytes(uri, b"short")
    assert objects.read_bytes(uri) == b"short"
    assert second.generation > first.generation


def test_json_comes_back_and_stays_readable(folder: str) -> None:
    uri = objects.join(folder, "x.json")
    objects.write_json(uri, {"text": "zweiundzwanzig ✓", "n": [1, 2.5, None]})
    assert objects.read_json(uri) == {"text": "zweiundzwanzig ✓", "n": [1, 2.5, None]}
    assert "✓" in objects.read_text(uri)


def test_nan_is_refused_and_nothing_is_written(folder: str) -> None:
    uri = objects.join(folder, "nan.json")
    with pytest.raises(ValueError, match="JSON compliant"):
        objects.write_json(uri, {"loss": float("nan")})
    assert not objects.exists(uri)


def test_text_and_json_that_are_none_name_the_place(folder: str) -> None:
    uri = objects.join(folder, "x")
    objects.write_bytes(uri, b"abc\xff")
    with pytest.raises(errors.DatasetError, match="not UTF-8 at byte 3"):
        objects.read_text(uri)
    objects.write_bytes(uri, b'{"a": 1,\n "b": }')
    with pytest.raises(errors.DatasetError, match=":2:7: Expecting value"):
        objects.read_json(uri)


def test_create_makes_what_is_not_there_and_leaves_what_is(folder: str) -> None:
    uri = objects.join(folder, "ledger/1.intent")
    assert objects.create(uri, b"one").size == 3
    with pytest.raises(errors.AlreadyExists):
        objects.create(uri, b"two")
    with pytest.raises(errors.AlreadyExists):
        objects.create(uri, b"one")
    assert objects.read_bytes(uri) == b"one"


def test_of_sixteen_racing_creators_of_the_same_bytes_exactly_one_is_told_it_won(folder: str) -> None:
    uri = objects.join(folder, "race")
    gate, won, lost = threading.Barrier(16), [], []

    def create(number: int) -> None:
        gate.wait()
        try:
            objects.create(uri, b"the same bytes")
            won.append(number)
        except errors.AlreadyExists:
            lost.append(number)

    threads = [threading.Thread(target=create, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 15)


def test_age_is_told_by_the_store_alone(folder: str) -> None:
    uri = objects.join(folder, "x")
    objects.write_bytes(uri, b"x")
    found = objects.stat(uri)
    assert found.created.tzinfo is UTC
    assert timedelta(seconds=-2) < found.server_time - found.created < timedelta(seconds=5)
    assert abs(datetime.now(UTC) - found.server_time) < timedelta(seconds=5)


def test_what_is_not_there_is_not_found_by_every_function(folder: str, tmp_path: Path) -> None:
    uri = objects.join(folder, "nothing")
    assert not objects.exists(uri)
    for act in (objects.read_bytes, objects.stat, objects.delete, objects.open_read):
        with pytest.raises(errors.NotFound, match="nothing"):
            act(uri)
    with pytest.raises(errors.NotFound):
        objects.copy(uri, objects.join(folder, "y"))
    with pytest.raises(errors.NotFound):
        objects.download_file(uri, tmp_path / "y")
    assert not (tmp_path / "y").exists()


def test_a_listing_is_by_prefix_deep_and_in_order(folder: str) -> None:
    names = ["a/1", "a/2/3", "ab", "b"]
    for name in reversed(names):
        objects.write_bytes(objects.join(folder, name), name.encode())
    assert [o.uri for o in objects.list(objects.join(folder, "a"))] == [objects.join(folder, n) for n in names[:3]]
    assert [o.uri for o in objects.list(objects.join(folder, "a/"))] == [objects.join(folder, n) for n in names[:2]]
    assert [o.size for o in objects.list(objects.join(folder, "a/"))] == [3, 5]
    assert list(objects.list(objects.join(folder, "c/"))) == []


def test_a_listed_uri_can_be_read(folder: str) -> None:
    objects.write_bytes(objects.join(folder, "p/x y"), b"1")
    assert [objects.read_bytes(o.uri) for o in objects.list(objects.join(folder, "p/"))] == [b"1"]


def test_a_deleted_object_is_gone(folder: str) -> None:
    uri = objects.join(folder, "x")
    objects.write_bytes(uri, b"x")
    objects.delete(uri)
    assert not objects.exists(uri)


def test_a_copy_holds_the_same_bytes(folder: str) -> None:
    source, target = objects.join(folder, "x"), objects.join(folder, "deep/y")
    objects.write_bytes(source, b"hello world")
    assert objects.copy(source, target).crc32c == HELLO_CRC32C
    assert objects.read_bytes(target) == b"hello world"


@pytest.mark.parametrize("size", [1000, (8 << 20) + 12345], ids=["small", "large"])
def test_a_file_goes_up_and_comes_down_unchanged(folder: str, tmp_path: Path, size: int) -> None:
    source, back = tmp_path / "source.bin", tmp_path / "back.bin"
    source.write_bytes(bytes(range(256)) * (size // 256 + 1))
    uri = objects.join(folder, "weights.safetensors")
    assert objects.upload_file(source, uri).size == source.stat().st_size
    objects.download_file(uri, back)
    assert back.read_bytes() == source.read_bytes()
    objects.copy(uri, str(tmp_path / "again.bin"))
    assert (tmp_path / "again.bin").read_bytes() == source.read_bytes()


def test_a_stream_gives_lines_without_reading_all(folder: str) -> None:
    uri = objects.join(folder, "lines.jsonl")
    objects.write_bytes(uri, b"".join(b'{"n": %d}\n' % n for n in range(100_000)))
    with objects.open_read(uri) as stream:
        assert next(iter(stream)) == b'{"n": 0}\n'
    with objects.open_read(uri) as stream:
        assert sum(1 for _ in stream) == 100_000


def test_joining_puts_one_slash_between_parts() -> None:
    assert objects.join("gs://b/", "/a", "", "c") == "gs://b/a/c"
    assert objects.join("run", "x.json") == "run/x.json"


@pytest.mark.parametrize(
    "uri", ["gs:/bucket/x", "s3://bucket/x", "gs://", "gs://Bad_Bucket!/x", "gs://bucket", "file://host/x", ""]
)
def test_a_uri_that_is_none_is_refused_with_the_way_to_write_one(uri: str) -> None:
    with pytest.raises(errors.UsageError, match="write gs://bucket/name or a path"):
        objects.stat(uri)


def test_what_killed_writers_left_can_be_cleared(folder: str) -> None:
    """Half-written bytes go, here and below; objects stay."""
    objects.write_bytes(f"{folder}/a/b", b"whole")
    if not objects.is_cloud(folder):
        (Path(folder) / "a" / ".tuneline-unfinished-0123").write_bytes(b"ha")
    objects.clear_unfinished(folder)
    assert [info.uri for info in objects.list(f"{folder}/")] == [f"{folder}/a/b"]
    if not objects.is_cloud(folder):
        assert [path.name for path in (Path(folder) / "a").iterdir()] == ["b"]
