"""Whatever JSON is sent where, the answer is a success or a refusal of the caller (4xx), never a failure of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tuneline.local import storage

FIELDS = st.sampled_from(
    [
        "name",
        "contentType",
        "metadata",
        "crc32c",
        "md5Hash",
        "versioning",
        "labels",
        "iamConfiguration",
        "acl",
        "retention",
        "temporaryHold",
        "location",
        "cacheControl",
        "customTime",
        "storageClass",
        "sourceObjects",
        "destination",
        "generation",
        "objectPreconditions",
        "entity",
        "role",
        "bindings",
        "uniformBucketLevelAccess",
        "enabled",
        "etag",
        "defaultEventBasedHold",
        "softDeletePolicy",
        "contexts",
        "ifGenerationMatch",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=5)
    | st.sampled_from(["x", "OWNER", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)
BODIES = st.dictionaries(FIELDS, VALUES, max_size=5) | VALUES
B = "/storage/v1/b"
TARGETS = st.sampled_from(
    [
        ("POST", f"{B}?project=p"),
        ("PATCH", f"{B}/tuneline-local"),
        ("PUT", f"{B}/tuneline-local"),
        ("PUT", f"{B}/tuneline-local/iam"),
        ("POST", f"{B}/tuneline-local/acl"),
        ("PATCH", f"{B}/tuneline-local/o/x"),
        ("PUT", f"{B}/tuneline-local/o/x"),
        ("POST", f"{B}/tuneline-local/o/x/compose"),
        ("POST", f"{B}/tuneline-local/o/x/rewriteTo/b/tuneline-local/o/y"),
        ("POST", f"{B}/tuneline-local/o/x/acl"),
        ("PATCH", f"{B}/tuneline-local/o/x/acl/allUsers"),
        ("POST", "/upload/storage/v1/b/tuneline-local/o?uploadType=resumable"),
    ]
)
READS = [
    ("GET", f"{B}/tuneline-local"),
    ("GET", f"{B}/tuneline-local/o"),
    ("GET", "/tuneline-local/x"),
    ("GET", f"{B}/tuneline-local/iam"),
    ("GET", f"{B}/tuneline-local/acl"),
]


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[storage.Storage]:
    made = storage.app(tmp_path_factory.mktemp("any"))
    yield made
    made.close()


async def ask(application: storage.Storage, method: str, target: str, body: bytes) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    path, _, query = target.partition("?")
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": []}
    await application({**scope, "query_string": query.encode()}, receive, send)
    return int(sent[0]["status"]), b"".join(message.get("body", b"") for message in sent[1:])


@settings(max_examples=300, deadline=None)
@given(target=TARGETS, body=BODIES)
@example(target=("PATCH", f"{B}/tuneline-local/o/x"), body={"storageClass": None})
@example(target=("PATCH", f"{B}/tuneline-local"), body={"storageClass": None})
@example(target=("PUT", f"{B}/tuneline-local"), body={"iamConfiguration": {"uniformBucketLevelAccess": None}})
def test_no_body_makes_the_store_fail(application: storage.Storage, target: tuple[str, str], body: Any) -> None:
    """Any JSON to any method that takes some, and what it left behind can be read."""

    async def calls() -> None:
        upload = "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=x"
        await ask(application, "POST", upload, b"content")
        for method, path, sent in [(*target, json.dumps(body).encode()), *((*read, b"") for read in READS)]:
            status, answer = await ask(application, method, path, sent)
            assert status < 500 or status == 501, (method, path, sent, answer)

    asyncio.run(calls())


def test_null_is_the_default_again(application: storage.Storage) -> None:
    """Null in a patch takes a bucket's and an object's setting back to what one has of which nothing was said."""

    async def calls() -> None:
        async def said(method: str, path: str, body: Any = None) -> dict[str, Any]:
            status, answer = await ask(application, method, path, json.dumps(body).encode() if body else b"")
            assert status == 200, (path, answer)
            return dict(json.loads(answer))

        made = await said("POST", f"{B}?project=p", {"name": "null-patches", "storageClass": "NEARLINE"})
        unsaid = await said("POST", f"{B}?project=p", {"name": "nothing-said"})
        await ask(application, "POST", "/upload/storage/v1/b/null-patches/o?uploadType=media&name=x", b"content")
        thing = f"{B}/null-patches/o/x"
        assert (await said("PATCH", thing, {"storageClass": "ARCHIVE"}))["storageClass"] == "ARCHIVE"
        assert (await said("PATCH", thing, {"storageClass": None}))["storageClass"] == made["storageClass"]
        cleared = {"storageClass": None, "iamConfiguration": None}
        bucket = await said("PATCH", f"{B}/null-patches", cleared)
        assert {key: bucket[key] for key in cleared} == {key: unsaid[key] for key in cleared}

    asyncio.run(calls())
