"""Cloud Storage as a bare ASGI application: from a path to the function that answers it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from tuneline.local.resources.errors import ApiError
from tuneline.local.resources.faults import Dropped, Faults
from tuneline.local.resources.projects import number_of
from tuneline.local.storage import acls, batch, buckets, downloads, listing, objects, uploads, xml
from tuneline.local.storage import partial as partial_answers
from tuneline.local.storage.asgi import Receive, Scope, Send, drain, request_of, send_response
from tuneline.local.storage.conditions import of_query
from tuneline.local.storage.errors import NotModified, Refusal
from tuneline.local.storage.exchange import (
    Disconnected,
    Request,
    Response,
    decode,
    json_response,
    parse_object,
)
from tuneline.local.storage.memory import keep_pieces
from tuneline.local.storage.sessions import Sessions
from tuneline.local.storage.store import Store

OnCall = Callable[[str, str, int], None]

_log = logging.getLogger(__name__)
_JSON_ROOTS = (["storage", "v1"], ["storage", "v1beta2"], [])
_HOSTS = (".storage.googleapis.com", ".storage.localhost")


def app(
    data: Path,
    *,
    on_call: OnCall | None = None,
    faults: Faults | None = None,
    project: str = "tuneline-local",
    number_of: Callable[[str], str] = number_of,
) -> Storage:
    """Cloud Storage over the folder `data/objects`: objects and their index, as a crash or a restart left them.

    `on_call(method, resource, status)` is told each write, also one that is refused, before it is answered.
    `faults` strike by method: `storage.objects.insert`, `storage.objects.list`, `storage.buckets.get`...; where one
    drops the connection it is raised as `Dropped`, for the server to cut it. `project` owns the bucket
    `tuneline-local`; `number_of` gives a project's number, as Resource Manager tells it.
    The server that mounts this sets the `Date` header.
    """
    keep_pieces()
    return Storage(data, on_call=on_call, faults=faults, project=project, number_of=number_of)


class Storage:
    """The application; `close()` when it is not served any more (a kill does no harm)."""

    def __init__(
        self,
        data: Path,
        *,
        on_call: OnCall | None,
        faults: Faults | None,
        project: str,
        number_of: Callable[[str], str],
    ) -> None:
        self.root = data / "objects"
        """The folder that holds everything."""
        self._store = Store(self.root, project_number=number_of)
        self._sessions = Sessions(self._store)
        self._on_call = on_call
        self._faults = faults
        buckets.create_first(self._store, project)

    def close(self) -> None:
        self._store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"Cloud Storage is served over HTTP, not {scope['type']}")
        try:
            request = request_of(scope, receive, self._faults)
        except Refusal as refusal:
            await send_response(_refused(refusal, False), scope["method"], send)
            return
        try:
            response = await self._answer(request)
            await drain(request)
            await send_response(response, request.method, send)
        except Disconnected:
            self._tell(request, 499)

    async def _answer(self, request: Request) -> Response:
        """The answer to one request, refusals included, in the form of the API that was called."""
        as_xml = False
        try:
            as_xml, handler = self._route(request)
            # Read before the effect: a selection that is refused must not have changed anything.
            mask = partial_answers.parse(request.first("fields")) if request.first("fields") and not as_xml else {}
            response = await handler()
            if mask and response.stream is None and _is_json(response):
                response.body = orjson.dumps(partial_answers.select(orjson.loads(response.body), mask))
        except NotModified:
            response = Response(status=304)
        except Refusal as refusal:
            response = _refused(refusal, as_xml)
        except ApiError as fault:
            response = _refused(Refusal(fault.http, fault.message), as_xml)
            if fault.retry_s is not None:
                response.headers.append(("retry-after", f"{fault.retry_s:.0f}"))
        except (Disconnected, Dropped):
            raise
        except Exception as error:  # noqa: BLE001 - told to the caller and to the log
            _log.exception("Cloud Storage failed at %s /%s", request.method, "/".join(request.segments))
            text = f"The local Cloud Storage failed: {type(error).__name__}: {error}. The service's log has more."
            response = _refused(Refusal(500, text), as_xml)
        self._tell(request, response.status)
        if self._faults is not None and request.fault is not None:
            await self._faults.after(request.fault)
        return response

    def _tell(self, request: Request, status: int) -> None:
        if self._on_call and request.called and status != 308:
            self._on_call(request.called, request.resource, status)

    def _route(self, request: Request) -> tuple[bool, Callable[[], Awaitable[Response]]]:
        """Whether the XML API is called, and what answers."""
        path = request.segments
        if "x-goog-encryption-key" in request.headers:
            raise Refusal(501, "The local Cloud Storage does not encrypt with keys that customers supply.")
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
            case "POST", "b", bucket, "lockRetentionPolicy":
                return await buckets.lock_retention(store, request, bucket)
            case "GET", "b", bucket, "storageLayout":
                home = store.bucket(bucket)
                layout = {key: home[key] for key in ("location", "locationType")}
                return json_response({"kind": "storage#storageLayout", "bucket": bucket, **layout})
            case _, "b", bucket, ("acl" | "defaultObjectAcl") as field, *entity if len(entity) < 2:
                return await acls.answer(store, request, bucket, "", field, "".join(entity))
            case _, "b", bucket, "o", name, "acl", *entity if len(entity) < 2:
                return await acls.answer(store, request, bucket, name, "acl", "".join(entity))
            case "GET", "b", bucket, "o":
                await request.calling("storage.objects.list", f"gs://{bucket}", write=False)
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


def _is_json(response: Response) -> bool:
    return any(key == "content-type" and value.startswith("application/json") for key, value in response.headers)


def _refused(refusal: Refusal, as_xml: bool) -> Response:
    body = refusal.to_xml() if as_xml else refusal.to_json()
    kind = "application/xml; charset=UTF-8" if as_xml else "application/json; charset=UTF-8"
    return Response(status=refusal.status, headers=[("content-type", kind)], body=body)
