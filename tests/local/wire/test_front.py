"""Promise: one port speaks HTTP/1.1, HTTP/2, TLS and CONNECT; it is for this machine, and passes nothing on."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import stat
import subprocess

import pytest

from tuneline.testing import LocalVertex

WHERE = "projects/p-1/locations/us-central1"
HOST = "us-central1-aiplatform.googleapis.com"
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def curl(vertex: LocalVertex, *arguments: str) -> subprocess.CompletedProcess[str]:
    """curl, redirected by environment alone."""
    return subprocess.run(
        ["curl", "-sS", "-m", "20", *arguments],
        capture_output=True,
        text=True,
        env=vertex.environment(),
        timeout=30,
        check=False,
    )


@needs_curl
@pytest.mark.parametrize(("option", "version"), [("--http2", "2"), ("--http1.1", "1.1")])
def test_curl_reaches_google_through_the_proxy_in_both_versions(local_vertex, option, version):
    """TLS with a certificate for the host, whatever curl negotiates."""
    url = f"https://{HOST}/v1/{WHERE}/endpoints"
    answer = curl(local_vertex, option, "-w", "%{http_version} %{http_code}", "-o", "/dev/null", url)
    assert answer.stdout == f"{version} 200", answer.stderr


@needs_curl
def test_large_bodies_pass_over_http2_both_ways(local_vertex, tmp_path):
    """More than any window, byte for byte."""
    source, copy = tmp_path / "big", tmp_path / "copy"
    source.write_bytes(bytes(range(256)) * 20_000)
    upload = "https://storage.googleapis.com/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=big"
    assert json.loads(curl(local_vertex, "--data-binary", f"@{source}", upload).stdout)["size"] == "5120000"
    download = "https://storage.googleapis.com/storage/v1/b/tuneline-local/o/big?alt=media"
    curl(local_vertex, "-o", str(copy), download)
    assert copy.read_bytes() == source.read_bytes()


@needs_curl
@pytest.mark.parametrize("url", ["https://example.com/", "https://googleapis.com.example.com/", "https://pkg.dev/"])
def test_the_proxy_refuses_every_other_host(local_vertex, url):
    """Nothing is passed on, so nothing can leak."""
    answer = curl(local_vertex, url)
    assert answer.returncode != 0
    assert "403" in answer.stderr


@needs_curl
def test_the_hosted_template_is_this_projects_own(local_vertex):
    """Served under Google's address, and said so in a header."""
    url = "https://us-kfp.pkg.dev/ml-pipeline/large-language-model-pipelines/tune-large-model/v3.0.0"
    answer = curl(local_vertex, "-i", url)
    assert "x-tuneline-template:" in answer.stdout.lower()
    assert "pipelineInfo:" in answer.stdout
    assert curl(local_vertex, "-o", "/dev/null", "-w", "%{http_code}", url + "x/y/z").stdout == "404"


def raw(vertex: LocalVertex, request: str) -> bytes:
    """All that is answered to a request sent as it is, which is the connection's last."""
    with socket.create_connection(("127.0.0.1", vertex.port), timeout=10) as connection:
        connection.sendall(request.replace("\r\n", "\r\nConnection: close\r\n", 1).encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "header",
    ["Host: evil.example", "Host: 127.0.0.1.evil.example", "Host: 127.0.0.1\r\nOrigin: https://evil.example"],
)
def test_foreign_pages_are_refused(local_vertex, header):
    """A bent DNS name, and another site's script."""
    assert raw(local_vertex, f"GET /v1/{WHERE}/endpoints HTTP/1.1\r\n{header}\r\n\r\n").startswith(b"HTTP/1.1 403")


def test_a_connection_that_carried_requests_may_become_a_tunnel(local_vertex):
    """Node's agent sends CONNECT on the connection it kept from asking the metadata server."""
    context = ssl.create_default_context(cafile=local_vertex.environment()["SSL_CERT_FILE"])
    with socket.create_connection(("127.0.0.1", local_vertex.port), timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while b"status" not in answer:
            answer += connection.recv(4096)
        connection.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        with context.wrap_socket(connection, server_hostname=HOST) as secure:
            secure.sendall(f"GET /v1/{WHERE}/endpoints HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert secure.recv(4096).startswith(b"HTTP/1.1 200")


def test_the_answer_carries_the_servers_time(local_vertex):
    """The ledger takes its time from it."""
    assert b"\r\ndate: " in raw(local_vertex, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


def test_it_listens_on_loopback_alone(local_vertex):
    """Not on any other address of this machine."""
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        if address.startswith("127."):
            continue
        with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
            socket.create_connection((address, local_vertex.port), timeout=2)


def test_the_authority_is_the_users_alone_and_signs_each_host(local_vertex):
    """Its key has mode 0600; a name that no wildcard covers has a certificate too."""
    authority = local_vertex.environment()["SSL_CERT_FILE"]
    key = local_vertex.data / "ca" / "ca.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    context = ssl.create_default_context(cafile=authority)
    for host in ("aiplatform.us.rep.googleapis.com", "storage.googleapis.com", "localhost"):
        with (
            socket.create_connection(("127.0.0.1", local_vertex.port), timeout=10) as connection,
            context.wrap_socket(connection, server_hostname=host) as secure,
        ):
            assert ("DNS", host) in secure.getpeercert()["subjectAltName"]


def test_the_metadata_server_wants_its_header(local_vertex):
    """As the real one: a page cannot send it."""
    path = "GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1\r\nHost: metadata.google.internal"
    assert raw(local_vertex, f"{path}\r\n\r\n").startswith(b"HTTP/1.1 403")
    assert b"access_token" in raw(local_vertex, f"{path}\r\nMetadata-Flavor: Google\r\n\r\n")


def test_garbage_ends_a_connection_and_nothing_else(local_vertex):
    """HTTP/2 that is none, TLS that is none, a CONNECT without an end."""
    for noise in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64, b"\x16\x03\x01\xff\xff" + b"x" * 64, b"\x00\x01"):
        with socket.create_connection(("127.0.0.1", local_vertex.port), timeout=10) as connection:
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    assert local_vertex.request("GET", "/_tuneline/status")["running"] is True
