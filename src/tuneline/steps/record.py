"""The record that each step leaves in the run's folder: at its start, and again at its end, good or bad.

`report_run` and the command line know of a run what stands there and nothing else (`docs/run-folder.md`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tuneline import errors, objects
from tuneline._version import __version__
from tuneline.errors import ProblemsError, ServiceError, TunelineError, VersionMismatch
from tuneline.jobs.interruption import stoppable

INTERRUPTED = 130


@dataclass(kw_only=True)
class Record:
    """What a step has to say of itself."""

    step: str
    folder: str
    """The run's folder, without a slash at its end."""
    inputs: Mapping[str, Any]
    started: str
    result: dict[str, Any] = field(default_factory=dict)
    """What the step found or made; filled while it runs."""

    @property
    def uri(self) -> str:
        return f"{self.folder}/{self.step}.json"

    def write(self, state: str, error: Mapping[str, Any] | None = None) -> None:
        """Puts the record into the run's folder, in place of the one before."""
        ended = None if state == "running" else _now()
        objects.write_json(
            self.uri,
            {
                "step": self.step,
                "state": state,
                "version": __version__,
                "started": self.started,
                "ended": ended,
                "inputs": dict(self.inputs),
                "result": self.result,
                "error": error,
            },
        )


@contextmanager
def recorded(
    step: str, *, pipeline_root: str, pipeline_job_name: str, compiled_for: str, inputs: Mapping[str, Any]
) -> Iterator[Record]:
    """Within it a step does its work; what it raises is recorded whole, told on standard error, and raised again.

    Being told to stop (SIGTERM) is such an end too: it is raised as `jobs.Stopped` in the middle of the work.

    Raises:
        VersionMismatch: the component was compiled for another minor version than the one installed here.
    """
    folder = run_folder(pipeline_root, pipeline_job_name)
    record = Record(step=step, folder=folder, inputs=inputs, started=_now())
    with stoppable():
        record.write("running")
        try:
            check_version(step, compiled_for)
            yield record
        except BaseException as error:
            _fail(record, error)
            raise
        record.write("succeeded")


def run_folder(pipeline_root: str, pipeline_job_name: str) -> str:
    """`<pipeline root>/<job name>/run`, the same from every step of a run."""
    return objects.join(pipeline_root, pipeline_job_name, "run").rstrip("/")


def check_version(step: str, compiled_for: str) -> None:
    """Raises `VersionMismatch` where the component was compiled for another minor version than this one."""
    installed = ".".join(__version__.split(".")[:2])
    if compiled_for != installed:
        raise VersionMismatch(
            f"{step} was compiled for tuneline {compiled_for}, and its image holds tuneline {__version__}: "
            f"run it in an image of tuneline {compiled_for}, or submit the template that tuneline {installed} ships"
        )


def described(error: BaseException) -> dict[str, Any]:
    """An error as the record holds it: its type, its full text, every problem, the exit code."""
    problems = [problem.to_dict() for problem in error.problems] if isinstance(error, ProblemsError) else []
    if isinstance(error, TunelineError):
        code = error.exit_code
    else:
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    name = type(error).__name__
    known = isinstance(error, TunelineError | KeyboardInterrupt)
    text = str(error) or name
    # Of a failure that nobody foresaw, its kind is half of what there is to say.
    message = text if known else f"{name}: {text}"
    return {"type": name, "message": message, "problems": problems, "exit_code": code}


def _fail(record: Record, error: BaseException) -> None:
    told = described(error)
    print(f"{record.step}: {told['message']}", file=sys.stderr, flush=True)
    try:
        record.write("failed", told)
    except (ServiceError, errors.DatasetError, OSError) as unwritten:
        # The step's own error is what the user must see, not this one.
        print(f"{record.step}: its record could not be written: {unwritten}", file=sys.stderr, flush=True)


def _now() -> str:
    return datetime.now(UTC).isoformat()
