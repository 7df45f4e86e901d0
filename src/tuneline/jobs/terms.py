"""One submission in data: what it asks for, what it has set in motion, what came of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tuneline.jobs.engines import Claim


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The protocol's times, in seconds. Every run that shares a ledger must use the same."""

    deadline_s: float = 60.0
    """T: a create call is sent no later than this after its claim, and waits no longer than this for its answer."""
    window_s: float = 120.0
    """W: by how much a list of jobs may lag behind what exists."""
    poll_s: float = 2.0
    """Pause between two looks at ledger and labels while a claim is open."""

    @property
    def patience_s(self) -> float:
        """2T + W: the age at which an unanswered claim is taken over."""
        return 2 * self.deadline_s + self.window_s


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What one submission asks for, and by which means it makes its claims."""

    claim: Callable[[int, str], Claim]
    """The claim for an attempt and nonce."""
    nonce: Callable[[], str]
    """A new nonce, never given before."""
    full_name: Callable[[str], str]
    """The resource name of a bare job id."""
    settings: Settings
    force: bool = False
    run: str = ""
    """Who asks; a force is granted once a run."""
    choices: int = 1
    """The request itself and its fallbacks, of which the next is tried where capacity is refused to one."""
    random: random.Random = field(default_factory=random.Random)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The job that stands for the request."""

    name: str
    attempt: int
    nonce: str
    adopted: bool
    """Made by another submission."""
    ours: bool
    """Made by this submission, or by an earlier try of the same run."""
    choice: int = 0
    """Which of the request's choices it was made for."""


@dataclass(kw_only=True)
class Progress:
    """What a submission has set in motion: enough to take it back at any moment."""

    claims: dict[str, Claim] = field(default_factory=dict)
    """Every claim that it made or was about to make, by nonce."""
    sent: set[str] = field(default_factory=set)
    """Nonces of the claims whose create call went out or was about to."""
    made: dict[str, str] = field(default_factory=dict)
    """Jobs that answered its create calls: name by nonce."""
    watched: set[int] = field(default_factory=set)
    """Attempts that it saw open. Their job is its job, however it ends: a job that fails at once is reported, not
    made again by each who waited for it."""
    cancelled: list[str] = field(default_factory=list)
    """Extra jobs that it cancelled."""
    choice: int = 0
    """The choice that its last create call was for."""
    refusals: int = 0
    """Create calls of that choice that the service refused to it."""
    unclear: int = 0
    """Create calls that ended without a clear answer."""
