"""The XML API, signed URLs and batches, as clients and browsers use them; and what is refused."""

from __future__ import annotations

import base64
import datetime
import re
from xml.etree import ElementTree

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage as gcs
from google.oauth2 import service_account

from tests.local.storage.conftest import Service


@pytest.fixture(scope="module")
def signer() -> service_account.Credentials:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    info = {
        "client_email": "signer@tuneline-local.iam.gserviceaccount.com",
        "token_uri": "http://127.0.0.1/",
        "private_key": pem,
    }
    return service_account.Credentials.from_service_account_info(info)


def sign(blob: gcs.Blob, signer: service_account.Credentials, **rest: object) -> str:
    endpoint = blob.client._connection.API_BASE_URL
    return blob.generate_signed_url(
        version="v4", credentials=signer, api_access_endpoint=endpoint, expiration=600, **rest
    )


def test_signed_urls_write_read_and_delete(bucket: gcs.Bucket, signer: service_account.Credentials) -> None:
    """PUT, GET and DELETE by URL alone, with headers that were signed."""
    blob = bucket.blob("by url/é.txt")
    put = requests.put(
        sign(blob, signer, method="PUT", content_type="text/plain", headers={"x-goog-meta-from": "url"}),
        data=b"signed",
        headers={"Content-Type": "text/plain", "x-goog-meta-from": "url"},
        timeout=30,
    )
    assert put.status_code == 200, put.text
    assert bucket.get_blob(blob.name).metadata == {"from": "url"}
    assert requests.get(sign(blob, signer), timeout=30).content == b"signed"
    named = requests.get(sign(blob, signer, response_disposition="attachment; filename=x.txt"), timeout=30)
    assert named.headers["content-disposition"] == "attachment; filename=x.txt"
    assert requests.delete(sign(blob, signer, method="DELETE"), timeout=30).status_code == 204
    assert not blob.exists()


def test_a_signed_url_begins_a_resumable_upload(bucket: gcs.Bucket, signer: service_account.Credentials) -> None:
    """`method=RESUMABLE`: the session's URI takes the body."""
    blob = bucket.blob("resumable by url")
    started = requests.post(sign(blob, signer, method="RESUMABLE"), headers={"x-goog-resumable": "start"}, timeout=30)
    assert started.status_code == 201, started.text
    assert requests.put(started.headers["location"], data=b"x" * 1000, timeout=30).status_code == 200
    assert blob.download_as_bytes() == b"x" * 1000
    own = blob.create_resumable_upload_session(content_type="text/csv")
    assert requests.put(own, data=b"a,b", timeout=30).status_code == 200
    assert bucket.get_blob(blob.name).content_type == "text/csv"


def test_a_signed_url_is_checked_for_time_and_form(bucket: gcs.Bucket, signer: service_account.Credentials) -> None:
    """Expired, of the future, without host, with a missing header, or malformed: each is refused by its code."""
    blob = bucket.blob("checked")
    blob.upload_from_string("x")

    def code(url: str) -> str:
        answer = requests.get(url, timeout=30)
        assert answer.status_code in (400, 403), answer.text
        return ElementTree.fromstring(answer.content).findtext("Code", "")

    url = sign(blob, signer)
    assert requests.get(url, timeout=30).status_code == 200
    today = datetime.datetime.now(datetime.UTC)
    stamp = url.split("X-Goog-Date=")[1][:16]

    def dated(moment: datetime.datetime) -> str:
        return url.replace(stamp, moment.strftime("%Y%m%dT%H%M%SZ")).replace(
            f"%2F{stamp[:8]}%2F", f"%2F{moment:%Y%m%d}%2F"
        )

    assert code(dated(today - datetime.timedelta(hours=1))) == "ExpiredToken"
    assert code(dated(today + datetime.timedelta(hours=1))) == "AccessDenied"
    assert code(url.replace("X-Goog-Expires=600", "X-Goog-Expires=604801")) == "AuthenticationRequired"
    assert (
        code(url.replace("X-Goog-SignedHeaders=host", "X-Goog-SignedHeaders=host%3Bx-goog-meta-a"))
        == "SignatureDoesNotMatch"
    )
    assert code(url.replace("X-Goog-SignedHeaders=host", "X-Goog-SignedHeaders=date")) == "AuthenticationRequired"
    assert code(url.replace("GOOG4-RSA-SHA256", "MD5")) == "AuthenticationRequired"
    assert code(url.split("X-Goog-Signature=")[0] + "X-Goog-Signature=zz") == "SignatureDoesNotMatch"
    assert code(url.split("&X-Goog-Signature=")[0]) == "AuthenticationRequired"


def test_buckets_are_listed_in_xml(http, bucket: gcs.Bucket) -> None:
    """Prefix, delimiter and pages of the XML list, in both its versions; an unknown bucket by its code."""
    for name in ("a", "b/<x>", "c"):
        bucket.blob(name).upload_from_string("x")
    root = ElementTree.fromstring(http("GET", f"/{bucket.name}?delimiter=/").content)
    space = "{http://doc.s3.amazonaws.com/2006-03-01}"
    assert [item.findtext(f"{space}Key") for item in root.iter(f"{space}Contents")] == ["a", "c"]
    assert [item.findtext(f"{space}Prefix") for item in root.iter(f"{space}CommonPrefixes")] == ["b/"]
    first = ElementTree.fromstring(http("GET", f"/{bucket.name}?list-type=2&max-keys=2").content)
    token = first.findtext(f"{space}NextContinuationToken")
    rest = http("GET", f"/{bucket.name}", params={"list-type": "2", "continuation-token": token})
    assert [item.findtext(f"{space}Key") for item in ElementTree.fromstring(rest.content).iter(f"{space}Contents")] == [
        "c"
    ]
    assert "<Code>NoSuchBucket</Code>" in http("GET", "/no-such-bucket").text
    assert "<Code>NoSuchKey</Code>" in http("GET", f"/{bucket.name}/nothing").text


def test_the_xml_api_honours_generations_and_checksums(http, bucket: gcs.Bucket) -> None:
    """x-goog-if-generation-match on PUT and DELETE; Content-MD5 on PUT; a copy by header."""
    path = f"/{bucket.name}/xml"
    made = http("PUT", path, data=b"1", headers={"x-goog-if-generation-match": "0", "x-goog-meta-k": "v"})
    assert made.status_code == 200
    assert http("PUT", path, data=b"2", headers={"x-goog-if-generation-match": "0"}).status_code == 412
    assert http("PUT", path, data=b"2", headers={"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}).status_code == 400
    assert http("GET", path, headers={"If-None-Match": made.headers["etag"]}).status_code == 304
    assert http("PUT", f"{path}-2", headers={"x-goog-copy-source": path}).status_code == 200
    assert http("GET", f"{path}-2").headers["x-goog-meta-k"] == "v"
    assert http("DELETE", path, headers={"x-goog-if-generation-match": "5"}).status_code == 412
    generation = made.headers["x-goog-generation"]
    assert http("DELETE", path, headers={"x-goog-if-generation-match": generation}).status_code == 204


def test_a_bucket_may_stand_in_the_host(shared_service: Service, bucket: gcs.Bucket) -> None:
    """`BUCKET.storage.googleapis.com/OBJECT`, as virtual hosted URLs have it."""
    bucket.blob("a b").upload_from_string("x")
    host = {"Host": f"{bucket.name}.storage.googleapis.com"}
    assert requests.get(f"{shared_service.url}/a%20b", headers=host, timeout=30).content == b"x"


def test_a_batch_answers_each_call_by_itself(client: gcs.Client, bucket: gcs.Bucket) -> None:
    """Deletes and patches in one request; one that fails leaves the others their success."""
    for number in range(30):
        bucket.blob(f"{number}").upload_from_string("x")
    with client.batch(raise_exception=False) as batch:
        for number in range(29):
            bucket.blob(f"{number}").delete()
        bucket.blob("nothing").delete()
        kept = bucket.blob("29")
        kept.metadata = {"touched": "ja, grün"}
        kept.patch()
    assert [answer.status_code for answer in batch._responses] == [204] * 29 + [404, 200]
    assert [blob.name for blob in bucket.list_blobs()] == ["29"]
    assert bucket.get_blob("29").metadata == {"touched": "ja, grün"}
    with pytest.raises(Exception, match="nothing"), client.batch():
        bucket.blob("nothing").delete()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("POST", "/storage/v1/b?project=p", "{", 400, "parseError"),
        ("POST", "/storage/v1/b?project=p", "[]", 400, "parseError"),
        ("POST", "/storage/v1/b?project=p", "{}", 400, "required"),
        ("POST", "/storage/v1/b", '{"name":"abc"}', 400, "required"),
        ("POST", "/storage/v1/b?project=p", "{" + " " * (2 << 20) + "}", 413, "uploadTooLarge"),
        ("GET", "/storage/v1/b/tuneline-local/o/x?generation=abc", "", 400, "invalid"),
        ("GET", f"/storage/v1/b/tuneline-local/o/x?generation={10**30}", "", 400, "invalid"),
        ("GET", "/storage/v1/b/tuneline-local/o?maxResults=-1", "", 400, "invalid"),
        ("GET", "/storage/v1/b/tuneline-local/o?matchGlob=[", "", 200, ""),
        ("GET", "/storage/v1/b/tuneline-local/o?matchGlob={a", "", 200, ""),
        ("GET", "/storage/v1/b/tuneline-local/o/%FF", "", 400, "invalid"),
        ("POST", "/upload/storage/v1/b/tuneline-local/o?uploadType=media", "x", 400, "required"),
        ("POST", "/upload/storage/v1/b/tuneline-local/o?uploadType=other&name=x", "x", 400, "invalid"),
        ("POST", f"/upload/storage/v1/b/tuneline-local/o?uploadType=media&name={'n' * 1025}", "x", 400, "invalid"),
        ("POST", "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=a%0Ab", "x", 400, "invalid"),
        ("POST", "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=..", "x", 400, "invalid"),
        ("POST", "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=%FF", "x", 400, "invalid"),
        ("POST", f"/upload/storage/v1/b/tuneline-local/o?{'a=1&' * 2000}", "x", 400, "invalid"),
        ("POST", "/storage/v1/b?project=p", "[" * 20_000, 400, "parseError"),
        ("POST", "/storage/v1/b?project=p", '{"name": "abc", "labels": {"a": "\\ud800"}}', 400, "parseError"),
        ("PUT", "/upload/storage/v1/b/tuneline-local/o?upload_id=nothing", "x", 404, "notFound"),
        ("POST", "/storage/v1/b/tuneline-local/notificationConfigs", "{}", 501, "notImplemented"),
        ("POST", "/batch/storage/v1", "x", 400, "invalid"),
    ],
)  # fmt: skip
def test_bad_requests_are_refused_with_a_reason(
    http, method: str, path: str, body: str, status: int, reason: str
) -> None:
    """Each gets its status, and JSON with `error.errors[].reason` that a client can act on."""
    answer = http(method, path, data=body)
    assert answer.status_code == status, answer.text
    if status >= 400:
        error = answer.json()["error"]
        assert (error["code"], error["errors"][0]["reason"]) == (status, reason)
        assert len(error["message"]) > 10


def test_no_name_leads_out_of_the_data_folder(service: Service) -> None:
    """Names made of dots and slashes are objects like others, and nothing appears outside the folder."""
    bucket = gcs.Client(
        project="tuneline-local", credentials=AnonymousCredentials(), client_options={"api_endpoint": service.url}
    ).bucket("tuneline-local")
    names = ["../../escape", "/etc/passwd", "a/../../b", "//", "C:\\x", "~/x", "%2e%2e/x", "nul", "." * 200]
    for name in names:
        bucket.blob(name).upload_from_string(name)
        assert bucket.blob(name).download_as_bytes().decode() == name
    assert sorted(blob.name for blob in bucket.list_blobs()) == sorted(names)
    outside = [path for path in service.data.parent.rglob("*") if "escape" in path.name or "passwd" in path.name]
    assert outside == []
    files = [path for path in (service.data / "objects" / "blobs").rglob("*") if path.is_file()]
    assert len(files) == len(names)


def test_signed_urls_of_version_2_are_checked_for_time(bucket: gcs.Bucket, signer: service_account.Credentials) -> None:
    """The kind that the client makes by default passes, and is refused when it has expired."""
    blob = bucket.blob("v2")
    blob.upload_from_string("x")
    endpoint = bucket.client._connection.API_BASE_URL
    ends = datetime.timedelta(minutes=10)
    url = blob.generate_signed_url(expiration=ends, credentials=signer, api_access_endpoint=endpoint)
    assert requests.get(url, timeout=30).content == b"x"
    late = re.sub(r"Expires=\d+", "Expires=1000000000", url)
    assert "<Code>ExpiredToken</Code>" in requests.get(late, timeout=30).text
    assert requests.get(re.sub(r"Signature=[^&]+", "Signature=", url), timeout=30).status_code == 400


def test_a_form_with_a_policy_uploads(
    client: gcs.Client, bucket: gcs.Bucket, signer: service_account.Credentials
) -> None:
    """`generate_signed_post_policy_v4`: fields that the policy names pass, others and too large files do not."""
    made = client.generate_signed_post_policy_v4(
        bucket.name,
        "by form/${filename}",
        expiration=datetime.timedelta(minutes=5),
        conditions=[["content-length-range", 1, 1000], ["starts-with", "$x-goog-meta-who", "me"]],
        fields={"success_action_status": "201"},
        credentials=signer,
    )
    url = f"{client._connection.API_BASE_URL}/{bucket.name}/"

    def post(content: bytes, **more: str) -> requests.Response:
        fields = {**made["fields"], "x-goog-meta-who": "me too", **more}
        return requests.post(url, data=fields, files={"file": ("name.txt", content, "text/plain")}, timeout=30)

    answer = post(b"from a form")
    assert answer.status_code == 201, answer.text
    read = bucket.get_blob("by form/name.txt")
    assert (read.download_as_bytes(), read.content_type, read.metadata) == (
        b"from a form",
        "text/plain",
        {"who": "me too"},
    )
    assert "<Code>EntityTooLarge</Code>" in post(bytes(1001)).text
    assert "<Code>EntityTooSmall</Code>" in post(b"").text
    assert "<Code>AccessDenied</Code>" in post(b"x", key="elsewhere").text
    assert "<Code>AccessDenied</Code>" in post(b"x", **{"x-goog-meta-who": "you"}).text
    assert "<Code>AccessDenied</Code>" in post(b"x", **{"cache-control": "no-store"}).text
    assert "<Code>InvalidPolicyDocument</Code>" in post(b"x", policy="nonsense").text
    old = base64.b64encode(b'{"expiration": "2020-01-01T00:00:00Z", "conditions": []}').decode()
    assert "<Code>ExpiredToken</Code>" in post(b"x", policy=old).text


def test_keys_supplied_by_customers_are_refused_by_name(bucket: gcs.Bucket) -> None:
    """Nothing is stored in the clear that was meant to be encrypted."""
    with pytest.raises(Exception, match="does not encrypt"):
        bucket.blob("secret", encryption_key=bytes(32)).upload_from_string("x", retry=None)
    assert bucket.get_blob("secret") is None
