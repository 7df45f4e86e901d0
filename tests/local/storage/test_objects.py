"""The official client finds every operation on objects as Cloud Storage has it."""

from __future__ import annotations

import base64
import datetime
import gzip
import hashlib
from concurrent.futures import ThreadPoolExecutor

import google_crc32c
import pytest
import requests
from google.api_core import exceptions
from google.cloud import storage as gcs


def test_an_object_comes_back_as_it_was_written(bucket: gcs.Bucket) -> None:
    """Content, type, custom metadata, size and checksums are those that were sent."""
    blob = bucket.blob("a/b c é#?%2F.txt")
    blob.metadata = {"colour": "grün"}
    blob.cache_control = "no-store"
    blob.upload_from_string(b"hello", content_type="text/x-test")
    read = bucket.get_blob(blob.name)
    assert read.download_as_bytes() == b"hello"
    assert (read.content_type, read.metadata, read.cache_control, read.size) == (
        "text/x-test",
        {"colour": "grün"},
        "no-store",
        5,
    )
    assert read.md5_hash == base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    assert read.crc32c == base64.b64encode(google_crc32c.Checksum(b"hello").digest()).decode()
    assert read.metageneration == 1
    assert read.storage_class == "STANDARD"
    assert read.etag


def test_an_empty_object_is_an_object(bucket: gcs.Bucket) -> None:
    """Zero bytes are stored, listed and read."""
    bucket.blob("empty").upload_from_string(b"")
    assert bucket.get_blob("empty").size == 0
    assert bucket.blob("empty").download_as_bytes() == b""


def test_what_is_not_there_is_not_found(client: gcs.Client, bucket: gcs.Bucket) -> None:
    """Reads, deletes and writes of what does not exist give 404."""
    assert bucket.get_blob("nothing") is None
    assert not bucket.blob("nothing").exists()
    assert not client.bucket("no-such-bucket-here").exists()
    for call in (
        bucket.blob("nothing").download_as_bytes,
        bucket.blob("nothing").delete,
        bucket.blob("nothing").reload,
    ):
        with pytest.raises(exceptions.NotFound):
            call()
    with pytest.raises(exceptions.NotFound):
        client.bucket("no-such-bucket-here").blob("x").upload_from_string("x")


def test_times_are_the_servers_and_each_answer_is_dated(http, bucket: gcs.Bucket) -> None:
    """`timeCreated` lies within a second of the `Date` header of the answer that tells it; generations rise."""
    answer = http("POST", f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=dated", data=b"x")
    dates = [value for key, value in answer.raw.headers.items() if key.lower() == "date"]
    assert len(dates) == 1
    date = datetime.datetime.strptime(dates[0], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.UTC)
    created = datetime.datetime.fromisoformat(answer.json()["timeCreated"])
    assert abs((created - date).total_seconds()) <= 2
    again = http("POST", f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=dated", data=b"y")
    assert int(again.json()["generation"]) > int(answer.json()["generation"])


@pytest.mark.parametrize("kind", ["crc32c", "md5"])
def test_a_body_with_a_wrong_checksum_is_refused(http, bucket: gcs.Bucket, kind: str) -> None:
    """A checksum that does not fit gives 400, and nothing is stored; one that fits passes."""
    right = {
        "crc32c": base64.b64encode(google_crc32c.Checksum(b"data").digest()).decode(),
        "md5": base64.b64encode(hashlib.md5(b"data").digest()).decode(),
    }[kind]
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=sum-{kind}"
    refused = http("POST", path, data=b"dat4", headers={"x-goog-hash": f"{kind}={right}"})
    assert refused.status_code == 400
    assert refused.json()["error"]["errors"][0]["reason"] == "invalid"
    assert bucket.get_blob(f"sum-{kind}") is None
    assert http("POST", path, data=b"data", headers={"x-goog-hash": f"{kind}={right}"}).status_code == 200


def test_of_sixteen_racing_writers_one_creates(bucket: gcs.Bucket) -> None:
    """With ifGenerationMatch=0 one of sixteen wins, fifteen are told 412, and the object is the winner's."""

    def create(number: int) -> int | None:
        try:
            bucket.blob("lock").upload_from_string(str(number), if_generation_match=0)
        except exceptions.PreconditionFailed:
            return None
        return number

    for _ in range(5):
        with ThreadPoolExecutor(16) as pool:
            won = [number for number in pool.map(create, range(16)) if number is not None]
        assert len(won) == 1
        assert bucket.blob("lock").download_as_bytes() == str(won[0]).encode()
        bucket.blob("lock").delete()


def test_a_counter_guarded_by_generations_loses_no_step(bucket: gcs.Bucket) -> None:
    """Read, add one, write if unchanged: eight racing writers make exactly as many steps as they were granted."""
    bucket.blob("counter").upload_from_string("0")

    def step(_: int) -> None:
        while True:
            blob = bucket.get_blob("counter")
            try:
                value = int(blob.download_as_bytes(if_generation_match=blob.generation))
                bucket.blob("counter").upload_from_string(str(value + 1), if_generation_match=blob.generation)
            except (exceptions.PreconditionFailed, exceptions.NotFound):
                continue
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(step, range(24)))
    assert bucket.blob("counter").download_as_bytes() == b"24"


def test_preconditions_hold_for_reads_changes_and_deletes(bucket: gcs.Bucket) -> None:
    """412 where generation or metageneration is another; 304 where the reader has what is there."""
    blob = bucket.blob("guarded")
    blob.upload_from_string("one")
    stale = blob.generation
    blob.upload_from_string("two")
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("guarded").download_as_bytes(if_generation_match=stale)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("guarded").delete(if_generation_match=stale)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.patch(if_metageneration_match=7)
    with pytest.raises(exceptions.NotModified):
        bucket.blob("guarded").reload(if_generation_not_match=blob.generation)
    with pytest.raises(exceptions.NotModified):
        bucket.blob("guarded").reload(if_etag_not_match=blob.etag)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("guarded").reload(if_etag_match="another")
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("new").upload_from_string("x", if_generation_match=1)
    blob.delete(if_generation_match=blob.generation, if_metageneration_match=1)
    assert not blob.exists()


def test_metadata_is_merged_by_patch_and_replaced_by_update(bucket: gcs.Bucket) -> None:
    """PATCH keeps what it does not name and removes what is null; PUT leaves only what it says."""
    blob = bucket.blob("described")
    blob.metadata = {"a": "1", "b": "2"}
    blob.content_language = "de"
    blob.upload_from_string("x", content_type="text/plain")
    generation = blob.generation
    blob.metadata = {"a": None, "c": "3"}
    blob.patch()
    read = bucket.get_blob("described")
    assert (read.metadata, read.content_language, read.metageneration) == ({"b": "2", "c": "3"}, "de", 2)
    read.metadata = {"d": "4"}
    read.content_language = None
    read.update()
    read = bucket.get_blob("described")
    assert (read.metadata, read.content_language, read.metageneration) == ({"d": "4"}, None, 3)
    assert read.generation == generation
    assert read.download_as_bytes() == b"x"


def test_copies_and_rewrites_are_objects_of_their_own(client: gcs.Client, bucket: gcs.Bucket) -> None:
    """A copy keeps content, type and metadata, and lives on when its source is gone."""
    other = client.create_bucket(f"{bucket.name}-b", location="europe-west4")
    blob = bucket.blob("source")
    blob.metadata = {"k": "v"}
    blob.upload_from_string(b"content" * 1000, content_type="text/plain")
    copy = bucket.copy_blob(blob, other, "copied")
    target = other.blob("rewritten")
    token, written, total = target.rewrite(blob)
    assert (token, written, total) == (None, 7000, 7000)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.copy_blob(blob, other, "copied", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.copy_blob(blob, other, "fresh", if_source_generation_match=1)
    blob.delete()
    for name in ("copied", "rewritten"):
        read = other.get_blob(name)
        assert read.download_as_bytes() == b"content" * 1000
        assert (read.content_type, read.metadata, read.md5_hash) == ("text/plain", {"k": "v"}, copy.md5_hash)
    target.update_storage_class("NEARLINE")
    assert other.get_blob("rewritten").storage_class == "NEARLINE"
    assert other.get_blob("rewritten").metadata == {"k": "v"}


def test_a_move_changes_the_name_alone(bucket: gcs.Bucket) -> None:
    """The object is at its new name with content and metadata, and no longer at the old one."""
    blob = bucket.blob("old")
    blob.metadata = {"k": "v"}
    blob.upload_from_string("moved")
    moved = bucket.move_blob(blob, "new/name")
    assert moved.download_as_bytes() == b"moved"
    assert bucket.get_blob("new/name").metadata == {"k": "v"}
    assert bucket.get_blob("old") is None
    bucket.blob("third").upload_from_string("x")
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.move_blob(moved, "third", if_generation_match=0)
    assert bucket.blob("new/name").download_as_bytes() == b"moved"


def test_compose_joins_objects_in_order(bucket: gcs.Bucket) -> None:
    """The result has the joined content, a crc32c and a component count, and no md5."""
    parts = []
    for number in range(5):
        part = bucket.blob(f"part-{number}")
        part.upload_from_string(bytes([65 + number]) * 300_000)
        parts.append(part)
    whole = bucket.blob("whole")
    whole.content_type = "text/plain"
    whole.compose(parts)
    expected = b"".join(bytes([65 + number]) * 300_000 for number in range(5))
    assert whole.download_as_bytes() == expected
    assert (whole.component_count, whole.md5_hash, whole.content_type) == (5, None, "text/plain")
    whole.compose([whole, parts[0]])
    assert (whole.size, whole.component_count) == (1_800_000, 6)
    with pytest.raises(exceptions.NotFound):
        whole.compose([parts[0], bucket.blob("nothing")])
    with pytest.raises(exceptions.PreconditionFailed):
        whole.compose(parts, if_source_generation_match=[1, None, None, None, None])
    with pytest.raises(exceptions.BadRequest):
        whole.compose([parts[0]] * 33)


def test_versions_are_kept_where_the_bucket_says_so(bucket: gcs.Bucket) -> None:
    """Overwritten and deleted objects stay as noncurrent generations, readable until they are deleted by number."""
    bucket.versioning_enabled = True
    bucket.patch()
    generations = []
    for text in ("one", "two", "three"):
        blob = bucket.blob("kept")
        blob.upload_from_string(text)
        generations.append(blob.generation)
    bucket.blob("kept").delete()
    assert bucket.get_blob("kept") is None
    versions = list(bucket.list_blobs(versions=True))
    assert [blob.generation for blob in versions] == generations
    assert all(blob.time_deleted for blob in versions)
    assert bucket.blob("kept", generation=generations[1]).download_as_bytes() == b"two"
    bucket.copy_blob(bucket.blob("kept"), bucket, "kept", source_generation=generations[0])
    assert bucket.blob("kept").download_as_bytes() == b"one"
    bucket.blob("kept", generation=generations[1]).delete()
    assert len(list(bucket.list_blobs(versions=True))) == 3
    assert len(list(bucket.list_blobs())) == 1


def test_gzip_is_undone_for_those_who_do_not_take_it(http, bucket: gcs.Bucket) -> None:
    """Stored with contentEncoding gzip: packed to clients that take it, unpacked to others; never with no-transform."""
    plain = b"the same line again\n" * 200_000
    blob = bucket.blob("packed")
    blob.content_encoding = "gzip"
    blob.upload_from_string(gzip.compress(plain), content_type="text/plain")
    path = f"/storage/v1/b/{bucket.name}/o/packed?alt=media"
    taken = http("GET", path, headers={"Accept-Encoding": "gzip"}, stream=True)
    assert taken.headers["content-encoding"] == "gzip"
    assert gzip.decompress(taken.raw.read(decode_content=False)) == plain
    undone = http("GET", path, headers={"Accept-Encoding": "identity"})
    assert undone.content == plain
    assert "content-encoding" not in undone.headers
    assert http("GET", path, headers={"Accept-Encoding": "identity", "Range": "bytes=0-9"}).status_code == 200
    assert bucket.blob("packed").download_as_bytes() == plain
    assert bucket.blob("packed").download_as_bytes(raw_download=True) != plain
    blob.cache_control = "no-transform"
    blob.patch()
    assert gzip.decompress(http("GET", path, headers={"Accept-Encoding": "identity"}, stream=True).raw.read()) == plain


def test_an_object_under_hold_stays(bucket: gcs.Bucket) -> None:
    """A temporary hold refuses deletes and overwrites until it is lifted."""
    blob = bucket.blob("held")
    blob.upload_from_string("x")
    blob.temporary_hold = True
    blob.patch()
    with pytest.raises(exceptions.Forbidden):
        blob.delete()
    with pytest.raises(exceptions.Forbidden):
        bucket.blob("held").upload_from_string("y")
    blob.temporary_hold = False
    blob.patch()
    blob.delete()


def test_a_reader_is_not_disturbed_by_an_overwrite(http, bucket: gcs.Bucket) -> None:
    """Who began to read an object reads that object to its end, though it is replaced and deleted meanwhile."""
    content = bytes(range(256)) * 40_000
    bucket.blob("read").upload_from_string(content)
    answer: requests.Response = http("GET", f"/storage/v1/b/{bucket.name}/o/read?alt=media", stream=True)
    pieces = answer.iter_content(64 * 1024)
    first = next(pieces)
    bucket.blob("read").upload_from_string("replaced")
    bucket.blob("read").delete()
    assert first + b"".join(pieces) == content


def test_file_like_reading_and_writing_works(bucket: gcs.Bucket) -> None:
    """`blob.open` streams in chunks both ways."""
    with bucket.blob("lines").open("w", chunk_size=256 * 1024) as out:
        out.writelines(f"line {number}\n" for number in range(100_000))
    with bucket.blob("lines").open("r", chunk_size=300_000) as lines:
        assert sum(1 for _ in lines) == 100_000


def test_headers_beyond_ascii_keep_their_letters(http, bucket: gcs.Bucket) -> None:
    """Custom metadata given as UTF-8 in a header is the same text in JSON and in the answer's header."""
    http("PUT", f"/{bucket.name}/letters", data=b"x", headers={"x-goog-meta-colour": "grün".encode()})
    assert bucket.get_blob("letters").metadata == {"colour": "grün"}
    answer = http("GET", f"/{bucket.name}/letters")
    assert answer.headers["x-goog-meta-colour"].encode("latin-1").decode() == "grün"
