"""Tuned models that answer: one process of the trainer's server for each base and adapter in use.

A process starts with the first prompt and ends when it has been idle, when its model is undeployed, or with the
service: its standard input then ends, which ends it, however the service died. It speaks JSON lines; docs/trainer.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneline.local.resources.errors import ApiError

IDLE_S = 300.0
"""A server nobody asked for so long gives its memory back."""
START_S = 120.0
ANSWER_S = 300.0
LONGEST_LINE = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a server loads."""

    base: str
    """`builtin:tiny`, or the URI of a base model's folder."""
    adapter: str = ""
    """The URI of a checkpoint; '' for the base itself."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One generated text."""

    text: str
    finish: str
    """`stop` or `length`."""
    prompt_tokens: int
    output_tokens: int


class Server:
    """One process and the prompts it is working on."""

    def __init__(self, source: Source, env: Mapping[str, str], log: Path) -> None:
        self.source = source
        self.env = env
        self.log = log
        self.used = 0.0
        self.about: dict[str, Any] = {}
        """What the process said of itself when it was ready: which base it really loaded."""
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def ask(self, prompt: Mapping[str, Any]) -> Answer:
        """The answer to a prompt; raises ApiError where the process cannot start, refuses, or dies."""
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                await self._start()
        loop = asyncio.get_running_loop()
        self.used = loop.time()
        number = str(next(self._ids))
        waiting = self._waiting[number] = loop.create_future()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"id": number, **prompt}).encode() + b"\n")
            await process.stdin.drain()
            return await asyncio.wait_for(waiting, ANSWER_S)
        except (BrokenPipeError, ConnectionResetError):
            raise self._died() from None
        except TimeoutError:
            raise ApiError("DEADLINE_EXCEEDED", f"The model did not answer within {ANSWER_S:g} s.") from None
        finally:
            self._waiting.pop(number, None)
            self.used = loop.time()

    @property
    def busy(self) -> bool:
        return bool(self._waiting) or self._starting.locked()

    async def _start(self) -> None:
        command = [sys.executable, "-m", "tuneline.trainer.serve", "--base", self.source.base]
        if self.source.adapter:
            command += ["--adapter", self.source.adapter]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=dict(self.env),
                limit=LONGEST_LINE,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), START_S)
        except TimeoutError:
            await self.stop()
            raise ApiError("UNAVAILABLE", f"The model was not loaded within {START_S:g} s.") from None
        if not line:
            await self._process.wait()
            raise self._died()
        self.about = json.loads(line)
        self._reader = asyncio.get_running_loop().create_task(self._read(self._process.stdout))

    async def _read(self, output: asyncio.StreamReader) -> None:
        try:
            while line := await output.readline():
                said = json.loads(line)
                waiting = self._waiting.get(str(said.get("id")))
                if waiting is None or waiting.done():
                    continue
                if "error" in said:
                    waiting.set_exception(ApiError("INVALID_ARGUMENT", str(said["error"])))
                    continue
                waiting.set_result(
                    Answer(
                        text=said["text"],
                        finish=said["finish"],
                        prompt_tokens=said["prompt_tokens"],
                        output_tokens=said["output_tokens"],
                    )
                )
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(self._died())

    def _died(self) -> ApiError:
        tail = self.log.read_text(errors="replace").strip().splitlines()[-1:] if self.log.exists() else []
        return ApiError("INTERNAL", f"The process that serves the model ended: {''.join(tail) or 'it wrote no log'}")

    async def stop(self) -> None:
        """End the process: first by the end of its input, then by force."""
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 3)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None


class Serving:
    """All servers of the service."""

    def __init__(self, service: Any) -> None:
        self.service = service
        self._servers: dict[Source, Server] = {}
        self._watched = False

    async def ask(self, source: Source, prompt: Mapping[str, Any]) -> tuple[Answer, Mapping[str, Any]]:
        """(the answer, what the server said of itself), from the server of this base and adapter."""
        server = self._servers.get(source)
        if server is None:
            digest = hashlib.sha256(f"{source.base}\n{source.adapter}".encode()).hexdigest()
            log = self.service.data / "serving" / f"{digest[:16]}.log"
            server = self._servers[source] = Server(source, self.service.environment("serve"), log)
        if not self._watched:
            self._watched = True
            self.service.background(self._stop_idle(), name="idle models")
        return await server.ask(prompt), server.about

    async def forget(self, adapter: str) -> None:
        """End the servers of an adapter that is not deployed any more."""
        for source in [s for s in self._servers if s.adapter == adapter]:
            await self._servers.pop(source).stop()

    async def _stop_idle(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(5)
                for source, server in list(self._servers.items()):
                    if not server.busy and loop.time() - server.used > IDLE_S:
                        del self._servers[source]
                        await server.stop()
        finally:
            await asyncio.gather(*(server.stop() for server in self._servers.values()))
            self._servers.clear()
