"""The `fields` parameter gives the part that was asked for, and no selection is misread."""

from __future__ import annotations

import pytest
from google.cloud import storage as gcs
from hypothesis import given
from hypothesis import strategies as st

from tuneline.local.storage.errors import Refusal
from tuneline.local.storage.partial import parse, select

LISTED = {
    "kind": "storage#objects",
    "nextPageToken": "t",
    "items": [{"name": "a", "size": "1", "metadata": {"x": "1", "y": "2"}}, {"name": "b", "size": "2"}],
}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("nextPageToken", {"nextPageToken": "t"}),
        ("items/name", {"items": [{"name": "a"}, {"name": "b"}]}),
        ("items(name,metadata/x)", {"items": [{"name": "a", "metadata": {"x": "1"}}, {"name": "b"}]}),
        ("items/size,kind", {"kind": "storage#objects", "items": [{"size": "1"}, {"size": "2"}]}),
        ("items(name, size)", {"items": [{"name": "a", "size": "1"}, {"name": "b", "size": "2"}]}),
        ("*/name", {"kind": "storage#objects", "nextPageToken": "t", "items": [{"name": "a"}, {"name": "b"}]}),
        ("items", {"items": LISTED["items"]}),
        ("*", LISTED),
        ("nothing", {}),
    ],
)  # fmt: skip
def test_a_mask_selects(fields: str, expected: dict[str, object]) -> None:
    """Paths, groups, wildcards, and lists entry by entry."""
    assert select(LISTED, parse(fields)) == expected


@pytest.mark.parametrize("fields", ["a,", "(a)", "a(", "a(b", "a)b", "a//b", "a/", "a b;", "a" + "(a" * 50 + ")" * 50])
def test_a_selection_that_is_not_well_formed_is_refused(fields: str) -> None:
    """400, naming the selection."""
    with pytest.raises(Refusal) as refused:
        parse(fields)
    assert refused.value.status == 400


@given(st.text(alphabet="ab*(),/ ", max_size=12))
def test_any_text_is_parsed_or_refused(fields: str) -> None:
    """Never anything else."""
    try:
        mask = parse(fields)
    except Refusal:
        return
    assert mask
    select(LISTED, mask)


def test_the_official_client_asks_for_parts(http, bucket: gcs.Bucket) -> None:
    """A list of names alone; a write whose selection is refused changes nothing."""
    bucket.blob("x").upload_from_string("x")
    [blob] = bucket.list_blobs(fields="items(name),nextPageToken")
    assert (blob.name, blob.size) == ("x", None)
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=y"
    assert http("POST", f"{path}&fields=(", data=b"y").status_code == 400
    assert http("POST", f"{path}&fields=name", data=b"y").json() == {"name": "y"}
    assert bucket.get_blob("y").generation is not None
