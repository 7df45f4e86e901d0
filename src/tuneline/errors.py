"""Every failure that tuneline raises on purpose: what is wrong, where, and what to do about it.

    TunelineError                       1   anything below
    ├── ProblemsError                       several findings told at once
    │   ├── UsageError                  2   a parameter, a body, a combination
    │   └── DatasetError                3   the data itself
    ├── VersionMismatch                 2   a step compiled for another minor version
    ├── JobFailed                       1   the job ended badly; carries the job's own text
    ├── GateNotPassed                   6   the tuned model does not beat the champion
    ├── OverCostLimit                   7   dearer than allowed, or of unknown price where a limit is set
    ├── StillRunning                    8   a deadline passed; the job goes on
    └── ServiceError                    1   the service answered with an error, or not at all
        ├── InvalidArgument             2   400
        ├── NotPermitted                4   401, 403
        ├── NotFound                    1   404
        ├── AlreadyExists               1   409, or 412 on create-if-absent
        ├── QuotaExceeded               5   429, no capacity
        └── Unavailable                 1   5xx, no answer, connection lost: worth another try
                                            where the call does not spend

The number is the exit code of the command line (`docs/exit-codes.md`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong: its place, the rule it breaks, and the way out."""

    where: str
    """The parameter, file and line, or resource that is at fault."""
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" → {self.fix}" if self.fix else "")

    def to_dict(self) -> dict[str, str]:
        return {"where": self.where, "what": self.what, "fix": self.fix}


class TunelineError(Exception):
    """The root: a message that a stranger can act on."""

    exit_code = 1


class ProblemsError(TunelineError):
    """All problems of one input in one message, never the first alone."""

    title = "problems found"

    def __init__(self, problems: Iterable[Problem], *, title: str = "") -> None:
        self.problems = tuple(problems)
        head = title or self.title
        super().__init__("\n".join([f"{head} ({len(self.problems)}):", *(f"  - {p}" for p in self.problems)]))


class UsageError(ProblemsError):
    """The request cannot be carried out as written."""

    exit_code = 2
    title = "the request is refused"


class DatasetError(ProblemsError):
    """The dataset cannot be used as it is."""

    exit_code = 3
    title = "the dataset is refused"


class VersionMismatch(TunelineError):
    """A step was compiled for one minor version and runs in an image of another."""

    exit_code = 2


class JobFailed(TunelineError):
    """The job ended in a state other than success; the message is the job's own."""


class GateNotPassed(TunelineError):
    """The challenger does not beat the champion by more than chance."""

    exit_code = 6


class OverCostLimit(TunelineError):
    """The plan costs more than the limit, or nobody can say what it costs."""

    exit_code = 7


class StillRunning(TunelineError):
    """The wait ended by its deadline; the job was left running."""

    exit_code = 8


class ServiceError(TunelineError):
    """A service refused or failed; `status` is the HTTP status (0: no answer came)."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        """The canonical code, e.g. `INVALID_ARGUMENT`, where the service gave one."""


class InvalidArgument(ServiceError):
    """The service found the request itself wrong."""

    exit_code = 2


class NotPermitted(ServiceError):
    """The caller is unknown or may not do this."""

    exit_code = 4


class NotFound(ServiceError):
    """No such resource, object or file."""


class AlreadyExists(ServiceError):
    """Somebody else made it first."""


class QuotaExceeded(ServiceError):
    """Quota or capacity is used up."""

    exit_code = 5


class Unavailable(ServiceError):
    """The service is not answering now; the same call may go through later."""
