"""REST: an HTTP request becomes a call of the engine by the official routes, and its answer JSON again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import parse_qsl, unquote

from tuneline.local.definition import Definition, Method
from tuneline.local.definition.strict import parse_body
from tuneline.local.resources.behaviour import Call
from tuneline.local.resources.engine import Engine
from tuneline.local.resources.errors import ApiError, invalid
from tuneline.local.wire.exchange import Receive, Scope, Send, encode, headers_of, read_body, send_bytes, send_error

SYSTEM_PARAMETERS = frozenset(
    """alt key access_token oauth_token prettyPrint pp fields quotaUser userProject uploadType upload_protocol callback
    xgafv .xgafv apiVersion userIp bearer_token""".split()  # noqa: SIM905  (a list of words reads better as words)
)
"""Query parameters that every Google API takes, with or without a leading `$`.

Source: cloud.google.com/apis/docs/system-parameters."""

MIXIN_ROUTES = (
    ("google.longrunning.Operations.GetOperation", "GET", "{name=**/operations/*}", ""),
    ("google.longrunning.Operations.DeleteOperation", "DELETE", "{name=**/operations/*}", ""),
    ("google.longrunning.Operations.CancelOperation", "POST", "{name=**/operations/*}:cancel", "*"),
    ("google.longrunning.Operations.WaitOperation", "POST", "{name=**/operations/*}:wait", "*"),
    ("google.longrunning.Operations.ListOperations", "GET", "{name=**/operations}", ""),
    ("google.cloud.location.Locations.GetLocation", "GET", "{name=projects/*/locations/*}", ""),
    ("google.cloud.location.Locations.ListLocations", "GET", "{name=projects/*}/locations", ""),
)
"""What each API's service configuration adds to it, in the same words for all."""


def add_mixins(api: Definition) -> None:
    """Put the operations and locations of every version into the routes."""
    for version in ("v1", "v1beta1", "v1beta"):
        for name, verb, template, body in MIXIN_ROUTES:
            api.routes.add(api.methods[name], verb, f"/{version}/{template}", body)


class Rest:
    """An ASGI application for everything the API definition has a route for."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.api = engine.api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        try:
            body = await read_body(receive, headers.get("content-encoding", ""))
            query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            path = unquote((scope.get("raw_path") or scope["path"].encode()).decode("latin-1").split("?")[0])
            verb = headers.get("x-http-method-override", scope["method"]).upper()
            method, request = self._request(verb, path, query, body)
            call = Call(
                method=method.full_name,
                transport="rest",
                version=path.split("/")[1],
                headers=headers,
            )
            answer = await self.engine.call(method, request, call)
        except ApiError as error:
            await send_error(send, error)
            return
        numbers = any(key in ("$alt", "alt") and "enum-encoding=int" in value for key, value in query)
        if isinstance(answer, AsyncGenerator):
            sse = any(key == "alt" and value == "sse" for key, value in query)
            await self._stream(answer, send, numbers=numbers, sse=sse)
            return
        pretty = not any(key.lstrip("$") == "prettyPrint" and value == "false" for key, value in query)
        body = encode(self.api.to_json(answer, enums_as_numbers=numbers), pretty=pretty)
        await send_bytes(send, 200, body, "application/json; charset=UTF-8")

    def _request(self, verb: str, path: str, query: list[tuple[str, str]], body: bytes) -> tuple[Method, Any]:
        match = self.api.routes.match(verb, path)
        if match is None:
            raise self._no_route(verb, path)
        method = match.binding.method
        request = self.api.new(method.input)
        if match.binding.body and body.strip():
            value = parse_body(body)
            if not isinstance(value, dict):
                raise invalid("", "Invalid JSON payload received. The root of the body must be an object.")
            self.api.from_json(value if match.binding.body == "*" else {match.binding.body: value}, request)
        elif match.binding.body not in ("", "*"):
            # An empty body for a resource is an empty resource: then it is its required fields that are missing.
            getattr(request, match.binding.body).SetInParent()
        elif body.strip() and not match.binding.body and verb != "GET" and parse_body(body) not in ({}, None):
            raise invalid("", f"{method.name} takes no body.")
        listed: dict[str, list[str]] = {}
        for key, value in query:
            if key.lstrip("$") not in SYSTEM_PARAMETERS:
                listed.setdefault(key, []).append(value)
        for key, values in (*listed.items(), *((k, [v]) for k, v in match.values.items())):
            self.api.json.set_path(request, key, values)
        return method, request

    def _no_route(self, verb: str, path: str) -> ApiError:
        others = self.api.routes.verbs(path)
        if "//" in path or path.endswith("/"):
            hint = " A segment of the path is empty: was a variable never set?"
        elif others:
            hint = f" This path answers to {', '.join(others)}."
        else:
            hint = ""
        return ApiError("NOT_FOUND", f"Method not found: {verb} {path}.{hint}", reason="METHOD_NOT_FOUND")

    async def _stream(self, answers: AsyncGenerator[Any, None], send: Send, *, numbers: bool, sse: bool) -> None:
        """Server-sent events, or one JSON array that grows; an error before the first answer is a plain refusal."""
        try:
            first = await anext(answers, None)
        except ApiError as error:
            await send_error(send, error)
            return
        kind = b"text/event-stream" if sse else b"application/json; charset=UTF-8"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        item, before = first, b"" if sse else b"["
        try:
            while item is not None:
                text = encode(self.api.to_json(item, enums_as_numbers=numbers), pretty=not sse).rstrip()
                chunk = b"data: " + text + b"\r\n\r\n" if sse else before + text
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                before = b",\n"
                item = await anext(answers, None)
        except ApiError as error:
            text = encode(error.to_json(), pretty=not sse).rstrip()
            chunk = b"data: " + text + b"\r\n\r\n" if sse else before + text
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except asyncio.CancelledError:
            await answers.aclose()
            raise
        end = b"" if sse else (b"]\n" if first is not None else b"[]\n")
        await send({"type": "http.response.body", "body": end})
