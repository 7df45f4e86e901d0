"""Who answers which path and host, behind one gate: loopback and Google's own names, no foreign web page."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import urlsplit

from tuneline.local.resources.errors import ApiError
from tuneline.local.resources.faults import Dropped
from tuneline.local.wire.control import Control
from tuneline.local.wire.exchange import App, Gone, Receive, Scope, Send, headers_of, send_error, send_json
from tuneline.local.wire.identity import Identity

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "metadata.google.internal", "metadata", "169.254.169.254"})
STORAGE_PATHS = (
    "/storage/",
    "/b/",
    "/batch/",
    *(f"/{way}/{root}/" for way in ("upload", "download", "resumable") for root in ("storage", "b")),
)
_API_PATH = re.compile(r"^/v\d+(?:(?:alpha|beta)\d*)?/")

log = logging.getLogger("tuneline.local")


def allowed_host(host: str) -> bool:
    """Whether a Host header names this machine, or a service of Google's that this one stands in for."""
    name = urlsplit(f"//{host}").hostname or ""
    return name in LOOPBACK or name.endswith(".localhost") or stands_in_for(name)


def stands_in_for(name: str) -> bool:
    """The hosts whose traffic ends here: Google's APIs and Artifact Registry's KFP repositories."""
    return name.endswith((".googleapis.com", "-kfp.pkg.dev"))


class Application:
    """The ASGI application of the port."""

    def __init__(self, service: Any, *, rest: App, storage: App, templates: App, registry: App, cut: Any) -> None:
        self.service = service
        self.rest = rest
        self.storage = storage
        self.templates = templates
        self.registry = registry
        self.control = Control(service)
        self.identity = Identity(service.project, service.region)
        self.cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the local service speaks http, not {scope['type']}")
        started = False

        async def watched(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            headers = headers_of(scope)
            if not scope["path"].startswith("/_tuneline/"):
                self.service.calls.touch()
            refusal = _foreign(headers)
            if refusal:
                await send_error(watched, ApiError("PERMISSION_DENIED", refusal))
                return
            await self._route(headers.get("host", ""), scope["path"])(scope, receive, watched)
        except (Dropped, Gone):
            self.cut(scope)
        except Exception as error:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                self.cut(scope)
                return
            await send_error(watched, ApiError("INTERNAL", f"The local service failed: {error!r}. Its log has more."))

    def _route(self, host: str, path: str) -> App:
        name = urlsplit(f"//{host}").hostname or ""
        if path.startswith("/_tuneline/"):
            return self.control
        if path.startswith("/computeMetadata") or name.startswith(("oauth2.", "sts.", "metadata")):
            return self.identity
        if path.startswith("/ml-pipeline/"):
            return self.templates
        if name.endswith("-kfp.pkg.dev") or name == "artifactregistry.googleapis.com":
            return self.registry
        if name == "storage.googleapis.com" or name.endswith(".storage.googleapis.com"):
            return self.storage
        if path.startswith(STORAGE_PATHS) or path in ("/b", "/batch"):
            return self.storage
        if _API_PATH.match(path):
            return self.rest
        if path == "/token":
            return self.identity
        if path in ("/", "/healthz", "/favicon.ico"):
            return self._front_door
        return self.storage  # XML style: /bucket/object

    async def _front_door(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = {"service": "tuneline local Vertex AI", "status": "/_tuneline/status"}
        # google.auth asks "/" whether this is a metadata server.
        await send_json(send, 200, said, [(b"metadata-flavor", b"Google")])


def _foreign(headers: dict[str, str]) -> str:
    """Why a request may not come in: a DNS name that was bent to this machine, or another site's page."""
    host = headers.get("host", "")
    if not allowed_host(host):
        return f"The local service does not answer for the host '{host}'; use 127.0.0.1."
    origin = headers.get("origin")
    if origin is not None and (urlsplit(origin).hostname or "") not in LOOPBACK:
        return f"The local service does not answer pages of '{origin}'."
    if headers.get("sec-fetch-site") == "cross-site":
        return "The local service does not answer pages of other sites."
    return ""
