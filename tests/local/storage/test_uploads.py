"""Uploads arrive whole however they are cut, interrupted, sent again or carried across a restart, in little memory."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from google.cloud import storage as gcs
from google.cloud.storage import transfer_manager

from tests.local.storage.conftest import Service

MB = 1 << 20


def content(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def begin(service: Service, name: str, bucket: str = "tuneline-local", **params: object) -> str:
    """A session's URI."""
    answer = requests.post(
        f"{service.url}/upload/storage/v1/b/{bucket}/o",
        params={"uploadType": "resumable", "name": name, **params},
        json={"metadata": {"from": "session"}},
        headers={"X-Upload-Content-Type": "text/x-test"},
        timeout=30,
    )
    answer.raise_for_status()
    return answer.headers["location"]


def send(uri: str, body: bytes, start: int, total: int | str) -> requests.Response:
    span = f"{start}-{start + len(body) - 1}" if body else "*"
    return requests.put(uri, data=body, headers={"Content-Range": f"bytes {span}/{total}"}, timeout=30)


def test_a_resumable_upload_in_chunks_is_the_whole(bucket: gcs.Bucket) -> None:
    """The official client's chunked upload of a stream of unknown length gives the same bytes."""
    data = content(3 * MB + 17)
    blob = bucket.blob("chunked", chunk_size=MB)
    blob.upload_from_file(io.BytesIO(data), content_type="text/plain", checksum="md5")
    assert bucket.blob("chunked").download_as_bytes() == data
    assert bucket.get_blob("chunked").content_type == "text/plain"


def test_a_session_answers_what_it_holds(service: Service) -> None:
    """308 with the range that is on disk; a chunk sent again, or overlapping, changes nothing; a gap is refused."""
    data = content(900_000)
    uri = begin(service, "spans")
    assert "range" not in send(uri, b"", 0, "*").headers
    assert send(uri, data[:262144], 0, "*").headers["range"] == "bytes=0-262143"
    assert send(uri, data[:262144], 0, "*").headers["range"] == "bytes=0-262143"
    assert send(uri, data[100_000:524288], 100_000, len(data)).headers["range"] == "bytes=0-524287"
    assert send(uri, data[600_000:700_000], 600_000, len(data)).status_code == 503
    assert send(uri, b"", 0, len(data)).headers["range"] == "bytes=0-524287"
    done = send(uri, data[524288:], 524288, len(data))
    assert done.status_code == 200
    assert done.json()["size"] == "900000"
    assert (done.json()["metadata"], done.json()["contentType"]) == ({"from": "session"}, "text/x-test")
    assert send(uri, data[524288:], 524288, len(data)).json() == done.json()
    assert send(uri, b"", 0, "*").json() == done.json()
    assert service.client().bucket("tuneline-local").blob("spans").download_as_bytes() == data


def test_a_stream_of_unknown_length_ends_with_a_question(service: Service) -> None:
    """When all bytes came under `*`, naming the total afterwards makes the object."""
    uri = begin(service, "late-total")
    assert send(uri, b"x" * 262144, 0, "*").status_code == 308
    assert send(uri, b"", 0, 262144).json()["size"] == "262144"


def test_a_body_with_an_open_range_is_the_rest(service: Service) -> None:
    """`bytes 0-*/*`, as Node's client sends a stream: the end of the body ends the upload."""
    uri = begin(service, "open")
    answer = requests.put(uri, data=iter([b"a" * 1000, b"b"]), headers={"Content-Range": "bytes 0-*/*"}, timeout=30)
    assert (answer.status_code, answer.json()["size"]) == (200, "1001")
    uri = begin(service, "open too")
    assert send(uri, b"a" * 262144, 0, "*").status_code == 308
    answer = requests.put(uri, data=iter([b"b"]), headers={"Content-Range": "bytes 262144-*/262145"}, timeout=30)
    assert answer.json()["size"] == "262145"


def test_an_empty_resumable_upload_is_an_object(service: Service) -> None:
    """`bytes */0` makes an object of no bytes."""
    uri = begin(service, "none")
    assert send(uri, b"", 0, 0).json()["size"] == "0"


def test_more_bytes_than_announced_are_refused(service: Service) -> None:
    """A chunk that goes beyond the total is told so, and no object appears."""
    uri = begin(service, "over")
    assert send(uri, b"x" * 20, 0, 10).status_code == 400
    assert not service.client().bucket("tuneline-local").blob("over").exists()


def test_a_wrong_checksum_at_the_end_ends_the_session(service: Service) -> None:
    """A crc32c said at the start that does not fit the bytes gives 400; the session is gone."""
    answer = requests.post(
        f"{service.url}/upload/storage/v1/b/tuneline-local/o?uploadType=resumable&name=sum",
        json={"crc32c": "AAAAAA=="},
        timeout=30,
    )
    uri = answer.headers["location"]
    assert send(uri, b"some bytes", 0, 10).status_code == 400
    assert send(uri, b"some bytes", 0, 10).status_code == 404


def test_a_precondition_holds_at_the_end_of_a_session_too(service: Service) -> None:
    """Two sessions begun under ifGenerationMatch=0: the second to end is told 412."""
    first, second = (begin(service, "once", ifGenerationMatch=0) for _ in range(2))
    assert send(first, b"1", 0, 1).status_code == 200
    assert send(second, b"2", 0, 1).status_code == 412
    assert service.client().bucket("tuneline-local").blob("once").download_as_bytes() == b"1"


def test_a_cancelled_session_leaves_nothing(service: Service) -> None:
    """DELETE gives 499, then the session is not found and its file is removed."""
    uri = begin(service, "cancelled")
    send(uri, b"x" * 262144, 0, "*")
    assert requests.delete(uri, timeout=30).status_code == 499
    assert send(uri, b"", 0, "*").status_code == 404
    assert list((service.data / "objects" / "incoming").iterdir()) == []


def test_a_session_survives_a_kill(service: Service) -> None:
    """What 308 promised is there after kill -9 and restart, and the upload goes on to the right bytes and hashes."""
    data = content(3 * MB)
    uri = begin(service, "survivor")
    assert send(uri, data[:MB], 0, "*").status_code == 308
    service.restart()
    assert send(uri, b"", 0, "*").headers["range"] == f"bytes=0-{MB - 1}"
    assert send(uri, data[MB : 2 * MB], MB, "*").status_code == 308
    service.restart()
    done = send(uri, data[2 * MB :], 2 * MB, len(data))
    assert done.json()["md5Hash"] == _md5(data)
    service.restart()
    assert send(uri, b"", 0, "*").json() == done.json()
    assert service.client().bucket("tuneline-local").blob("survivor").download_as_bytes() == data


def test_a_broken_connection_keeps_what_came(service: Service) -> None:
    """Bytes of a request that broke off are kept, and the next request goes on after them."""
    data = content(2 * MB)
    uri = begin(service, "broken")
    path = uri.removeprefix(service.url)
    span = f"Content-Range: bytes 0-{len(data) - 1}/{len(data)}"
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n{span}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port)) as line:
        line.sendall(head.encode() + data[: MB + 5])
        received = service.data / "objects" / "incoming"
        while sum(path.stat().st_size for path in received.iterdir()) < MB:  # in another process: nothing to wait on
            time.sleep(0.01)
    answer = send(uri, b"", 0, "*")
    held = int(answer.headers["range"].removeprefix("bytes=0-")) + 1
    assert MB <= held <= MB + 5
    done = send(uri, data[held:], held, len(data))
    assert done.json()["md5Hash"] == _md5(data)


def test_many_idle_sessions_go_on_where_they_were(service: Service) -> None:
    """More sessions than are kept open at once all end well."""
    uris = [begin(service, f"idle-{number}") for number in range(80)]
    for number, uri in enumerate(uris):
        assert send(uri, bytes([number]) * 1000, 0, "*").status_code == 308
    for number, uri in enumerate(uris):
        assert send(uri, bytes([number]) * 500, 1000, 1500).json()["md5Hash"] == _md5(bytes([number]) * 1500)


def test_parts_sent_in_parallel_become_one_object(bucket: gcs.Bucket, tmp_path: Path) -> None:
    """`transfer_manager.upload_chunks_concurrently` (XML multipart) and its download counterpart."""
    data = content(12 * MB + 3)
    source = tmp_path / "source"
    source.write_bytes(data)
    blob = bucket.blob("in/parts é")
    blob.metadata = {"made": "in parts"}
    transfer_manager.upload_chunks_concurrently(
        str(source),
        blob,
        content_type="text/plain",
        chunk_size=5 * MB,
        max_workers=4,
        worker_type=transfer_manager.THREAD,
    )
    read = bucket.get_blob(blob.name)
    assert (read.size, read.content_type, read.metadata) == (len(data), "text/plain", {"made": "in parts"})
    target = tmp_path / "target"
    transfer_manager.download_chunks_concurrently(
        blob, str(target), chunk_size=5 * MB, max_workers=4, worker_type=transfer_manager.THREAD
    )
    assert target.read_bytes() == data


def test_parts_survive_a_kill_and_are_checked(service: Service) -> None:
    """Parts answered before kill -9 are there after it; a wrong ETag, an unknown upload and a bad order are refused."""
    url = f"{service.url}/tuneline-local/parts"
    started = requests.post(f"{url}?uploads", timeout=30).text
    upload = started.split("<UploadId>")[1].split("<")[0]
    etags = {}
    for number in (2, 1):
        etags[number] = requests.put(
            f"{url}?partNumber={number}&uploadId={upload}", data=bytes([number]) * 1000, timeout=30
        ).headers["etag"]
    service.restart()
    listed = requests.get(f"{url}?uploadId={upload}", timeout=30).text
    assert listed.count("<Part>") == 2

    def complete(*parts: tuple[int, str]) -> requests.Response:
        body = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in parts)
        return requests.post(
            f"{url}?uploadId={upload}", data=f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>", timeout=30
        )

    assert "<Code>InvalidPart</Code>" in complete((1, '"0000"')).text
    assert "<Code>InvalidPartOrder</Code>" in complete((2, etags[2]), (1, etags[1])).text
    assert (
        "<Code>MalformedXML</Code>" in requests.post(f"{url}?uploadId={upload}", data="<!DOCTYPE x>", timeout=30).text
    )
    done = complete((1, etags[1]), (2, etags[2]))
    assert done.status_code == 200
    assert complete((1, etags[1]), (2, etags[2])).status_code == 404
    assert requests.get(url, timeout=30).content == b"\1" * 1000 + b"\2" * 1000
    second = requests.post(f"{url}?uploads", timeout=30).text.split("<UploadId>")[1].split("<")[0]
    requests.put(f"{url}?partNumber=1&uploadId={second}", data=b"x", timeout=30)
    assert requests.delete(f"{url}?uploadId={second}", timeout=30).status_code == 204
    assert requests.put(f"{url}?partNumber=1&uploadId={second}", data=b"x", timeout=30).status_code == 404


@pytest.mark.parametrize("cut", [1, 7, 100, 65536])
def test_a_multipart_body_may_arrive_in_any_pieces(shared_service: Service, cut: int) -> None:
    """However the connection cuts the body, content that looks like a boundary included, the bytes are the same."""
    boundary = "=====limit=="
    media = b"\r\n--=====limit=\r\n--\r\n" + content(5000, cut) + b"\r\n--=====limit"
    meta = json.dumps({"name": f"cut-{cut}", "metadata": {"x": "y"}}).encode()
    body = (
        b"--%(b)s\r\ncontent-type: application/json\r\n\r\n%(m)s\r\n"
        b"--%(b)s\r\ncontent-type: text/x\r\n\r\n%(d)s\r\n--%(b)s--"
        % {b"b": boundary.encode(), b"m": meta, b"d": media}
    )
    line = http.client.HTTPConnection("127.0.0.1", shared_service.port)
    line.request(
        "POST",
        "/upload/storage/v1/b/tuneline-local/o?uploadType=multipart",
        body=(body[at : at + cut] for at in range(0, len(body), cut)),
        headers={"Content-Type": f'multipart/related; boundary="{boundary}"', "Content-Length": str(len(body))},
    )
    answer = json.loads(line.getresponse().read())
    assert (answer["size"], answer["md5Hash"], answer["contentType"]) == (str(len(media)), _md5(media), "text/x")
    line.close()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--b\r\n\r\n{}\r\n--b--", "multipart/related; boundary=b"),
        (b"no boundary at all", "multipart/related; boundary=b"),
        (b"", "multipart/related; boundary=b"),
        (b"--b\r\n\r\nnot json\r\n--b\r\n\r\nx\r\n--b--", "multipart/related; boundary=b"),
        (b'--b\r\n\r\n{"name":"cut-off"}\r\n--b\r\n\r\nthe end is missing', "multipart/related; boundary=b"),
        (b"x", "text/plain"),
    ],
)
def test_a_broken_multipart_body_is_refused(http, body: bytes, kind: str) -> None:
    """400 with a reason, and no object."""
    answer = http(
        "POST", "/upload/storage/v1/b/tuneline-local/o?uploadType=multipart", data=body, headers={"Content-Type": kind}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert http("GET", "/storage/v1/b/tuneline-local/o/cut-off").status_code == 404


def _upload_in_little_memory(service: Service, size: int) -> None:
    class Zeros(io.RawIOBase):
        left = size

        def read(self, wanted: int = -1) -> bytes:
            piece = bytes(min(wanted if wanted >= 0 else self.left, self.left, MB))
            self.left -= len(piece)
            return piece

    def pieces() -> Iterator[bytes]:
        for _ in range(size // MB):
            yield bytes(MB)

    url = f"{service.url}/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=big"
    answer = requests.post(url, data=pieces(), timeout=300)
    assert answer.json()["size"] == str(size)
    uri = begin(service, "big-too")
    answer = requests.put(uri, data=pieces(), timeout=300)
    assert answer.json()["size"] == str(size)
    assert (
        answer.json()["crc32c"]
        == requests.get(f"{service.url}/storage/v1/b/tuneline-local/o/big", timeout=30).json()["crc32c"]
    )
    got = 0
    for piece in requests.get(f"{service.url}/tuneline-local/big", stream=True, timeout=300).iter_content(MB):
        got += len(piece)
    assert got == size
    assert service.peak_memory() < 64 * MB


def test_a_large_upload_takes_little_memory(service: Service) -> None:
    """192 MiB up twice and down once: the process stays under 64 MB."""
    _upload_in_little_memory(service, 192 * MB)


@pytest.mark.slow
def test_a_gigabyte_takes_little_memory(service: Service) -> None:
    """1 GiB up twice and down once: the process stays under 64 MB."""
    _upload_in_little_memory(service, 1024 * MB)


def test_a_refused_large_upload_is_answered(bucket: gcs.Bucket) -> None:
    """A precondition that fails is told to a client that is still sending, and not by a broken connection."""
    bucket.blob("there").upload_from_string("x")
    answer = requests.post(
        f"{bucket.client._connection.API_BASE_URL}/upload/storage/v1/b/{bucket.name}/o"
        "?uploadType=media&name=there&ifGenerationMatch=0",
        data=bytes(30 * MB),
        timeout=60,
    )
    assert answer.status_code == 412


def test_two_requests_on_one_session_do_not_mix(service: Service) -> None:
    """While one sends slowly, a newer request takes the session over; the bytes are still the right ones."""
    data = content(2 * MB)
    uri = begin(service, "rivals")
    gate = threading.Event()

    def slow() -> Iterator[bytes]:
        yield data[:300_000]
        gate.wait(20)
        yield bytes(len(data) - 300_000)

    answers: list[int] = []
    headers = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}", "Content-Length": str(len(data))}
    first = threading.Thread(
        target=lambda: answers.append(requests.put(uri, data=slow(), headers=headers, timeout=60).status_code)
    )
    first.start()
    done = send(uri, data, 0, len(data))
    while done.status_code == 503:
        done = send(uri, data, 0, len(data))
    gate.set()
    first.join()
    assert done.json()["md5Hash"] == _md5(data)
    assert service.client().bucket("tuneline-local").blob("rivals").download_as_bytes() == data


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()
