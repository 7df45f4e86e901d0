"""REST over HTTP/2, which is what curl speaks by default through the proxy: frames to ASGI and back."""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from tuneline.local.wire.exchange import App

WINDOW = 1 << 20
"""Bytes that a client may send on a stream before the application has taken them."""

log = logging.getLogger("tuneline.local")


class Http2Rest(asyncio.Protocol):
    """One client connection with any number of requests at a time."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        self.connection.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW,
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 64 << 10,
            },
        )
        self.streams: dict[int, Stream] = {}
        self.transport: Any = None
        self.may_write = asyncio.Event()
        self.may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.connection.initiate_connection()
        self.connection.increment_flow_control_window(8 * WINDOW)
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            events = self.connection.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            log.debug("an HTTP/2 client broke the protocol: %s", error)
            self.flush()
            self.transport.close()
            return
        for event in events:
            self._handle(event)
        self.flush()

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            stream = Stream(self, event.stream_id)
            self.streams[event.stream_id] = stream
            stream.start(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            stream_id = event.stream_id
            if stream_id in self.streams:
                self.streams[stream_id].feed(event.data, event.flow_controlled_length)
            else:
                self.connection.acknowledge_received_data(event.flow_controlled_length, stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            if event.stream_id in self.streams:
                self.streams[event.stream_id].feed(None, 0)
        elif isinstance(event, h2.events.StreamReset):
            if event.stream_id in self.streams:
                self.streams[event.stream_id].lost()
        elif isinstance(event, h2.events.WindowUpdated):
            for stream in list(self.streams.values()):
                stream.window.set()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.transport.close()

    def flush(self) -> None:
        data = self.connection.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def eof_received(self) -> bool | None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.may_write.set()
        for stream in list(self.streams.values()):
            stream.lost()


class Stream:
    """One request and its answer."""

    def __init__(self, owner: Http2Rest, stream_id: int) -> None:
        self.owner = owner
        self.id = stream_id
        self.window = asyncio.Event()
        self.closed = False
        self._arrived: asyncio.Queue[tuple[bytes | None, int]] = asyncio.Queue()
        self._body_done = False
        self._task: asyncio.Task[None] | None = None

    def start(self, raw: list[Any]) -> None:
        headers = [(bytes(name), bytes(value)) for name, value in raw]
        pseudo = {name: value for name, value in headers if name.startswith(b":")}
        target = pseudo.get(b":path", b"/")
        path, _, query = target.partition(b"?")
        plain = [(name, value) for name, value in headers if not name.startswith(b":")]
        if not any(name == b"host" for name, _ in plain):
            plain.insert(0, (b"host", pseudo.get(b":authority", b"")))
        transport = self.owner.transport
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "2",
            "method": pseudo.get(b":method", b"GET").decode("latin-1"),
            "scheme": pseudo.get(b":scheme", b"https").decode("latin-1"),
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": plain,
            "client": transport.get_extra_info("peername"),
            "server": transport.get_extra_info("sockname"),
            "state": {},
            "extensions": {"tuneline.cut": transport.abort},
        }
        self._task = asyncio.get_running_loop().create_task(self._answer(scope))

    def feed(self, data: bytes | None, length: int) -> None:
        self._arrived.put_nowait((data, length))

    def lost(self) -> None:
        """The client took the request back, or the connection is gone."""
        self.closed = True
        self.window.set()
        self._arrived.put_nowait((None, -1))
        self.owner.streams.pop(self.id, None)

    async def _answer(self, scope: dict[str, Any]) -> None:
        try:
            await self.owner.app(scope, self._receive, self._send)
        except (h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError) as error:
            log.debug("an HTTP/2 stream ended early: %s", error)
        finally:
            self.owner.streams.pop(self.id, None)
            if not self._body_done and not self.closed and not self.owner.transport.is_closing():
                # The answer did not wait for the whole request: tell the client to stop sending.
                try:
                    self.owner.connection.reset_stream(self.id, h2.errors.ErrorCodes.NO_ERROR)
                except h2.exceptions.ProtocolError as error:
                    log.debug("an HTTP/2 stream was closed already: %s", error)
                self.owner.flush()

    async def _receive(self) -> dict[str, Any]:
        data, length = await self._arrived.get()
        if length < 0:
            self._arrived.put_nowait((None, -1))
            return {"type": "http.disconnect"}
        if data is None:
            self._body_done = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if length and not self.closed:
            self.owner.connection.acknowledge_received_data(length, self.id)
            self.owner.flush()
        return {"type": "http.request", "body": data, "more_body": True}

    async def _send(self, message: Any) -> None:
        if self.closed:
            return
        if message["type"] == "http.response.start":
            headers = [(b":status", str(message["status"]).encode())]
            headers += [(n.lower(), v) for n, v in message.get("headers", ()) if n.lower() != b"connection"]
            if not any(name == b"date" for name, _ in headers):
                headers.append((b"date", formatdate(usegmt=True).encode()))
            self.owner.connection.send_headers(self.id, headers)
            self.owner.flush()
            return
        await self._send_data(memoryview(message.get("body", b"")))
        if not message.get("more_body") and not self.closed:
            self.owner.connection.end_stream(self.id)
            self.owner.flush()

    async def _send_data(self, body: memoryview) -> None:
        connection = self.owner.connection
        while body and not self.closed:
            await self.owner.may_write.wait()
            if self.closed:
                return
            size = min(connection.local_flow_control_window(self.id), connection.max_outbound_frame_size, len(body))
            if size <= 0:
                self.window.clear()
                await self.window.wait()
                continue
            connection.send_data(self.id, bytes(body[:size]))
            body = body[size:]
            self.owner.flush()
