"""The addresses under which pipelines are fetched from Artifact Registry's KFP repositories, answered here.

`https://us-kfp.pkg.dev/ml-pipeline/large-language-model-pipelines/tune-large-model/v3.0.0` is Google's hosted template;
this project serves its own, compiled, under that address, and says so.
"""

from __future__ import annotations

import re
from typing import Any

from tuneline.errors import UsageError
from tuneline.local.wire.exchange import Receive, Scope, Send, send_bytes, send_json

_HOSTED = re.compile(
    r"^(?:https://[a-z0-9-]+-kfp\.pkg\.dev)?/?ml-pipeline/large-language-model-pipelines/([a-z0-9-]+)/([\w.:-]+)$"
)
STOOD_IN = b"tuneline's own template, served under the address of the hosted one"


def name_of(uri: str) -> str | None:
    """The template of ours that stands behind a hosted address, or None."""
    found = _HOSTED.match(uri)
    if not found:
        return None
    from tuneline.runs import templates

    return found.group(1) if found.group(1) in templates.names() else None


def spec(uri: str) -> dict[str, Any] | None:
    """The pipeline spec behind a hosted address; None where this project has none for it."""
    name = name_of(uri)
    if name is None:
        return None
    from tuneline.runs import templates

    return templates.spec(name)


class Templates:
    """GET of a hosted template's address."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from tuneline.runs import templates

        name = name_of(scope["path"]) if scope["method"] in ("GET", "HEAD") else None
        if name is None:
            known = ", ".join(templates.names())
            message = f"No pipeline template is served at {scope['path']}; this project's are: {known}."
            await send_json(send, 404, {"error": {"code": 404, "message": message, "status": "NOT_FOUND"}})
            return
        try:
            body = templates.text(name).encode()
        except UsageError as error:
            message = str(error)
            await send_json(send, 404, {"error": {"code": 404, "message": message, "status": "NOT_FOUND"}})
            return
        extra = [(b"x-tuneline-template", STOOD_IN)]
        await send_bytes(send, 200, body, "application/x-yaml", extra, head=scope["method"] == "HEAD")
