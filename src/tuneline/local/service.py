"""The local service as a whole: what it is made of, how it starts, what its children inherit, how it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuneline._version import __version__
from tuneline.local import behaviours, containers, redirect, templates
from tuneline.local.clock import Clock
from tuneline.local.definition import load
from tuneline.local.folder import Folder
from tuneline.local.registry import Registry
from tuneline.local.resources import names, operations
from tuneline.local.resources.behaviour import BEHAVIOURS
from tuneline.local.resources.calls import CallLog
from tuneline.local.resources.engine import Engine
from tuneline.local.resources.faults import Faults
from tuneline.local.resources.projects import Projects, number_of
from tuneline.local.resources.store import Store
from tuneline.local.serving import Serving
from tuneline.local.stand_in import VARIABLE, stand_in
from tuneline.local.tuning.quota import Quotas
from tuneline.local.wire.app import Application
from tuneline.local.wire.authority import Authority
from tuneline.local.wire.front import Front
from tuneline.local.wire.rest import Rest, add_mixins

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "LOGNAME", "XDG_CACHE_HOME")
"""What a child process has from the service's own environment: enough to start, and no secret."""
IDLE_LOOK_S = 1.0
SLOTS = max(2, os.cpu_count() or 1)

log = logging.getLogger("tuneline.local")


class LocalService:
    """Everything behind one port and one data folder; see `resources.behaviour.Service` for what behaviours use."""

    def __init__(self, data: Path, *, port: int = 0, idle_stop_s: float = 0.0) -> None:
        self.folder = Folder(data)
        self.data = self.folder.path
        self.port = port
        self.idle_stop_s = idle_stop_s
        self.url = ""
        self.project = redirect.PROJECT
        self.region = redirect.REGION
        self.api = load()
        self.clock = Clock()
        self.faults = Faults()
        self.quotas = Quotas()
        self.slots = asyncio.Semaphore(SLOTS)
        """Trainers that run at a time; other jobs stay PENDING."""
        self.stand_ins: dict[str, str] = {}
        """What trains in place of what, by job name: shown by `tuneline local status`."""
        self._held: dict[str, str] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._at_stop: list[Callable[[], None]] = []
        self._stopping = asyncio.Event()
        self._started = datetime.now(UTC)
        self._grpc: Any = None
        self._grpc_lock = asyncio.Lock()

    # Life

    async def start(self) -> None:
        """Take the folder, bring back what was there, listen, and say so."""
        self.folder.take()
        self.folder.withdraw()
        self.store = Store(self.data / "state.sqlite", self.api, self.clock)
        self.clock.forward(float(self.store.fact("clock/ahead_s") or 0))
        self.calls = CallLog(self.data / "calls.jsonl")
        self.projects = Projects(self.store)
        self.authority = Authority(self.data / "ca")
        add_mixins(self.api)
        self.engine = Engine(
            service=self, api=self.api, store=self.store, calls=self.calls, faults=self.faults, projects=self.projects
        )
        self.serving = Serving(self)
        self.registry = Registry(self.data / "registry.sqlite", self.clock)
        behaviours.register_all()
        app = Application(
            self,
            rest=Rest(self.engine),
            storage=self._storage(),
            templates=templates.Templates(),
            registry=self.registry,
            cut=self._cut,
        )
        self.front = Front(app, self.authority, self._grpc_address)
        self.port = await self._listen()
        self.store.set_fact("service/port", str(self.port))
        self.url = f"http://127.0.0.1:{self.port}"
        containers.sweep(self.data)
        for behaviour in BEHAVIOURS.values():
            behaviour.recover(self)
        self.folder.announce(
            {
                "pid": os.getpid(),
                "port": self.port,
                "url": self.url,
                "started": self._started.isoformat(),
                "version": __version__,
            }
        )
        if self.idle_stop_s > 0:
            self.background(self._stop_when_idle(), name="idle watch")

    def _storage(self) -> Any:
        from tuneline.local import storage

        self.storage = storage.app(
            self.data,
            on_call=self.calls.record_object,
            faults=self.faults,
            project=self.project,
            number_of=number_of,
        )
        return self.storage

    async def _listen(self) -> int:
        """The port asked for; else the last one if it is free, else any."""
        before = self.store.fact("service/port")
        wanted = [self.port] if self.port else [int(before), 0] if before else [0]
        for port in wanted[:-1]:
            try:
                return await self.front.start(port)
            except OSError as error:
                log.info("port %d is not free any more (%s); taking another", port, error.strerror)
        return await self.front.start(wanted[-1])

    def _cut(self, scope: Any) -> None:
        self.front.cut(scope)

    async def _grpc_address(self) -> str:
        async with self._grpc_lock:
            if self._grpc is None:
                from tuneline.local.wire.grpc_side import GrpcSide

                side = GrpcSide(self.engine, self.data)
                await side.start()
                self._grpc = side
            return str(self._grpc.address)

    async def run(self) -> None:
        """Serve until told to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, signal.Signals(number).name)
        await self._stopping.wait()
        await self.close()

    def stop(self, why: str) -> None:
        """End soon; jobs end too, and go on when a service is started on this folder again."""
        log.info("stopping: %s", why)
        self._stopping.set()

    async def close(self) -> None:
        """Stop answering, let the children go, fold the state away."""
        self.folder.withdraw()
        await self.front.stop()
        for stop in self._at_stop:
            stop()
        for task in list(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        if self._grpc is not None:
            await self._grpc.stop()
        self.storage.close()
        self.registry.close()
        self.store.close()
        self.calls.close()
        self.folder.release()

    async def _stop_when_idle(self) -> None:
        while self._held or time.monotonic() - self.calls.last < self.idle_stop_s:
            await asyncio.sleep(min(IDLE_LOOK_S, self.idle_stop_s))
        self.stop(f"idle for {self.idle_stop_s:g} s")

    # What behaviours use

    def now(self) -> datetime:
        """The service's clock."""
        return self.clock.now()

    def forward(self, seconds: float) -> None:
        """Move the clock forward, for good."""
        self.clock.forward(seconds)
        self.store.set_fact("clock/ahead_s", str(self.clock.ahead_s))

    def background(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Run a coroutine until it ends or the service stops; its failure is logged."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._work.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and task.exception():
            log.error("%s failed", task.get_name(), exc_info=task.exception())

    def at_stop(self, stop: Callable[[], None]) -> None:
        """Call this when the service ends, before its state is folded away."""
        self._at_stop.append(stop)

    def hold(self, what: str, reason: str) -> None:
        """Keep an idle service alive while this goes on, and show it in the status."""
        self._held[what] = reason

    def release(self, what: str) -> None:
        """The counterpart of `hold`."""
        self._held.pop(what, None)
        self.calls.touch()

    def template(self, uri: str) -> dict[str, Any] | None:
        """The pipeline spec this project serves under a hosted template's address, or None."""
        return templates.spec(uri)

    def operation(self, call: Any, resource: Any, *, metadata: str, response: Any = None, name: str = "") -> Any:
        """A finished long-running operation under `resource` whose response is `response` (or the resource).

        `metadata` is the full name of the metadata message; types follow the version that was asked.
        """
        versioned = metadata.replace("{v}", call.version)
        answer = resource if response is None else response
        wanted = answer.DESCRIPTOR.full_name.replace(".v1beta1.", f".{call.version}.")
        if self.api.knows(wanted):
            answer = self.api.convert(answer, wanted)
        return operations.make(self, name or resource.name, versioned, response=answer)

    def environment(self, kind: str, *, name: str = "") -> dict[str, str]:
        """The whole environment of a child process: `trainer`, `driver` or `serve`, of the resource `name`."""
        own = {key: os.environ[key] for key in INHERITED if key in os.environ}
        own["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), own.get("PATH", os.defpath)])
        own["PYTHONUNBUFFERED"] = "1"
        own.update(redirect.environment(self.url, self.data))
        if name:
            own["GOOGLE_CLOUD_PROJECT"] = names.part(name, "projects") or self.project
            own["TUNELINE_REGION"] = names.part(name, "locations") or self.region
        if kind in ("trainer", "serve"):
            own[VARIABLE] = stand_in()
        return own

    def status(self) -> dict[str, Any]:
        """What `tuneline local status` shows."""
        from tuneline.local.definition import versions

        return {
            "running": True,
            "url": self.url,
            "port": self.port,
            "pid": os.getpid(),
            "data": str(self.data),
            "version": __version__,
            "started": self._started.isoformat(timespec="seconds"),
            "idle_stop_s": self.idle_stop_s,
            "jobs": [{"name": name, "what": what} for name, what in sorted(self._held.items())],
            "stand_ins": [{"name": name, "says": text} for name, text in sorted(self.stand_ins.items())],
            "definitions": versions(),
        }
