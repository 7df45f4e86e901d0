"""The application as the service mounts it: each write is told, faults strike where they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tuneline.local import storage
from tuneline.local.resources.faults import Dropped, Fault, Faults

UPLOAD = "/upload/storage/v1/b/tuneline-local/o"
OBJECT = "/storage/v1/b/tuneline-local/o/x"


@dataclass
class Mounted:
    """The application, called as a server calls it."""

    application: storage.Storage
    faults: Faults
    told: list[tuple[str, str, int]] = field(default_factory=list)

    def ask(self, *calls: tuple[str, str, str, bytes]) -> list[int]:
        """Statuses of calls made one after the other; 0 where the connection was dropped."""

        async def one(method: str, path: str, query: str, body: bytes) -> int:
            sent: list[Any] = []

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": body}

            async def send(message: Any) -> None:
                sent.append(message)

            scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": []}
            scope["query_string"] = query.encode()
            try:
                await self.application(scope, receive, send)
            except Dropped:
                return 0
            return int(sent[0]["status"])

        async def all_calls() -> list[int]:
            return [await one(*call) for call in calls]

        return asyncio.run(all_calls())


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    faults = Faults()
    told: list[tuple[str, str, int]] = []
    application = storage.app(tmp_path, on_call=lambda *call: told.append(call), faults=faults)
    yield Mounted(application, faults, told)
    application.close()


def put(body: bytes, **conditions: object) -> tuple[str, str, str, bytes]:
    query = "".join(f"&{key}={value}" for key, value in conditions.items())
    return "POST", UPLOAD, f"uploadType=media&name=x{query}", body


def test_each_write_is_told_with_its_outcome(mounted: Mounted) -> None:
    """`on_call` hears method, address and status of writes, refused ones included, and of no reads."""
    statuses = mounted.ask(
        put(b"1"),
        put(b"1", ifGenerationMatch=0),
        ("GET", OBJECT, "", b""),
        ("PATCH", OBJECT, "", b'{"metadata": {"a": "b"}}'),
        ("DELETE", OBJECT, "", b""),
        ("POST", "/storage/v1/b", "project=p", b'{"name": "told"}'),
    )
    assert statuses == [200, 412, 200, 200, 204, 200]
    assert mounted.told == [
        ("storage.objects.insert", "gs://tuneline-local/x", 200),
        ("storage.objects.insert", "gs://tuneline-local/x", 412),
        ("storage.objects.patch", "gs://tuneline-local/x", 200),
        ("storage.objects.delete", "gs://tuneline-local/x", 204),
        ("storage.buckets.insert", "gs://told", 200),
    ]


def test_a_fault_refuses_as_often_as_it_was_told(mounted: Mounted) -> None:
    """503 twice, then the write goes through; a fault on lists leaves writes alone."""
    mounted.faults.add(Fault(method="storage.objects.insert", status=503, times=2))
    mounted.faults.add(Fault(method="storage.objects.list", status=429))
    listing = ("GET", "/storage/v1/b/tuneline-local/o", "", b"")
    assert mounted.ask(put(b"1"), put(b"1"), ("GET", OBJECT, "", b""), put(b"1"), listing, listing) == [
        503, 503, 404, 200, 429, 200,
    ]  # fmt: skip


def test_a_drop_comes_before_or_after_the_effect(mounted: Mounted) -> None:
    """Dropped before: nothing is stored. Dropped after: it is, though the client hears nothing."""
    mounted.faults.add(Fault(method="storage.objects.insert", drop="before"))
    assert mounted.ask(put(b"1"), ("GET", OBJECT, "", b"")) == [0, 404]
    mounted.faults.add(Fault(method="storage.objects.*", drop="after"))
    assert mounted.ask(put(b"1"), ("GET", OBJECT, "", b"")) == [0, 200]
    assert mounted.told[-1] == ("storage.objects.insert", "gs://tuneline-local/x", 200)


def test_a_lost_client_costs_nothing(mounted: Mounted) -> None:
    """A connection that breaks in the middle of a body leaves neither object nor file."""
    pieces: list[Any] = [
        {"type": "http.request", "body": b"x" * 3_000_000, "more_body": True},
        {"type": "http.disconnect"},
    ]
    scope = {"type": "http", "method": "POST", "path": UPLOAD, "raw_path": UPLOAD.encode(), "headers": []}
    scope["query_string"] = b"uploadType=media&name=x"

    async def receive() -> Any:
        return pieces.pop(0)

    async def send(message: Any) -> None:
        raise AssertionError(f"nobody is there to be answered: {message}")

    run: Callable[..., Awaitable[None]] = mounted.application
    asyncio.run(run(scope, receive, send))
    assert mounted.ask(("GET", OBJECT, "", b"")) == [404]
    assert mounted.told == [("storage.objects.insert", "gs://tuneline-local/x", 499)]
    assert list(mounted.application.root.glob("incoming/*")) == []
