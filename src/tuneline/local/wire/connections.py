"""What a connection of the one port consists of: a first look at it, a tunnel's beginning, and who speaks on it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tuneline.local.wire.app import stands_in_for


def tunnel(head: bytes) -> tuple[str, bytes]:
    """(the host of a CONNECT, '' if it is refused; the answer)."""
    words = head.split(b"\r\n", 1)[0].split()
    target = words[1].decode("latin-1") if len(words) > 1 else ""
    host, _, port = target.rpartition(":")
    if stands_in_for(host) and port == "443":
        return host, b"HTTP/1.1 200 Connection established\r\n\r\n"
    body = (
        "The local service stands in for *.googleapis.com and *-kfp.pkg.dev on port 443 "
        f"and passes nothing on; {target} is refused.\n"
    ).encode()
    answer = b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: "
    return "", answer + str(len(body)).encode() + b"\r\n\r\n" + body


class Remembered(asyncio.Protocol):
    """The protocol of a connection, with its transport known to the front until it is closed.

    Node's agent keeps a connection to this address from the metadata server's days and sends CONNECT on it, so an
    idle HTTP/1.1 connection may still become a tunnel.
    """

    def __init__(self, inner: Any, front: Any, peer: tuple[str, int]) -> None:
        self.inner, self.front, self.peer = inner, front, peer
        self.transport: Any = None
        # The hot calls go straight to the one that speaks.
        if not hasattr(inner, "conn"):
            self.data_received = inner.data_received
        self.eof_received = inner.eof_received
        self.pause_writing = inner.pause_writing
        self.resume_writing = inner.resume_writing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if data[:8] == b"CONNECT " and str(self.inner.conn.their_state) == "IDLE":
            self.front.tunnel_on(self.transport, self.inner, data)
        else:
            self.inner.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.front.forget(self.peer)
        self.inner.connection_lost(exc)


class AlpnSwitch(asyncio.Protocol):
    """After the TLS handshake, what the client chose: HTTP/2 or HTTP/1.1."""

    def __init__(self, http1: Any, http2: Any) -> None:
        self._choices = {"h2": http2}
        self._default = http1
        self._inner: Any = None
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        self._inner = self._choices.get(chosen, self._default)()
        self._inner.connection_made(transport)
        if self._early:
            early, self._early = self._early, b""
            self._inner.data_received(early)

    def data_received(self, data: bytes) -> None:
        if self._inner is None:
            self._early += data  # the handshake ended a moment before the one who waits for it has heard of it
        else:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._inner else None

    def pause_writing(self) -> None:
        if self._inner:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._inner:
            self._inner.connection_lost(exc)


async def peek(sock: socket.socket) -> bytes:
    """The first bytes that wait on a socket, left there; nothing once the other side has closed."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return sock.recv(16, socket.MSG_PEEK)
        except BlockingIOError:
            ready = asyncio.Event()
            loop.add_reader(sock, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_reader(sock)
