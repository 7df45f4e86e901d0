"""Buckets behave as the official client expects: made, listed, changed, refused and deleted."""

from __future__ import annotations

import pytest
from google.api_core import exceptions
from google.cloud import storage as gcs

from tuneline.local.storage.errors import Refusal
from tuneline.local.storage.names import check_bucket


def test_the_staging_bucket_is_there_from_the_start(client: gcs.Client) -> None:
    """`tuneline-local` exists, in us-central1, and belongs to the default project."""
    bucket = client.get_bucket("tuneline-local")
    assert (bucket.location, bucket.location_type, bucket.storage_class) == ("US-CENTRAL1", "region", "STANDARD")
    assert "tuneline-local" in [found.name for found in client.list_buckets()]


def test_a_bucket_keeps_what_it_was_made_with(client: gcs.Client) -> None:
    """Location, labels and class come back; a second bucket of that name is refused with 409."""
    made = client.bucket("kept-by-test")
    made.labels = {"team": "a"}
    made.storage_class = "NEARLINE"
    client.create_bucket(made, location="europe-west4")
    read = client.get_bucket("kept-by-test")
    assert (read.location, read.labels, read.storage_class) == ("EUROPE-WEST4", {"team": "a"}, "NEARLINE")
    assert read.project_number == client.get_bucket("tuneline-local").project_number
    with pytest.raises(exceptions.Conflict):
        client.create_bucket("kept-by-test")
    read.labels = {"team": "b", "more": "c"}
    read.patch()
    assert client.get_bucket("kept-by-test").labels == {"team": "b", "more": "c"}
    assert client.get_bucket("kept-by-test").metageneration == 2


def test_buckets_are_listed_by_project_in_pages(client: gcs.Client) -> None:
    """Each project sees its own buckets, by name, a page at a time."""
    for number in range(5):
        client.create_bucket(f"paged-{number}", project="another-project")
    pages = list(client.list_buckets(project="another-project", page_size=2).pages)
    assert [[bucket.name for bucket in page] for page in pages] == [
        ["paged-0", "paged-1"],
        ["paged-2", "paged-3"],
        ["paged-4"],
    ]
    assert [b.name for b in client.list_buckets(project="another-project", prefix="paged-3")] == ["paged-3"]
    assert "paged-0" not in [bucket.name for bucket in client.list_buckets()]


def test_a_bucket_with_objects_is_not_deleted(client: gcs.Client, bucket: gcs.Bucket) -> None:
    """409 while there is an object; gone with `force`."""
    bucket.blob("x").upload_from_string("x")
    with pytest.raises(exceptions.Conflict):
        bucket.delete()
    bucket.delete(force=True)
    assert not bucket.exists()


def test_policies_are_kept_and_everything_is_permitted(bucket: gcs.Bucket) -> None:
    """An IAM policy comes back as it was set, guarded by its etag; testPermissions grants what is asked."""
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"user:a@example.com"}})
    bucket.set_iam_policy(policy)
    read = bucket.get_iam_policy(requested_policy_version=3)
    assert read.bindings == [{"role": "roles/storage.objectViewer", "members": {"user:a@example.com"}}]
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.set_iam_policy(policy)
    asked = ["storage.objects.create", "storage.buckets.get"]
    assert bucket.test_iam_permissions(asked) == asked


@pytest.mark.parametrize(
    "name",
    ["ab", "Upper", "-dash", "dash-", "192.168.1.1", "goog-x", "my-google-x", "a..b", "x" * 64, "sp ace", "", None],
)
def test_a_bad_bucket_name_is_refused(name: str | None) -> None:
    """Names outside Cloud Storage's rules give 400 and say the rule."""
    with pytest.raises(Refusal) as refused:
        check_bucket(name)
    assert refused.value.status == 400


@pytest.mark.parametrize("name", ["abc", "a-b_c", "my.bucket.example", "x" * 63, "0numbers9"])
def test_a_good_bucket_name_is_taken(name: str) -> None:
    """Names within the rules pass."""
    assert check_bucket(name) == name


def test_retention_keeps_objects_until_its_time(bucket: gcs.Bucket) -> None:
    """A bucket's retention policy refuses deletes and overwrites; once locked it cannot be shortened or removed."""
    bucket.retention_period = 3600
    bucket.patch()
    bucket.blob("kept").upload_from_string("x")
    with pytest.raises(exceptions.Forbidden, match="retained until"):
        bucket.blob("kept").delete()
    with pytest.raises(exceptions.Forbidden):
        bucket.blob("kept").upload_from_string("y")
    bucket.reload()
    assert (bucket.retention_policy_locked, bucket.retention_policy_effective_time.year > 2000) == (False, True)
    bucket.lock_retention_policy()
    assert bucket.retention_policy_locked
    bucket.retention_period = None
    with pytest.raises(exceptions.Forbidden, match="locked"):
        bucket.patch()
    assert bucket.blob("kept").download_as_bytes() == b"x"


def test_access_lists_are_kept(bucket: gcs.Bucket) -> None:
    """Entries of buckets, objects and defaults come back; refused where uniform access is on, as Cloud Storage does."""
    blob = bucket.blob("listed")
    blob.upload_from_string("x")
    blob.make_public()
    assert {"entity": "allUsers", "role": "READER"} in [
        {"entity": entry["entity"], "role": entry["role"]} for entry in blob.acl
    ]
    blob.acl.reload()
    assert blob.acl.has_entity("allUsers")
    blob.make_private()
    blob.acl.reload()
    assert "READER" not in blob.acl.all().get_roles()
    bucket.acl.user("a@example.com").grant_owner()
    bucket.acl.save()
    bucket.acl.reload()
    assert bucket.acl.user("a@example.com").get_roles() == {"OWNER"}
    bucket.default_object_acl.reload()
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.patch()
    with pytest.raises(exceptions.BadRequest, match="uniform"):
        bucket.acl.reload(client=bucket.client)
