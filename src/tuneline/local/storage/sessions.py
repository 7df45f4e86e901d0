"""Resumable uploads: sessions that survive a lost connection and a restart of the service.

https://cloud.google.com/storage/docs/performing-resumable-uploads. What a 308 answer promises is on disk; a chunk that
was received already is skipped; a session that is done answers with its object.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
import uuid
from dataclasses import dataclass, field

import orjson

from tuneline.local.storage.bodies import Draft
from tuneline.local.storage.conditions import Conditions, of_headers, of_query
from tuneline.local.storage.errors import Refusal, invalid
from tuneline.local.storage.exchange import Disconnected, Request, Response, json_response
from tuneline.local.storage.index import Transaction
from tuneline.local.storage.names import check_object
from tuneline.local.storage.store import Resource, Store, insert, stored
from tuneline.local.storage.uploads import check_sums, described

_RANGE = re.compile(r"bytes (?:(\d+)-(\d+|\*)|\*)/(\d+|\*)")
_OPEN = 64
"""Sessions whose file and hashes are kept at hand; older ones are read again when they go on."""


@dataclass(kw_only=True)
class Session:
    """One upload under way: what was said of the object, and its body so far."""

    id: str
    bucket: str
    name: str
    said: Resource
    conditions: Conditions
    draft: Draft
    noted: int
    """Bytes that the index says are on disk."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    owner: object = None
    """The request that may write: the newest one, since an older one's connection may be dead without our knowing."""


class Sessions:
    """The resumable uploads of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, Session] = {}
        self._opening = asyncio.Lock()

    async def start(
        self, request: Request, bucket: str, *, said: Resource, name: str = "", xml: bool = False
    ) -> Response:
        """Begins a session; its URI is in the `Location` header."""
        told = described(request, said, request.headers.get("x-upload-content-type", ""))
        if name:
            told["name"] = name
            told["contentType"] = request.headers.get("content-type") or told["contentType"]
        told["name"] = check_object(told["name"])
        await request.calling("storage.objects.startResumableUpload", f"gs://{bucket}/{told['name']}")
        conditions = of_headers(request) if xml else of_query(request)
        self._store.precheck(bucket, told["name"], conditions)
        session = uuid.uuid4().hex
        asked = stored({"said": told, "conditions": conditions.to_dict()})

        def step(tx: Transaction) -> None:
            statement = "INSERT INTO uploads (id, bucket, name, request, received, created) VALUES (?, ?, ?, ?, 0, ?)"
            tx.execute(statement, session, bucket, told["name"], asked, time.time())

        await self._store.index.write(step)
        kind = "" if xml else "uploadType=resumable&"
        uri = f"{request.origin}/{'/'.join(request.segments)}?{kind}upload_id={session}"
        headers = [("location", uri), ("x-guploader-uploadid", session), ("content-type", "text/plain; charset=utf-8")]
        return Response(status=201 if xml else 200, headers=headers)

    async def receive(self, request: Request, session_id: str) -> Response:
        """A chunk, the whole body, or the question how far the upload is."""
        row = self._row(session_id)
        await request.calling("storage.objects.insert", f"gs://{row['bucket']}/{row['name']}")
        start, total, last = _content_range(request.headers.get("content-range", ""))
        if row["result"] is not None:
            async for _ in request.body:  # sent again, since our answer was lost
                pass
            return json_response(orjson.loads(row["result"]))
        session = await self._load(row)
        me = session.owner = object()
        if start is not None:
            await self._take(session, me, request, start)
        async with session.lock:
            self._still_mine(session, me)
            await session.draft.settle()
            if last and total is None:
                total = session.draft.size
            if total is not None and session.draft.size > total:
                raise invalid(f"The upload has {session.draft.size} bytes where Content-Range said {total} in all.")
            if total is not None and session.draft.size == total:
                return json_response(await self._finish(session, request))
            await self._note(session)
        size = session.draft.size
        return Response(status=308, headers=[("range", f"bytes=0-{size - 1}")] if size else [])

    async def cancel(self, request: Request, session_id: str) -> Response:
        """Ends a session; nothing of it was stored."""
        row = self._row(session_id)
        await request.calling("storage.objects.cancelResumableUpload", f"gs://{row['bucket']}/{row['name']}")
        await self._forget(session_id)
        return Response(status=499, headers=[("content-type", "text/plain")])

    async def _take(self, session: Session, me: object, request: Request, start: int) -> None:
        """Writes the bytes that are new; what came before the connection broke is kept."""
        async with session.lock:
            self._still_mine(session, me)
            await session.draft.settle()
        if start > session.draft.size:
            raise Refusal(
                503,
                f"The chunk begins at byte {start}, but only {session.draft.size} bytes were received: "
                "ask for the status (Content-Range: bytes */*) and go on from there.",
            )
        known = session.draft.size - start
        try:
            async for piece in request.body:
                fresh, known = piece[known:], max(0, known - len(piece))
                if not fresh:
                    continue
                async with session.lock:
                    self._still_mine(session, me)
                    await session.draft.write(fresh)
                    if session.draft.synced - session.noted >= 1 << 26:
                        await self._note(session, sync=False)
        except Disconnected:
            async with session.lock:
                self._still_mine(session, me)
                await self._note(session)
            raise

    async def _note(self, session: Session, *, sync: bool = True) -> None:
        """Writes down how much is on disk."""
        if sync:
            await session.draft.sync()
        size = session.draft.synced
        if size != session.noted:
            await self._store.index.write(
                lambda tx: tx.execute("UPDATE uploads SET received = ? WHERE id = ?", size, session.id) and None
            )
            session.noted = size

    async def _finish(self, session: Session, request: Request) -> Resource:
        """Makes the object and ends the session in one step."""

        def step(tx: Transaction) -> Resource:
            said = {key: value for key, value in session.said.items() if key != "name"}
            resource = insert(tx, session.bucket, session.name, said, body, session.conditions)
            tx.execute("UPDATE uploads SET result = ? WHERE id = ?", stored(resource), session.id)
            return resource

        try:
            check_sums(session.draft.body(), session.said, request.headers)
            body = await session.draft.finish()
            return await self._store.commit(step, body)
        except Refusal:
            await self._forget(session.id)
            raise
        finally:
            self._open.pop(session.id, None)

    def _row(self, session_id: str) -> sqlite3.Row:
        row = self._store.index.one("SELECT * FROM uploads WHERE id = ?", session_id)
        if row is None:
            raise Refusal(404, f"No such upload session: {session_id[:64]}", code="NoSuchUpload")
        return row

    async def _load(self, row: sqlite3.Row) -> Session:
        """The session at hand, or read from disk: a service that was restarted goes on with it."""
        session_id = row["id"]
        async with self._opening:
            if session_id in self._open:
                return self._open[session_id]
            await self._make_room()
            request = orjson.loads(row["request"])
            draft = await self._store.bodies.run(self._store.bodies.resume, session_id, row["received"])
            self._open[session_id] = Session(
                id=session_id,
                bucket=row["bucket"],
                name=row["name"],
                said=request["said"],
                conditions=Conditions(**request["conditions"]),
                draft=draft,
                noted=row["received"],
            )
            return self._open[session_id]

    async def _make_room(self) -> None:
        for session_id, session in list(self._open.items()):
            if len(self._open) < _OPEN:
                return
            if not session.lock.locked():
                async with session.lock:
                    self._open.pop(session_id, None)
                    session.owner = None
                    await self._note(session)
                    await session.draft.close()

    async def _forget(self, session_id: str) -> None:
        session = self._open.pop(session_id, None)
        await self._store.index.write(lambda tx: tx.execute("DELETE FROM uploads WHERE id = ?", session_id) and None)
        if session is not None:
            session.owner = None
            await session.draft.discard()
        else:
            await self._store.bodies.run(self._store.bodies.free, [session_id])

    @staticmethod
    def _still_mine(session: Session, me: object) -> None:
        if session.owner is not me:
            raise Refusal(503, "A newer request goes on with this upload, or it was cancelled.")


def _content_range(header: str) -> tuple[int | None, int | None, bool]:
    """Where the chunk begins (None: only a question), the size of the whole (None: not known), and whether it is the
    last: a body without a range, or with an open one (`bytes 0-*/*`), is all the rest."""
    if not header:
        return 0, None, True
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        raise invalid(f"Content-Range not understood: '{header[:80]}'. Expected 'bytes 0-99/*' or 'bytes */*'.")
    return int(match[1]) if match[1] else None, int(match[3]) if match[3] != "*" else None, match[2] == "*"
