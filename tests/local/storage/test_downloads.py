"""Ranges and conditions, judged by plain Python."""

from __future__ import annotations

import pytest
from google.api_core import exceptions
from google.cloud import storage as gcs
from hypothesis import given
from hypothesis import strategies as st

from tuneline.local.storage.conditions import Conditions
from tuneline.local.storage.downloads import _span
from tuneline.local.storage.errors import NotModified, Refusal

CONTENT = bytes(range(256)) * 2


def slice_of(header: tuple[int | None, int | None], content: bytes) -> bytes | None:
    """What RFC 9110 says a range of `content` is; None where there is nothing to give."""
    first, last = header
    if first is None:
        assert last is not None
        return content[-last:] if last and content else None
    return content[first : len(content) if last is None else last + 1] or None


@given(size=st.integers(0, 512), first=st.none() | st.integers(0, 600), last=st.none() | st.integers(0, 600))
def test_a_range_is_a_slice(size: int, first: int | None, last: int | None) -> None:
    """Every `bytes=first-last` is the slice of Python that it describes, or 416 where that is empty."""
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    content = CONTENT[:size]
    if (first is None and last is None) or (first is not None and last is not None and first > last):
        assert _span(header, size) == (0, size, 200)
        return
    expected = slice_of((first, last), content)
    if expected is None:
        with pytest.raises(Refusal) as refused:
            _span(header, size)
        assert refused.value.status == 416
        return
    start, length, status = _span(header, size)
    assert (content[start : start + length], status) == (expected, 206)


@pytest.mark.parametrize("header", ["", "bytes=a-b", "lines=1-2", "bytes=1-2,4-5", "bytes=-"])
def test_what_is_no_single_range_is_ignored(header: str) -> None:
    """The whole is given, as RFC 9110 has it."""
    assert _span(header, 10) == (0, 10, 200)


def test_ranges_through_the_official_client(bucket: gcs.Bucket) -> None:
    """First bytes, middle, last, beyond the end, and 416."""
    data = bytes(range(256)) * 1000
    blob = bucket.blob("ranges")
    blob.upload_from_string(data)
    assert blob.download_as_bytes(start=0, end=9) == data[:10]
    assert blob.download_as_bytes(start=100_000, end=199_999) == data[100_000:200_000]
    assert blob.download_as_bytes(start=255_990) == data[255_990:]
    assert blob.download_as_bytes(start=255_990, end=10**9) == data[255_990:]
    assert blob.download_as_bytes(start=-7) == data[-7:]
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        blob.download_as_bytes(start=256_000)


def test_a_range_says_which_part_of_how_much_it_is(http, bucket: gcs.Bucket) -> None:
    """206 with Content-Range and the hashes of the whole; HEAD with the same headers and no body."""
    bucket.blob("part").upload_from_string(b"0123456789")
    answer = http("GET", f"/{bucket.name}/part", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")
    assert answer.headers["content-range"] == "bytes 2-4/10"
    assert answer.headers["x-goog-hash"].startswith("crc32c=")
    head = http("HEAD", f"/{bucket.name}/part")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "10", b"")


OBJECTS = st.none() | st.builds(
    lambda g, m: {"generation": str(g), "metageneration": str(m), "etag": f"{g}/{m}"},
    st.integers(1, 3),
    st.integers(1, 3),
)
NUMBERS = st.none() | st.integers(0, 3)


@given(current=OBJECTS, match=NUMBERS, unless=NUMBERS, meta=NUMBERS, meta_unless=NUMBERS, reading=st.booleans())
def test_conditions_are_what_they_say(current, match, unless, meta, meta_unless, reading) -> None:
    """A request passes exactly when each condition holds of the object's numbers, a missing one having generation 0."""
    generation = int(current["generation"]) if current else 0
    metageneration = int(current["metageneration"]) if current else None
    same = match in (None, generation) and meta in (None, metageneration)
    differs = (unless is None or unless != generation) and (meta_unless is None or meta_unless != metageneration)
    conditions = Conditions(
        generation=match, not_generation=unless, metageneration=meta, not_metageneration=meta_unless
    )
    if same and differs:
        conditions.check(current, reading=reading)
        return
    with pytest.raises(NotModified if reading and same else Refusal):
        conditions.check(current, reading=reading)
