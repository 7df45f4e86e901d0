"""kill -9 at any moment loses nothing that was answered, tears nothing, and leaves no rubbish behind."""

from __future__ import annotations

import base64
import hashlib
import random
import sqlite3
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.local.storage.conftest import Service
from tuneline.local import storage

GONE = None
"""The content of an object that is not there."""


class Writer(threading.Thread):
    """Writes, joins, moves, deletes its own objects one call after the other, and remembers what each must be."""

    def __init__(self, service: Service, number: int, seed: int, known: dict[str, set[bytes | None]]) -> None:
        super().__init__()
        self.service = service
        self.number = number
        self.random = random.Random(seed)
        self.known = known
        """Name → what it may hold: one thing, or two where a call was not answered."""
        self.writes = 0
        self.error: Exception | None = None

    def run(self) -> None:
        session = requests.Session()
        try:
            while True:
                self.random.choice((self.put, self.put, self.resumable, self.compose, self.move, self.delete))(session)
                self.writes += 1
        except requests.RequestException:
            return  # the service was killed
        except (AssertionError, KeyError, ValueError) as error:
            self.error = error

    def pick(self) -> str:
        return f"writer-{self.number}/{self.random.randrange(6)}"

    def held(self) -> str | None:
        names = [
            name for name, may in self.known.items() if may != {GONE} and name.startswith(f"writer-{self.number}/")
        ]
        return self.random.choice(sorted(names)) if names else None

    def content(self) -> bytes:
        return self.random.randbytes(self.random.choice((0, 100, 5000, 300_000, 1_500_000)))

    def settle(self, changes: dict[str, bytes | None], *call: object, **rest: object) -> None:
        """Makes one call; until it is answered, the objects it changes may be either way."""
        session, method, path, *_ = call
        for name, content in changes.items():
            self.known[name] = self.known.get(name, {GONE}) | {content}
        answer = session.request(method, self.service.url + path, timeout=60, **rest)
        assert answer.status_code in (200, 204), answer.text
        for name, content in changes.items():
            self.known[name] = {content}

    def put(self, session: requests.Session) -> None:
        name, content = self.pick(), self.content()
        path = f"/upload/storage/v1/b/tuneline-local/o?uploadType=media&name={name}"
        self.settle({name: content}, session, "POST", path, data=content)

    def resumable(self, session: requests.Session) -> None:
        name, content = self.pick(), self.content()
        path = f"/upload/storage/v1/b/tuneline-local/o?uploadType=resumable&name={name}"
        uri = session.post(self.service.url + path, timeout=60).headers["location"].removeprefix(self.service.url)
        for at in range(0, len(content) - 262_144, 262_144):
            span = {"Content-Range": f"bytes {at}-{at + 262_143}/{len(content)}"}
            data = content[at : at + 262_144]
            assert session.put(self.service.url + uri, data=data, headers=span, timeout=60).status_code == 308
        last = max(0, (len(content) - 1) // 262_144 * 262_144)
        span = f"bytes {last}-{len(content) - 1}/{len(content)}" if content else "bytes */0"
        self.settle({name: content}, session, "PUT", uri, data=content[last:], headers={"Content-Range": span})

    def compose(self, session: requests.Session) -> None:
        source, name = self.held(), self.pick()
        if source is None or len(self.known[source]) > 1 or source == name:
            return
        [content] = self.known[source]
        assert content is not GONE
        if len(content) > 3_000_000:
            return
        body = {"sourceObjects": [{"name": source}, {"name": source}]}
        path = f"/storage/v1/b/tuneline-local/o/{name.replace('/', '%2F')}/compose"
        self.settle({name: content * 2}, session, "POST", path, json=body)

    def move(self, session: requests.Session) -> None:
        source, name = self.held(), self.pick()
        if source is None or len(self.known[source]) > 1 or source == name:
            return
        [content] = self.known[source]
        quoted = [part.replace("/", "%2F") for part in (source, name)]
        path = f"/storage/v1/b/tuneline-local/o/{quoted[0]}/moveTo/o/{quoted[1]}"
        self.settle({name: content, source: GONE}, session, "POST", path)

    def delete(self, session: requests.Session) -> None:
        source = self.held()
        if source is None or GONE in self.known[source]:
            return
        path = f"/storage/v1/b/tuneline-local/o/{source.replace('/', '%2F')}"
        self.settle({source: GONE}, session, "DELETE", path)


def check(service: Service, known: dict[str, set[bytes | None]]) -> None:
    """Each object is one of the things it may be, whole, with the checksum that the index tells; then it is certain."""
    session = requests.Session()
    listed = session.get(f"{service.url}/storage/v1/b/tuneline-local/o", timeout=60).json().get("items", [])
    resources = {item["name"]: item for item in listed}
    for name, may in known.items():
        answer = session.get(f"{service.url}/tuneline-local/{name}", timeout=60)
        content = answer.content if answer.status_code == 200 else GONE
        assert content in may, f"{name} holds {len(content or b'')} bytes, which were never written there"
        assert (name in resources) == (content is not GONE)
        if content is not GONE and "md5Hash" in resources[name]:
            assert resources[name]["md5Hash"] == base64.b64encode(hashlib.md5(content).digest()).decode()
        known[name] = {content}


def files(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


def kill_rounds(service: Service, rounds: int, seed: int) -> int:
    chance = random.Random(seed)
    known: dict[str, set[bytes | None]] = {}
    writes = 0
    for number in range(rounds):
        writers = [Writer(service, writer, chance.randrange(1 << 30), known) for writer in range(4)]
        for writer in writers:
            writer.start()
        time.sleep(chance.uniform(0.01, 0.4))  # the moment of the kill is the point of the test
        service.kill()
        for writer in writers:
            writer.join()
            assert writer.error is None, repr(writer.error)
        writes += sum(writer.writes for writer in writers)
        service.start()
        check(service, known)
        if number % 5 == 4:  # what the crash left is swept at the start; a second one sees only what is named
            service.restart()
            present = sum(1 for may in known.values() if may != {GONE})
            assert files(service.data / "objects" / "blobs") == present
    return writes


def test_a_kill_tears_and_loses_nothing(service: Service) -> None:
    """Five kills under four writers: what was answered is there, whole; what was not is old or new, nothing else."""
    assert kill_rounds(service, rounds=5, seed=1) > 20


@pytest.mark.slow
def test_sixty_kills_tear_and_lose_nothing(service: Service) -> None:
    """The same sixty times."""
    assert kill_rounds(service, rounds=60, seed=2) > 500


def test_a_newer_format_is_refused_plainly(service: Service) -> None:
    """An index of another format is not touched: the error names both formats and the way out."""
    service.kill()
    with sqlite3.connect(service.data / "objects" / "index.sqlite") as index:
        index.execute("PRAGMA user_version = 99")
    index.close()
    with pytest.raises(RuntimeError, match="format 99"):
        storage.app(service.data)
    with sqlite3.connect(service.data / "objects" / "index.sqlite") as index:
        index.execute("PRAGMA user_version = 1")
    index.close()
    service.start()
