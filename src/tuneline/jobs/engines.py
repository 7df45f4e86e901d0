"""What every engine that tunes can do, and what a request to one looks like.

An engine knows one API: how a job is made, looked up, read and cancelled there. It holds no state and decides nothing:
that one request becomes one job is the work of `protocol`, that a wait ends rightly the work of `waiting`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tuneline.errors import Problem, UsageError
from tuneline.jobs.model import Job
from tuneline.jobs.predictions import Prediction

# Underscores: a hyphen in a filter such as `labels.KEY=value` would need quoting rules that no page states.
LABEL_FINGERPRINT = "tuneline_fingerprint"
LABEL_ATTEMPT = "tuneline_attempt"
LABEL_NONCE = "tuneline_nonce"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One job that is wanted; the same request twice is the same job."""

    project: str
    location: str
    """Region in which the job computes."""
    display_name: str
    body: Mapping[str, object]
    """The resource as the engine's API takes it, but for display name, labels and what the claim adds."""
    staging: str
    """`gs://bucket`, a prefix in one, or a folder: fixed by project and region, never the run's own."""
    identity: Mapping[str, object] = field(default_factory=dict)
    """What tells this request from others beyond its body: digests of data, base model and image."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The user's own labels; no part of the fingerprint."""
    force: bool = False
    """Make a new job even where one has succeeded."""
    run: str = ""
    """Who asks, e.g. the pipeline job's name: a step that is tried again does not force a second time."""
    on_cancel: Literal["cancel", "leave"] = "cancel"
    """What becomes of the job when the run that made it is told to stop."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to send one create call, and the marks by which its job is known."""

    fingerprint: str
    attempt: int
    nonce: str
    judge_uri: str
    """URI of the ledger's `N.job`, which says whose job the attempt's job is."""
    output_uri: str
    """Folder that the job writes to."""
    choice: int = 0
    """Which of the request's choices it is for: 0 is the request itself, 1 its first fallback."""

    @property
    def labels(self) -> dict[str, str]:
        """The labels by which the job is found again."""
        return {
            LABEL_FINGERPRINT: self.fingerprint,
            LABEL_ATTEMPT: str(self.attempt),
            LABEL_NONCE: self.nonce,
        }


class Maker(Protocol):
    """One API that makes something of which there shall be one: all that the rules of exactly-once need of it.

    A job; or what is no job but shall not exist twice either: a version of a model, a schedule. Of those `cancel` is to
    delete, and they are live as long as they are there.
    """

    name: str
    """Part of the fingerprint, so that no two kinds of things are ever taken for one another."""

    def create(self, request: Request, claim: Claim, *, timeout_s: float) -> Job:
        """Sends one create call, once, marked with the claim.

        Raises:
            ServiceError: a 4xx is a definite refusal; anything else leaves open whether there is a job now.
        """
        ...

    def find(self, project: str, location: str, fingerprint: str) -> list[Job]:
        """Every job that carries the fingerprint, in whatever state; a list may lag behind what was made."""
        ...

    def get(self, name: str) -> Job:
        """The job as it is now.

        Raises:
            NotFound: there is none of that name.
        """
        ...

    def cancel(self, name: str) -> None:
        """Asks for the job's end; asking twice, or too late, is no error."""
        ...

    def intact(self, job: Job) -> bool:
        """Whether a succeeded job's result is still there to be used."""
        ...

    def full_name(self, project: str, location: str, identifier: str) -> str:
        """The resource name of a bare id; a full name is returned as it is."""
        ...


class Engine(Maker, Protocol):
    """One API on which a job runs: `custom_training`, `vertex_tuning` or `gemini_api`."""

    def list(self, project: str, location: str) -> Iterator[Job]:
        """Every job of the project and region, newest first."""
        ...

    def result(self, name: str, *, output_uri: str = "") -> dict[str, object]:
        """What the job made; keys as in the trainer's `result.json`.

        Raises:
            NotFound: no result there; the job has not succeeded, or its output was deleted.
        """
        ...

    def logs(self, name: str, *, output_uri: str = "") -> Iterator[str]:
        """The job's log, line by line, as far as the engine keeps one."""
        ...

    def predict(self, wanted: Prediction) -> str:
        """The URI of one model's predictions over a dataset, a row an example as the trainer writes them.

        What was predicted before is not predicted again; a call that was cut off goes on where it was.

        Raises:
            ServiceError, JobFailed: the model does not answer, or the job that predicts ended badly.
        """
        ...


def engine(name: str) -> Engine:
    """The engine of that name.

    Raises:
        UsageError: there is none.
    """
    # Imported here: an engine's module needs this one.
    from tuneline.jobs import custom_training, gemini_api, vertex_tuning

    known: dict[str, type[Engine]] = {
        "custom_training": custom_training.CustomTraining,
        "gemini_api": gemini_api.GeminiApi,
        "vertex_tuning": vertex_tuning.VertexTuning,
    }
    if name not in known:
        raise UsageError(
            [Problem(where="engine", what=f"`{name}` is no engine", fix="one of: " + ", ".join(sorted(known)))]
        )
    return known[name]()
