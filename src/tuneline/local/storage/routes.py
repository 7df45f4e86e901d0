"""Cloud Storage as a bare ASGI application: from a path to the function that answers it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tuneline.local.storage import batch, buckets, downloads, listing, objects, uploads, xml
from tuneline.local.storage.conditions import of_query
from tuneline.local.storage.errors import NotModified, Refusal
from tuneline.local.storage.exchange import (
    Disconnected,
    Request,
    Response,
    decode,
    json_response,
    parse_object,
    parse_query,
)
from tuneline.local.storage.sessions import Sessions
from tuneline.local.storage.store import Store

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
OnCall = Callable[[str, str, int], None]

_log = logging.getLogger(__name__)
_JSON_ROOTS = (["storage", "v1"], ["storage", "v1beta2"], [])
_HOSTS = (".storage.googleapis.com", ".storage.localhost")


def project_number(project: str) -> str:
    """The number of a project, made from its id where the id is not a number already."""
    if project.isdecimal():
        return project
    return str(100_000_000_000 + int.from_bytes(hashlib.sha256(project.encode()).digest()[:4], "big"))


def app(
    data: Path,
    *,
    on_call: OnCall | None = None,
    project: str = "tuneline-local",
    number_of: Callable[[str], str] = project_number,
) -> Storage:
    """Cloud Storage over the folder `data/objects`: objects and their index, as a crash or a restart left them.

    `on_call(method, resource, status)` is told each write, also one that is refused, before it is answered.
    `project` owns the bucket `tuneline-local`; `number_of` gives a project's number, as Resource Manager tells it.
    The server that mounts this sets the `Date` header.
    """
    return Storage(data, on_call=on_call, project=project, number_of=number_of)


class Storage:
    """The application; `close()` when it is not served any more (a kill does no harm)."""

    def __init__(self, data: Path, *, on_call: OnCall | None, project: str, number_of: Callable[[str], str]) -> None:
        self._store = Store(data / "objects", project_number=number_of)
        self._sessions = Sessions(self._store)
        self._on_call = on_call
        buckets.create_first(self._store, project)

    def close(self) -> None:
        self._store.close()

    @staticmethod
    def claims(scope: Scope) -> bool:
        """Whether a request's path or host is Cloud Storage's beyond doubt; what nobody claims may be its XML API."""
        first, _, rest = scope["path"].lstrip("/").partition("/")
        if first in ("storage", "b"):
            return True
        if first in ("upload", "download", "resumable", "batch"):
            return rest.startswith(("storage/", "b/", "upload/storage/")) or (first == "batch" and not rest)
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").partition(":")[0]
        return host == _HOSTS[0][1:] or host.endswith(_HOSTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"Cloud Storage is served over HTTP, not {scope['type']}")
        request = _request(scope, receive)
        try:
            response = await self._answer(request)
            await _drain(request)
            await _send(response, request.method, send)
        except Disconnected:
            self._tell(request, 499)

    async def _answer(self, request: Request) -> Response:
        """The answer to one request, refusals included, in the form of the API that was called."""
        as_xml = False
        try:
            as_xml, handler = self._route(request)
            response = await handler()
        except NotModified:
            response = Response(status=304)
        except Refusal as refusal:
            body = refusal.to_xml() if as_xml else refusal.to_json()
            kind = "application/xml; charset=UTF-8" if as_xml else "application/json; charset=UTF-8"
            response = Response(status=refusal.status, headers=[("content-type", kind)], body=body)
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001 - told to the caller and to the log
            _log.exception("Cloud Storage failed at %s /%s", request.method, "/".join(request.segments))
            refusal = Refusal(
                500, f"The local Cloud Storage failed: {type(error).__name__}: {error}", reason="backendError"
            )
            response = Response(status=500, headers=[("content-type", "application/json")], body=refusal.to_json())
        self._tell(request, response.status)
        return response

    def _tell(self, request: Request, status: int) -> None:
        if self._on_call and request.called and status != 308:
            self._on_call(request.called, request.resource, status)

    def _route(self, request: Request) -> tuple[bool, Callable[[], Awaitable[Response]]]:
        """Whether the XML API is called, and what answers."""
        path = request.segments
        if path[0] == "batch":
            return False, partial(batch.answer, request, self._answer)
        if path[0] == "resumable":
            path = path[1:]
        head, rest = ("", path) if path[0] not in ("upload", "download") else (path[0], path[1:])
        for root in _JSON_ROOTS:
            if rest[: len(root)] == root and len(rest) > len(root) and (root or rest[0] == "b"):
                parts = [decode(segment) for segment in rest[len(root) :]]
                if head == "upload":
                    return False, partial(self._upload, request, parts)
                return False, partial(self._json, request, parts, media=head == "download")
        host = request.headers.get("host", "").partition(":")[0]
        bucket = next((host.removesuffix(end) for end in _HOSTS if host.endswith(end)), "")
        if not bucket:
            bucket, path = decode(path[0]), path[1:]
        if not bucket:
            raise Refusal(404, "No such page: the root of Cloud Storage has none.")
        return True, partial(xml.answer, self._store, self._sessions, request, bucket, decode("/".join(path)))

    async def _json(self, request: Request, parts: list[str], *, media: bool) -> Response:
        store = self._store
        match request.method, *parts:
            case "GET", "b":
                return await buckets.list_all(store, request)
            case "POST", "b":
                return await buckets.create(store, request)
            case "GET", "b", bucket:
                return await buckets.get(store, request, bucket)
            case (("PATCH" | "PUT"), "b", bucket):
                return await buckets.change(store, request, bucket)
            case "DELETE", "b", bucket:
                return await buckets.delete(store, request, bucket)
            case "GET", "b", bucket, "iam", "testPermissions":
                return await buckets.test_permissions(store, request, bucket)
            case (("GET" | "PUT"), "b", bucket, "iam"):
                return await buckets.policy(store, request, bucket)
            case "GET", "b", bucket, "storageLayout":
                home = store.bucket(bucket)
                layout = {key: home[key] for key in ("location", "locationType")}
                return json_response({"kind": "storage#storageLayout", "bucket": bucket, **layout})
            case "GET", "b", bucket, "o":
                return self._list(request, bucket)
            case (("GET" | "HEAD"), "b", bucket, "o", name) if media or request.first("alt") == "media":
                return await downloads.content(store, request, bucket, name, of_query(request))
            case "GET", "b", bucket, "o", name:
                return await objects.get(store, request, bucket, name)
            case (("PATCH" | "PUT"), "b", bucket, "o", name):
                return await objects.change(store, request, bucket, name)
            case "DELETE", "b", bucket, "o", name:
                return await objects.delete(store, request, bucket, name)
            case "POST", "b", bucket, "o", name, "compose":
                return await objects.compose(store, request, bucket, name)
            case "POST", "b", bucket, "o", name, ("rewriteTo" | "copyTo") as how, "b", to, "o", target:
                rewrite = how == "rewriteTo"
                return await objects.copy(store, request, (bucket, name), (to, target), rewrite=rewrite)
            case "POST", "b", bucket, "o", source, "moveTo", "o", target:
                return await objects.move(store, request, bucket, source, target)
            case "GET", "projects", project, "serviceAccount":
                email = f"service-{store.project_number(project)}@gs-project-accounts.iam.gserviceaccount.com"
                return json_response({"kind": "storage#serviceAccount", "email_address": email})
        raise Refusal(501, f"The local Cloud Storage does not serve {request.method} /{'/'.join(parts)}.")

    async def _upload(self, request: Request, parts: list[str]) -> Response:
        match parts:
            case "b", bucket, "o":
                pass
            case _:
                raise Refusal(404, f"Uploads go to /upload/storage/v1/b/BUCKET/o, not to /{'/'.join(parts)}.")
        session = request.first("upload_id")
        match request.method, request.first("uploadType"):
            case (("PUT" | "POST"), _) if session:
                return await self._sessions.receive(request, session)
            case "DELETE", _ if session:
                return await self._sessions.cancel(request, session)
            case "POST", "resumable":
                return await self._sessions.start(request, bucket, said=parse_object(await request.read()))
            case "POST", "multipart":
                return await uploads.multipart(self._store, request, bucket)
            case (("POST" | "PUT"), "media"):
                return await uploads.media(self._store, request, bucket)
        raise Refusal(400, "uploadType must be media, multipart or resumable.", location="uploadType")

    def _list(self, request: Request, bucket: str) -> Response:
        if request.flag("softDeleted"):  # nothing is kept to be restored, and each bucket says so
            return json_response({"kind": "storage#objects"})
        found = listing.page(self._store, listing.of_query(request, bucket))
        answer: dict[str, Any] = {"kind": "storage#objects"}
        if found.items:
            answer["items"] = found.items
        if found.prefixes:
            answer["prefixes"] = found.prefixes
        if found.next_token:
            answer["nextPageToken"] = found.next_token
        return json_response(answer)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                self.close()
                return


def _request(scope: Scope, receive: Receive) -> Request:
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    headers: dict[str, str] = {}
    for key, value in scope["headers"]:
        name = key.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers[name] = f"{headers[name]},{text}" if name in headers else text
    return Request(
        method=scope["method"],
        segments=raw.decode("latin-1").partition("?")[0].lstrip("/").split("/"),
        query=parse_query(scope["query_string"].decode("latin-1")),
        headers=headers,
        body=_body(receive),
        origin=f"{scope.get('scheme', 'http')}://{headers.get('host', '127.0.0.1')}",
    )


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        if piece := message.get("body"):
            yield piece
        if not message.get("more_body"):
            return


async def _drain(request: Request) -> None:
    """Takes what is left of the body: clients read no answer before they have sent it all."""
    if "expect" not in request.headers:
        async for _ in request.body:
            pass


async def _send(response: Response, method: str, send: Send) -> None:
    headers = [(key.encode("latin-1"), _header(value)) for key, value in response.headers]
    if response.stream is None:
        if method != "HEAD" and response.status not in (204, 304):
            headers.append((b"content-length", str(len(response.body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})
        return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    async for piece in response.stream:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _header(value: str) -> bytes:
    """A header's value; what is not Latin-1 goes as its UTF-8 bytes, and line breaks are taken out."""
    return value.replace("\r", " ").replace("\n", " ").encode()
