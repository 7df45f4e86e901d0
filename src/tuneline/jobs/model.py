"""A job in one shape, whichever engine runs it: its state, its times, its own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from tuneline import errors


class JobState(Enum):
    """The eleven states of a Vertex AI job, and the one for a word that we do not know.

    Source: `google.cloud.aiplatform.v1.JobState`. REST answers carry the name or, where enums travel as integers, the
    number; `parse` reads both.
    """

    UNSPECIFIED = 0
    QUEUED = 1
    PENDING = 2
    RUNNING = 3
    SUCCEEDED = 4
    FAILED = 5
    CANCELLING = 6
    CANCELLED = 7
    PAUSED = 8
    EXPIRED = 9
    UPDATING = 10
    PARTIALLY_SUCCEEDED = 11

    @classmethod
    def parse(cls, value: object) -> JobState:
        """Reads `JOB_STATE_RUNNING`, `RUNNING` or 3; anything unheard of is `UNSPECIFIED`, never a crash or an end."""
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(value) if value in cls._value2member_map_ else cls.UNSPECIFIED
        return cls.__members__.get(str(value or "").upper().removeprefix("JOB_STATE_"), cls.UNSPECIFIED)

    @property
    def terminal(self) -> bool:
        """Whether nothing will change any more."""
        return self in _TERMINAL

    @property
    def live(self) -> bool:
        """Whether the job may still work, and so cost money: it has not ended and nobody has cancelled it."""
        return not self.terminal and self is not JobState.CANCELLING

    @property
    def words(self) -> str:
        """The state as one says it to the person who waits."""
        return _WORDS[self]


_TERMINAL = frozenset(
    {
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
        JobState.EXPIRED,
        JobState.PARTIALLY_SUCCEEDED,
    }
)

_WORDS = {
    JobState.UNSPECIFIED: "in a state that this version does not know",
    JobState.QUEUED: "accepted, not yet scheduled",
    JobState.PENDING: "waiting for its machines",
    JobState.RUNNING: "running",
    JobState.SUCCEEDED: "succeeded",
    JobState.FAILED: "failed",
    JobState.CANCELLING: "being cancelled",
    JobState.CANCELLED: "cancelled",
    JobState.PAUSED: "paused; it can be resumed",
    JobState.EXPIRED: "expired: the service gave up waiting for capacity or ran past the job's time limit",
    JobState.UPDATING: "being updated; it runs on",
    JobState.PARTIALLY_SUCCEEDED: "partially succeeded: some results are missing",
}

# Details that say more than the state; the words are ours. Source: spec/catalogue-today.md, "States".
_DETAILS = {
    "WAITING_FOR_QUOTA": "waiting for quota",
    "PROCESSING_DATASET": "reading the dataset",
    "WAITING_FOR_CAPACITY": "waiting for capacity",
    "TUNING": "tuning",
    "POST_PROCESSING": "finishing: uploading the model",
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a service says of one job, at the moment it was asked."""

    name: str
    """Full resource name: `projects/…/locations/…/customJobs/…`."""
    state: JobState
    display_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    """The job's own error text, whole."""
    error_code: int = 0
    """google.rpc.Code of that error; 8 is RESOURCE_EXHAUSTED: quota or capacity."""
    detail: str = ""
    """The service's finer state, e.g. `WAITING_FOR_CAPACITY`; empty where it gives none."""
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    output_uri: str = ""
    """Where the job writes, where the resource says so."""
    raw: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The resource as the service sent it."""

    @property
    def capacity_refused(self) -> bool:
        """Whether it ended for lack of quota or machines: by its own word, or expired before it ever ran."""
        expired = self.state is JobState.EXPIRED and self.started is None
        return expired or (self.state is JobState.FAILED and self.error_code == _RESOURCE_EXHAUSTED)

    @property
    def words(self) -> str:
        """The state in words, with the detail that matters to who waits, and the job's own error."""
        words = self.state.words
        if self.detail and not self.state.terminal:
            words += f" ({_DETAILS.get(self.detail, self.detail.replace('_', ' ').lower())})"
        return f"{words}: {self.error}" if self.error else words

    def raise_unless_succeeded(self) -> None:
        """Raises with the job's own text where it ended otherwise than well.

        Raises `QuotaExceeded` where the job itself says that quota or capacity was refused, else `JobFailed`.
        """
        if self.state is JobState.SUCCEEDED:
            return
        message = f"{self.name} {self.words}"
        if self.capacity_refused:
            raise errors.QuotaExceeded(message, status=429, reason="RESOURCE_EXHAUSTED")
        raise errors.JobFailed(message)


_RESOURCE_EXHAUSTED = 8


def parse_time(value: object) -> datetime | None:
    """Reads a protobuf JSON timestamp (`2026-11-20T10:00:00.123456789Z`), or None where there is none."""
    if not isinstance(value, str) or not value:
        return None
    head, dot, tail = value.replace("Z", "+00:00").partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        # datetime keeps microseconds; the service may send nanoseconds.
        tail = tail[:digits][:6].ljust(6, "0") + tail[digits:]
    return datetime.fromisoformat(head + dot + tail)
