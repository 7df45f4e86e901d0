"""HTTP/2: gRPC and REST come over the same protocol, so the first request's content type decides.

A gRPC client waits for the server's SETTINGS before it sends a request. So an empty SETTINGS frame goes out at once;
the client's acknowledgement of that frame is taken out of the stream, and everything else, from the preface on, is
given to whoever answers: this module's own REST side, or gRPC's server over a local socket.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import hpack

from tuneline.local.wire.app import allowed_host
from tuneline.local.wire.exchange import App

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
EMPTY_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
HEADERS, SETTINGS = 1, 4
ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x4, 0x8, 0x20
LARGEST_FIRST = 1 << 20
"""More than this before the first request is no client of ours."""

log = logging.getLogger("tuneline.local")


class Http2Switch(asyncio.Protocol):
    """Holds a connection until its first request is known, then hands it on."""

    def __init__(self, app: App, grpc_address: Any) -> None:
        self.app = app
        self.grpc_address = grpc_address
        self.inner: Any = None
        self.transport: Any = None
        self._task: asyncio.Task[None] | None = None
        self._buffer = b""
        self._decided = False
        self._acknowledged = False
        self._ready = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.transport.write(EMPTY_SETTINGS)

    def data_received(self, data: bytes) -> None:
        if self._acknowledged and self.inner:
            self.inner.data_received(data)
            return
        self._buffer += data
        self._sort()
        if self.inner and self._ready:
            ready, self._ready = self._ready, b""
            self.inner.data_received(ready)
        elif len(self._ready) + len(self._buffer) > LARGEST_FIRST and not self.inner:
            # The gRPC side is being started; what comes meanwhile waits in the socket.
            self.transport.pause_reading()

    def _sort(self) -> None:
        """Move whole frames from the buffer to what is ready, less the one acknowledgement; decide at a request."""
        if not self._ready and not self._decided and not self.inner:
            if len(self._buffer) < len(PREFACE):
                return
            if not self._buffer.startswith(PREFACE):
                self.transport.abort()
                return
            self._ready, self._buffer = PREFACE, self._buffer[len(PREFACE) :]
        while len(self._buffer) >= 9 and not (self._acknowledged and self._decided):
            length = int.from_bytes(self._buffer[:3])
            kind, flags = self._buffer[3], self._buffer[4]
            if len(self._buffer) < 9 + length:
                return
            if kind == HEADERS and not self._decided:
                block = _header_block(self._buffer)
                if block is None:
                    return
                self._decided = True
                self._decide(block)
            frame, self._buffer = self._buffer[: 9 + length], self._buffer[9 + length :]
            if kind == SETTINGS and flags & ACK and not self._acknowledged:
                self._acknowledged = True
            else:
                self._ready += frame
        if self._acknowledged and self._decided:
            self._ready, self._buffer = self._ready + self._buffer, b""

    def _decide(self, block: bytes) -> None:
        try:
            headers = dict(hpack.Decoder().decode(block))
        except hpack.HPACKError as error:
            log.debug("an HTTP/2 client sent headers that cannot be read: %s", error)
            self.transport.abort()
            return
        if not headers.get("content-type", "").startswith("application/grpc"):
            from tuneline.local.wire.http2_rest import Http2Rest

            self._hand_to(Http2Rest(self.app))
        elif not allowed_host(headers.get(":authority", "")):
            self.transport.abort()
        else:
            self._task = asyncio.get_running_loop().create_task(self._to_grpc())

    def _hand_to(self, inner: Any) -> None:
        self.inner = inner
        inner.connection_made(self.transport)

    async def _to_grpc(self) -> None:
        try:
            address = await self.grpc_address()
            pipe = Pipe()
            await asyncio.get_running_loop().create_unix_connection(lambda: pipe.far, address)
        except OSError as error:
            log.error("the gRPC side does not answer: %s", error)
            self.transport.abort()
            return
        if self.transport.is_closing():
            pipe.far.close()
            return
        self._hand_to(pipe)
        self.transport.resume_reading()
        if self._ready:
            ready, self._ready = self._ready, b""
            self.inner.data_received(ready)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received() if self.inner else None

    def pause_writing(self) -> None:
        if self.inner:
            self.inner.pause_writing()

    def resume_writing(self) -> None:
        if self.inner:
            self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.inner:
            self.inner.connection_lost(exc)


def _header_block(buffer: bytes) -> bytes | None:
    """The header block of the HEADERS frame at the start, with its CONTINUATIONs; None while it is not whole.

    Padding and priority are taken out (RFC 9113, 6.2)."""
    at, block = 0, b""
    while len(buffer) >= at + 9:
        length, flags = int.from_bytes(buffer[at : at + 3]), buffer[at + 4]
        payload = buffer[at + 9 : at + 9 + length]
        if len(payload) < length:
            return None
        if at == 0:
            padding = payload[0] if flags & PADDED else 0
            start = (1 if flags & PADDED else 0) + (5 if flags & PRIORITY else 0)
            payload = payload[start : len(payload) - padding]
        block += payload
        if flags & END_HEADERS:
            return block
        at += 9 + length
    return None


class Pipe(asyncio.Protocol):
    """Bytes of a client to the gRPC side and back, each side's reading paused while the other cannot write."""

    def __init__(self) -> None:
        self.far = FarEnd(self)
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.far.flush()

    def data_received(self, data: bytes) -> None:
        self.far.transport.write(data)

    def eof_received(self) -> bool | None:
        return None

    def pause_writing(self) -> None:
        self.far.transport.pause_reading()

    def resume_writing(self) -> None:
        self.far.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.far.close()


class FarEnd(asyncio.Protocol):
    """The gRPC server's end of a pipe."""

    def __init__(self, near: Pipe) -> None:
        self.near = near
        self.transport: Any = None
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.near.transport is None:
            self._waiting += data
        else:
            self.near.transport.write(data)

    def flush(self) -> None:
        """Send what came before the client's side was there."""
        if self._waiting:
            self.near.transport.write(self._waiting)
            self._waiting = b""

    def pause_writing(self) -> None:
        self.near.transport.pause_reading()

    def resume_writing(self) -> None:
        self.near.transport.resume_reading()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.near.transport is not None:
            self.near.transport.close()
