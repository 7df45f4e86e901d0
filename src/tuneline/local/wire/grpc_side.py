"""gRPC: every method of the definition through generic handlers, on a local socket behind the one port.

Imported at the first gRPC connection: the library costs start-up time and memory that REST clients need not pay.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from tuneline.local.definition import Method
from tuneline.local.resources.behaviour import Call
from tuneline.local.resources.engine import Engine
from tuneline.local.resources.errors import ApiError
from tuneline.local.resources.faults import Dropped

LARGEST_MESSAGE = 64 << 20
LONGEST_PATH = 100
"""A Unix socket's path has at most 103 bytes on macOS, 107 on Linux."""

log = logging.getLogger("tuneline.local")


class GrpcSide:
    """A grpc.aio server on a Unix socket in the data folder, or in a temporary one where that path is too long."""

    def __init__(self, engine: Engine, data: Path) -> None:
        self.engine = engine
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        socket = data / "grpc.sock"
        if len(os.fsencode(socket)) > LONGEST_PATH:
            self._folder = tempfile.TemporaryDirectory(prefix="tuneline-")
            socket = Path(self._folder.name) / "grpc"
        socket.unlink(missing_ok=True)
        self.address = str(socket)
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", LARGEST_MESSAGE),
                ("grpc.max_send_message_length", LARGEST_MESSAGE),
                # Clients of long waits ping; they are on this machine and may.
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.max_ping_strikes", 0),
            ]
        )
        self._server.add_generic_rpc_handlers((_Handlers(engine),))
        self._server.add_insecure_port(f"unix:{self.address}")

    async def start(self) -> str:
        """Listen; answers the socket's path."""
        await self._server.start()
        return self.address

    async def stop(self) -> None:
        await self._server.stop(1)
        if self._folder is not None:
            self._folder.cleanup()


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._made: dict[str, Any] = {}

    def service(self, handler_call_details: Any) -> Any:
        path = handler_call_details.method
        found = self._made.get(path)
        if found is None:
            method = self.engine.api.methods.get(path.lstrip("/").replace("/", "."))
            if method is None or method.client_streaming:
                return None
            found = self._made[path] = self._handler(method)
        return found

    def _handler(self, method: Method) -> Any:
        engine = self.engine
        read = engine.api.message_class(method.input).FromString

        async def one(request: Any, context: Any) -> Any:
            try:
                return await engine.call(method, request, _call(method, context))
            except ApiError as error:
                await _refuse(context, error)
            except Dropped:
                # A fault asked for a lost connection; what a client sees of one is UNAVAILABLE.
                await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
            except Exception as error:
                log.exception("%s failed", method.full_name)
                await context.abort(grpc.StatusCode.INTERNAL, f"The local service failed: {error!r}")

        async def many(request: Any, context: Any) -> AsyncGenerator[Any, None]:
            try:
                async for answer in await engine.call(method, request, _call(method, context)):
                    yield answer
            except ApiError as error:
                await _refuse(context, error)
            except Dropped:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

        make = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
        return make(many if method.server_streaming else one, read, _write)


def _write(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def _call(method: Method, context: Any) -> Call:
    metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    return Call(method=method.full_name, transport="grpc", version=method.version, headers=metadata)


async def _refuse(context: Any, error: ApiError) -> None:
    """End a call with the status, and with its details where clients look for them."""
    status = status_pb2.Status(code=error.number, message=error.message)
    for detail in error.details():
        packed = any_pb2.Any()
        packed.Pack(_detail(detail))
        status.details.append(packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(grpc.StatusCode[error.code], error.message)


def _detail(value: dict[str, Any]) -> Any:
    from google.protobuf import json_format

    kind = value["@type"].rpartition(".")[2]
    message = getattr(error_details_pb2, kind)()
    return json_format.ParseDict({k: v for k, v in value.items() if k != "@type"}, message)
