"""The listening socket: the first bytes of a connection decide who speaks on it.

`PRI *` is HTTP/2 (gRPC or REST, by its first request); 0x16 begins TLS; `CONNECT` asks for a proxy, which ends TLS here
for Google's hosts and refuses every other; anything else is HTTP/1.1. The bytes are looked at, not taken, so HTTP/1.1
and TLS run on the accepted socket itself, with no hop in between.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from tuneline.local.wire.app import stands_in_for
from tuneline.local.wire.authority import Authority
from tuneline.local.wire.connections import AlpnSwitch, Remembered, peek, tunnel
from tuneline.local.wire.exchange import App
from tuneline.local.wire.http2 import Http2Switch

FIRST_BYTES_S = 60.0
"""A connection that says nothing for that long is closed."""
LARGEST_CONNECT = 16 << 10

log = logging.getLogger("tuneline.local")


class Front:
    """One port on 127.0.0.1."""

    def __init__(self, app: App, authority: Authority, grpc_address: Any) -> None:
        self.app = app
        self.authority = authority
        self.grpc_address = grpc_address
        """Coroutine function that answers where the gRPC side listens, starting it at the first call."""
        self._transports: dict[tuple[str, int], asyncio.BaseTransport] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        self._http1: Any = None

    async def start(self, port: int) -> int:
        """Listen; answers the port. Raises OSError where the port is taken."""
        import uvicorn
        from uvicorn.protocols.http.h11_impl import H11Protocol
        from uvicorn.server import ServerState

        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setblocking(False)
        try:
            listening.bind(("127.0.0.1", port))
            listening.listen(512)
        except OSError:
            listening.close()
            raise
        config = uvicorn.Config(
            self.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            interface="asgi3",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=300,
            h11_max_incomplete_event_size=64 << 10,
        )
        config.load()
        state = ServerState()
        self._http1 = lambda: H11Protocol(config, state, {})
        self._state = state
        self._socket = listening
        self._run(self._accept(listening))
        self._run(self._keep_time())
        return int(listening.getsockname()[1])

    async def stop(self) -> None:
        """Stop listening, let running answers end for a moment, close what is left."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
        for protocol in list(self._state.connections):
            protocol.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=2)
        for task in list(self._tasks):
            task.cancel()
        for transport in list(self._transports.values()):
            transport.close()

    def cut(self, scope: Any) -> None:
        """Close the connection of a request without an answer."""
        close = scope.get("extensions", {}).get("tuneline.cut")
        if close:
            close()
            return
        transport = self._transports.get(tuple(scope.get("client") or ()))
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_time(self) -> None:
        """Refresh the Date header once a second: clients take the server's time from it."""
        from email.utils import formatdate
        from time import time

        while True:
            now = time()
            self._state.default_headers = [(b"date", formatdate(now, usegmt=True).encode())]
            await asyncio.sleep(1.001 - now % 1)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError as error:
                if listening.fileno() < 0:
                    return
                log.error("cannot accept a connection: %s", error)  # out of file descriptors, for a while
                await asyncio.sleep(0.1)
                continue
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._run(self._serve(accepted))

    async def _serve(self, accepted: socket.socket) -> None:
        try:
            first = await asyncio.wait_for(peek(accepted), FIRST_BYTES_S)
            if first.startswith(b"CONNECT "[: len(first)]) and first:
                await self._proxy(accepted)
            elif first[:1] == b"\x16":
                await self._secure(accepted, "")
            elif first:
                await self._plain(accepted, first)
            else:
                accepted.close()
        except (OSError, TimeoutError) as error:
            # A scan, a client that left, or one that does not trust the authority.
            log.debug("connection ended: %s", error)
            accepted.close()

    async def _plain(self, accepted: socket.socket, first: bytes) -> None:
        factory = self._http2 if first.startswith(b"PRI") else self._http1
        await self._adopt(accepted, factory)

    async def _adopt(self, accepted: socket.socket, factory: Any, **options: Any) -> None:
        peer = accepted.getpeername()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_accepted_socket(
            lambda: Remembered(factory(), self, peer), accepted, **options
        )
        self._remember(peer, transport)

    def _remember(self, peer: tuple[str, int], transport: asyncio.BaseTransport) -> None:
        if not transport.is_closing():
            self._transports[peer] = transport

    def forget(self, peer: tuple[str, int]) -> None:
        self._transports.pop(peer, None)

    def _http2(self) -> Http2Switch:
        return Http2Switch(self.app, self.grpc_address)

    async def _secure(self, accepted: socket.socket, host: str) -> None:
        context = self.authority.context(host) if host else self.authority.local_context(stands_in_for)
        await self._adopt(accepted, lambda: AlpnSwitch(self._http1, self._http2), ssl=context, ssl_handshake_timeout=30)

    async def _proxy(self, accepted: socket.socket) -> None:
        """CONNECT: end TLS here for the hosts this service stands in for; nothing ever leaves the machine."""
        loop = asyncio.get_running_loop()
        head = b""
        while b"\r\n\r\n" not in head and len(head) < LARGEST_CONNECT:
            part = await loop.sock_recv(accepted, 4096)
            if not part:
                raise ConnectionResetError("CONNECT was never finished")
            head += part
        host, answer = tunnel(head)
        await loop.sock_sendall(accepted, answer)
        if not host:
            accepted.close()
            return
        first = await asyncio.wait_for(peek(accepted), FIRST_BYTES_S)
        if first[:1] == b"\x16":
            await self._secure(accepted, host)
        elif first:
            await self._plain(accepted, first)
        else:
            accepted.close()

    def tunnel_on(self, transport: asyncio.Transport, inner: Any, head: bytes) -> None:
        """CONNECT on a connection that has carried requests: the tunnel begins there."""
        host, answer = tunnel(head)
        transport.write(answer)
        inner.connection_lost(ConnectionResetError("a tunnel took the connection over"))
        if not host:
            transport.close()
            return
        transport.pause_reading()
        self._run(self._tunnelled(transport, host))

    async def _tunnelled(self, transport: asyncio.Transport, host: str) -> None:
        switch = AlpnSwitch(self._http1, self._http2)
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport, switch, self.authority.context(host), server_side=True, ssl_handshake_timeout=30
            )
        except OSError as error:
            log.debug("connection ended: %s", error)
            transport.abort()
            return
        if secure is not None:
            switch.connection_made(secure)
