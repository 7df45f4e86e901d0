"""The process that runs one pipeline job: `python -m tuneline.local.pipelines.driver FOLDER`.

FOLDER holds `job.json`. The driver starts each task as a process, waits for all of them at once, and writes every
change to `state.sqlite`. Killed at any moment and started again it goes on: what has ended is kept, what ran is run
again, after making sure that nothing of it still runs. A file named `cancel` and SIGUSR1 make it cancel the job.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import shutil
import signal
import sys
import time
from pathlib import Path

from tuneline.local.pipelines import attempt, failures, job_file
from tuneline.local.pipelines.cache import Cache
from tuneline.local.pipelines.graph import Graph
from tuneline.local.pipelines.python_tasks import is_ours
from tuneline.local.pipelines.spec import Spec
from tuneline.local.pipelines.state import Job, State, Task
from tuneline.local.pipelines.warm import WarmStart
from tuneline.local.processes import Exit, Supervised, exit_of, reclaim, spawn, wrapper

GRACE_S = 20.0
"""How long a cancelled task may clean up: a step that waits for a tuning job cancels that job."""


class Driver:
    """One run, from wherever it stands to its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = State(folder)
        self.job, tasks = self.state.load()
        with self.state.change():
            job = job_file.load(folder)
            self.cache = Cache(Path(job["cache"]) if "cache" in job else None, Spec(job["pipelineSpec"]))
            self.graph = Graph(job, tasks, save=self.state.save, now=wrapper.now, cached=self.cache.find)
        self.selector = selectors.DefaultSelector()
        self.running: dict[str, Supervised] = {}
        executors = [self.graph.spec.executor(c) for c in self.graph.spec.components() if c.executor]
        ours = any(is_ours(executor.get("container", {})) for executor in executors)
        self.warm = WarmStart(self.graph.job.get("environment", {}), ours=ours)

    def run(self) -> None:
        """Carry the job to its end."""
        if self.job.ended:
            return
        self._listen()
        self._set_job("CANCELLING" if self._cancel_wanted() else "RUNNING")
        self._cancel_if_wanted()  # before resuming: what is to be stopped is not run again first
        starting = self._resume()
        while True:
            self._cancel_if_wanted()
            with self.state.change():
                starting += self.graph.advance()
            if self.graph.root.has_ended:
                break
            for task in starting:
                self._start(task)
            if self.running or self.graph.next_wake() is not None:
                self._wait()
            elif not starting:
                raise RuntimeError("the pipeline has not ended, and nothing in it can go on")
            starting = []
        self._end()

    # -- starting and resuming ---------------------------------------------------------------------------------

    def _listen(self) -> None:
        read, write = os.pipe()
        for fd in (read, write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        self.selector.register(read, selectors.EVENT_READ, "signal")

    def _resume(self) -> list[Task]:
        """What ran when the last driver died: taken as done if it was, else to be run again.

        A failure that the driver did not live to hear of may be that of the service which died with it.
        """
        again = []
        for task in list(self.graph.tasks.values()):
            if task.kind != "container" or task.state not in ("RUNNING", "CANCELLING"):
                continue
            folder = attempt.folder_of(self.folder, task)
            reclaim(folder)
            ended = exit_of(folder)
            with self.state.change():
                if ended is not None and ended.ok:
                    self._conclude(task, folder, ended)
                elif task.state == "CANCELLING":
                    self.graph.stopped(task)
                else:
                    self.graph.again(task)
                    again.append(task)
        return again

    def _start(self, task: Task) -> None:
        try:
            prepared = attempt.prepare(self.graph, task, self.folder)
        except ValueError as error:
            with self.state.change():
                self.graph.failed(task, f"{task.key} could not start: {error}")
            return
        with self.state.change():
            self.state.save(task)
        self._launch(task, prepared)

    def _launch(self, task: Task, prepared: attempt.Attempt) -> None:
        process = self.warm.start(prepared, grace_s=GRACE_S) if prepared.warm else None
        if process is None:
            process = spawn(prepared.folder, prepared.argv, prepared.environment, grace_s=GRACE_S)
        self.running[task.path] = process
        self.selector.register(process.fileno(), selectors.EVENT_READ, task.path)

    # -- waiting and ending ------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Until a task ends, a retry is due or a signal comes."""
        due = self.graph.next_wake()
        timeout = None if due is None else max(0.0, due - time.time())
        for key, _ in self.selector.select(timeout):
            if key.data == "signal":
                _drain(key.fd)
                continue
            self._ended(self.graph.tasks[key.data])

    def _ended(self, task: Task) -> None:
        process = self.running.pop(task.path)
        self.selector.unregister(process.fileno())
        if self.warm.never_started(process):
            process.close()
            if task.state == "CANCELLING":
                with self.state.change():
                    self.graph.stopped(task)
                return
            self._launch(task, attempt.prepare(self.graph, task, self.folder))
            return
        ended = process.wait()
        with self.state.change():
            self._conclude(task, process.folder, ended)

    def _conclude(self, task: Task, folder: Path, ended: Exit) -> None:
        if ended.ok:
            try:
                parameters, artifacts = attempt.outputs(self.graph, task, folder)
            except ValueError as error:
                self.graph.failed(task, f"{error}\n(log: {folder / 'log.txt'})")
                return
            self.graph.succeeded(task, parameters, artifacts)
            self.cache.keep(task, self.graph.caching(task), job=self.graph.job["name"])
            for name in ("gcs", "tmp"):
                shutil.rmtree(folder / name, ignore_errors=True)  # all of it is in the object store by now
        elif task.state == "CANCELLING":
            self.graph.stopped(task)
        else:
            self.graph.failed(task, failures.of_process(folder, ended))

    # -- the job as a whole ------------------------------------------------------------------------------------

    def _cancel_wanted(self) -> bool:
        return (self.folder / job_file.CANCEL).exists()

    def _cancel_if_wanted(self) -> None:
        if self.graph.cancelling or not self._cancel_wanted():
            return
        self._set_job("CANCELLING")
        with self.state.change():
            stopping = self.graph.cancel()
        for task in stopping:
            if task.path in self.running:
                self.running[task.path].stop(grace_s=GRACE_S)

    def _end(self) -> None:
        root = self.graph.root
        cancelled = self.graph.cancelling and root.state != "SUCCEEDED"
        self._set_job("CANCELLED" if cancelled else root.state, error="" if cancelled else root.error, ended=True)
        self.warm.close()
        self.state.close()

    def _set_job(self, state: str, *, error: str = "", ended: bool = False) -> None:
        now = wrapper.now()
        self.job = Job(
            state=state, error=error, started=self.job.started or now, ended=now if ended else "", updated=now
        )
        with self.state.change():
            self.state.save_job(self.job)


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 512):
            pass
    except BlockingIOError:
        return


def main(folder: Path) -> None:
    """Run the job of `folder`, alone: a second driver of the same folder leaves at once."""
    with (folder / "driver.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"{folder} is run by another driver")
        Driver(folder).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
