"""Upload and download of one large object: the local Cloud Storage, a plain loopback HTTP server, and a peer.

    python benchmarks/object_store.py [--mib 1024] [--rounds 3] [--no-peer]

Three questions, each printed with its target:
- the time of ours over the time of copying the same file through a plain HTTP server, which neither hashes nor syncs;
- the most memory that our service held;
- the time of gcp-storage-emulator over ours for the same upload by the official client.

The peer is installed from the package registry into a virtual environment of its own below `.scratch/`.
Best of the rounds counts: other work on the machine only ever makes a run slower.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

SCRATCH = Path(__file__).resolve().parent.parent / ".scratch"
PIECE = 1 << 20
OBJECT = "/storage/v1/b/tuneline-local/o/raw?alt=media"
UPLOAD = "/upload/storage/v1/b/tuneline-local/o?uploadType=media&name=raw"

PLAIN = """
import http.server, os, shutil, sys
class Copy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *rest): pass
    def do_POST(self):
        left = int(self.headers["content-length"])
        with open("copy", "wb") as out:
            while left:
                piece = self.rfile.read(min(left, 1 << 20))
                out.write(piece)
                left -= len(piece)
        self.send_response(200); self.send_header("content-length", "0"); self.end_headers()
    def do_GET(self):
        with open("copy", "rb") as file:
            self.send_response(200); self.send_header("content-length", str(os.fstat(file.fileno()).st_size))
            self.end_headers(); shutil.copyfileobj(file, self.wfile, 1 << 20)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Copy).serve_forever()
"""

CLIENT = """
import sys, time
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
client = storage.Client(project="tuneline-local", credentials=AnonymousCredentials())
bucket = client.bucket(sys.argv[1])
if not bucket.exists():
    bucket.create()
began = time.perf_counter()
bucket.blob("big").upload_from_filename(sys.argv[2], timeout=600)
middle = time.perf_counter()
bucket.blob("big").download_to_filename(sys.argv[3], timeout=600)
print(middle - began, time.perf_counter() - middle)
"""


@contextlib.contextmanager
def server(command: list[str], port: int, folder: Path, environment: dict[str, str] | None = None) -> Iterator[int]:
    """A server's process id while it listens."""
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit(f"did not start: {' '.join(command)}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def send(port: int, path: str, source: Path) -> float:
    """Seconds to POST a file."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=600, blocksize=PIECE)
    began = time.perf_counter()
    with source.open("rb") as file:
        line.request("POST", path, body=file, headers={"Content-Length": str(source.stat().st_size)})
        answer = line.getresponse()
        answer.read()
    if answer.status != 200:
        raise SystemExit(f"POST {path} was answered {answer.status}")
    return time.perf_counter() - began


def fetch(port: int, path: str, target: Path) -> float:
    """Seconds to GET into a file."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.perf_counter()
    line.request("GET", path)
    with target.open("wb") as out:
        shutil.copyfileobj(line.getresponse(), out, PIECE)
    return time.perf_counter() - began


def official(url: str, bucket: str, source: Path, target: Path) -> tuple[float, float]:
    """Seconds up and down by the official client, in a process of its own."""
    environment = {**os.environ, "STORAGE_EMULATOR_HOST": url}
    command = [sys.executable, "-c", CLIENT, bucket, str(source), str(target)]
    up, down = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()
    return float(up), float(down)


def best(rounds: int, measure: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    found = [measure() for _ in range(rounds)]
    return min(up for up, _ in found), min(down for _, down in found)


def peak_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def peer_python() -> Path:
    """The interpreter of an environment that has gcp-storage-emulator, made if it is not there."""
    home = SCRATCH / "peer-gcp-storage-emulator"
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "gcp-storage-emulator"], check=True)
        (home / "ready").touch()
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024, help="size of the object in MiB")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the best counts")
    parser.add_argument("--no-peer", action="store_true", help="leave gcp-storage-emulator out")
    options = parser.parse_args()
    SCRATCH.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=SCRATCH, prefix="object-store-"))
    source, target = folder / "source", folder / "target"
    try:
        with source.open("wb") as out:
            for _ in range(options.mib):
                out.write(os.urandom(PIECE))
        measure(folder, source, target, options.rounds, peer=not options.no_peer)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, source: Path, target: Path, rounds: int, *, peer: bool) -> None:
    print(f"{source.stat().st_size >> 20} MiB, best of {rounds}, {os.cpu_count()} CPUs; seconds up, seconds down")
    port = free_port()
    with server([sys.executable, "-c", PLAIN, str(port)], port, folder):
        plain = best(rounds, lambda: (send(port, "/", source), fetch(port, "/", target)))
    print(f"plain loopback HTTP server, same client   {plain[0]:6.2f} {plain[1]:6.2f}")
    (folder / "copy").unlink()
    port = free_port()
    command = [sys.executable, "-m", "tuneline.local", "--data", str(folder / "data"), "--port", str(port)]
    with server(command, port, folder) as pid:
        ours = best(rounds, lambda: (send(port, UPLOAD, source), fetch(port, OBJECT, target)))
        url = f"http://127.0.0.1:{port}"
        client = best(rounds, lambda: official(url, "tuneline-local", source, target))
        memory = peak_mb(pid)
    print(f"local Cloud Storage, same client          {ours[0]:6.2f} {ours[1]:6.2f}")
    print(f"local Cloud Storage, official client      {client[0]:6.2f} {client[1]:6.2f}")
    if peer:
        port = free_port()
        store = folder / "peer"
        store.mkdir()
        command = [
            str(peer_python()),
            "-m",
            "gcp_storage_emulator",
            f"--data-dir={store / 'data'}",
            "start",
            "--host=127.0.0.1",
        ]
        with server([*command, f"--port={port}"], port, store) as pid:
            theirs = official(f"http://127.0.0.1:{port}", "peer-bucket", source, target)
            print(
                f"gcp-storage-emulator, official client     {theirs[0]:6.2f} {theirs[1]:6.2f}   {peak_mb(pid):.0f} MB"
            )
    print()
    ratio = (ours[0] + ours[1]) / (plain[0] + plain[1])
    print(f"up and down over a plain copy   {ratio:5.2f} ×   (target: at most 2)")
    print(f"peak memory                     {memory:5.0f} MB  (the whole local service)")
    if peer:
        print(f"faster up than the peer by      {theirs[0] / client[0]:5.1f} ×   (target: at least 5)")


if __name__ == "__main__":
    main()
