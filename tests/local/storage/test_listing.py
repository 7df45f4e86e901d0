"""Lists follow the documented rules, whatever the names and however small the pages: judged by a plain model."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.cloud import storage as gcs
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tuneline.local.storage.bodies import Body
from tuneline.local.storage.conditions import Conditions
from tuneline.local.storage.index import Transaction
from tuneline.local.storage.listing import Query, page, successor
from tuneline.local.storage.store import Store, insert

NAMES = st.text(alphabet="ab/é😀\U0010ffff", min_size=1, max_size=6)
TEXTS = st.text(alphabet="ab/é😀\U0010ffff", max_size=3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("store") / "objects", project_number=lambda project: "1")
    yield made
    made.close()


@dataclass(frozen=True)
class Filled:
    bucket: str
    versions: list[tuple[str, int, bool]]
    """Name, generation, whether it is live; in order."""


def fill(store: Store, names: list[str], *, versioned: bool) -> Filled:
    """A bucket with these objects, rows only: lists read no bodies."""
    bucket = uuid.uuid4().hex
    resource = f'{{"name": "{bucket}", "versioning": {{"enabled": {str(versioned).lower()}}}}}'
    written: list[tuple[str, int, bool]] = []

    def step(tx: Transaction) -> None:
        tx.execute("INSERT INTO buckets (name, project, resource) VALUES (?, '1', ?)", bucket, resource)
        for name in names:
            body = Body(blob=uuid.uuid4().hex, size=0, crc32c="AAAAAA==", md5="")
            generation = int(insert(tx, bucket, name, {}, body, Conditions())["generation"])
            old = [(n, g, False) for n, g, _ in written if n == name]
            kept = [entry for entry in written if entry[0] != name]
            written[:] = [*kept, *(old if versioned else []), (name, generation, True)]

    store.index.submit(step).result()
    return Filled(bucket, sorted(written))


def model(filled: Filled, query: Query) -> list[str | tuple[str, int]]:
    """What the documentation says, in the most literal way: prefixes as text, items as name and generation."""
    entries: list[str | tuple[str, int]] = []
    for name, generation, live in filled.versions:
        if not (live or query.versions) or not name.startswith(query.prefix):
            continue
        if name < query.start or (query.end and name >= query.end):
            continue
        rest = name[len(query.prefix) :]
        if query.delimiter and query.delimiter in rest:
            folder = query.prefix + rest.split(query.delimiter)[0] + query.delimiter
            if folder not in entries:
                entries.append(folder)
            if not (query.trailing and name == folder):
                continue
        entries.append((name, generation))
    return entries


def walk(store: Store, query: Query) -> list[str | tuple[str, int]]:
    """All pages of the real list; each page holds as many entries as it may, and says it is the last by no token."""
    entries: list[str | tuple[str, int]] = []
    while True:
        found = page(store, query)
        told = [*found.prefixes, *((item["name"], int(item["generation"])) for item in found.items)]
        assert len(told) <= query.limit
        assert len(told) == query.limit or not found.next_token
        entries += told
        if not found.next_token:
            return entries
        query = replace(query, after=found.next_token)


def order(entry: str | tuple[str, int]) -> tuple[str, int]:
    return (entry, -1) if isinstance(entry, str) else entry


QUERIES = st.builds(
    Query,
    bucket=st.just(""),
    prefix=TEXTS,
    delimiter=st.sampled_from(["", "/", "a", "/a", "é"]),
    start=TEXTS,
    end=TEXTS,
    versions=st.booleans(),
    trailing=st.booleans(),
    limit=st.integers(1, 5),
)


@settings(max_examples=200, deadline=None)
@example(
    names=["a", "b", "aa"], versioned=False, query=Query(bucket="", delimiter="a", start="aa", trailing=True, limit=1)
)
@given(names=st.lists(NAMES, max_size=14), versioned=st.booleans(), query=QUERIES)
def test_a_list_is_what_the_rules_say(store: Store, names: list[str], versioned: bool, query: Query) -> None:
    """Prefix, delimiter, offsets, versions, trailing delimiters and pages agree with the model, nothing twice."""
    filled = fill(store, names, versioned=versioned)
    query = replace(query, bucket=filled.bucket)
    found = walk(store, query)
    assert sorted(found, key=order) == sorted(model(filled, query), key=order)
    assert len(set(found)) == len(found)


@given(prefix=st.text(min_size=1, max_size=4), name=st.text(max_size=6))
def test_the_successor_ends_exactly_what_begins_so(prefix: str, name: str) -> None:
    """Every text is below the successor and not below the prefix if and only if it begins with the prefix."""
    after = successor(prefix)
    assert (prefix <= name and (not after or name < after)) == name.startswith(prefix)


@pytest.mark.parametrize(
    ("glob", "matching"),
    [
        ("*", {"a", "b", "a]"}),
        ("**", {"a", "b", "a]", "d/a", "d/e/a", "d/e/abc", "x/abd", "x/a-d"}),
        ("**/a", {"a", "d/a", "d/e/a"}),
        ("d/*", {"d/a"}),
        ("d/**", {"d/a", "d/e/a", "d/e/abc"}),
        ("?", {"a", "b"}),
        ("x/ab[c-e]", {"x/abd"}),
        ("x/a[!b]d", {"x/a-d"}),
        ("x/a[^-]d", {"x/abd"}),
        ("{a,d/a}", {"a", "d/a"}),
        ("d/{a,e/*}", {"d/a", "d/e/a", "d/e/abc"}),
        ("d?a", set()),
        ("d[/]a", set()),
        ("a]", {"a]"}),
        (r"\a", {"a"}),
        ("a.*", set()),
    ],
)
def test_globs_match_as_documented(store: Store, glob: str, matching: set[str]) -> None:
    """`*` and `?` stop at a slash, `**` does not, sets and alternatives choose."""
    filled = fill(store, ["a", "b", "a]", "d/a", "d/e/a", "d/e/abc", "x/abd", "x/a-d"], versioned=False)
    found = page(store, Query(bucket=filled.bucket, glob=glob))
    assert {item["name"] for item in found.items} == matching


def test_an_object_replaced_between_two_pages_is_told_once(bucket: gcs.Bucket) -> None:
    """Pages go on after the last name, not after a generation."""
    for name in "abcd":
        bucket.blob(name).upload_from_string("1")
    pages = bucket.list_blobs(page_size=2).pages
    first = [blob.name for blob in next(pages)]
    bucket.blob("b").upload_from_string("2")
    assert first + [blob.name for found in pages for blob in found] == ["a", "b", "c", "d"]


def test_the_official_client_lists_folders_and_pages(bucket: gcs.Bucket) -> None:
    """`prefixes`, `page_size`, `max_results`, offsets and globs through the client."""
    for name in ("a.txt", "logs/1/x", "logs/1/y", "logs/2/x", "logs/", "z"):
        bucket.blob(name).upload_from_string("x")
    listed = bucket.list_blobs(delimiter="/")
    assert [blob.name for blob in listed] == ["a.txt", "z"]
    assert listed.prefixes == {"logs/"}
    assert [b.name for b in bucket.list_blobs(delimiter="/", include_trailing_delimiter=True)] == [
        "a.txt",
        "logs/",
        "z",
    ]
    assert [b.name for b in bucket.list_blobs(start_offset="logs/1/y", end_offset="logs/3")] == ["logs/1/y", "logs/2/x"]
    assert [b.name for b in bucket.list_blobs(match_glob="logs/*/x")] == ["logs/1/x", "logs/2/x"]
    assert [b.name for b in bucket.list_blobs(max_results=2)] == ["a.txt", "logs/"]
    sizes = [len(list(found)) for found in bucket.list_blobs(page_size=4).pages]
    assert sizes == [4, 2]
    with pytest.raises(exceptions.BadRequest, match=re.escape("page token")):
        list(bucket.list_blobs(page_token="nonsense"))


def test_a_large_folder_is_passed_over_in_one_step(tmp_path: Path) -> None:
    """With a delimiter the 20,000 names below one folder are not read: the index takes few steps."""
    store = Store(tmp_path / "objects", project_number=lambda project: "1")
    filled = fill(store, ["end"], versioned=False)

    def step(tx: Transaction) -> None:
        row = "INSERT INTO objects (bucket, name, generation, live, blob, resource) VALUES (?, ?, 1, 1, 'x', 'no JSON')"
        tx.connection.executemany(row, [(filled.bucket, f"big/{number:06}") for number in range(20_000)])

    store.index.submit(step).result()
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    store.index.connection.set_progress_handler(count, 100)
    found = page(store, Query(bucket=filled.bucket, delimiter="/"))
    assert (found.prefixes, [item["name"] for item in found.items]) == (["big/"], ["end"])
    assert steps < 10
    store.close()
