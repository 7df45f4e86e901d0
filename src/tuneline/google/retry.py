"""What is tried again, in one table, and for how long.

Rows are what can happen to a call, columns the two kinds of call. A call that *spends* (it makes a job, an endpoint, a
model) is sent once: what became of it is found out by looking, never by sending it again (`docs/exactly-once.md`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Failure(StrEnum):
    """What can happen to a call."""

    REFUSED = "the service said no: any other 4xx, or 501"
    UNAUTHENTICATED = "401: the token is not valid, or no longer"
    TIMEOUT = "408 or 504: the service gave up waiting"
    ABORTED = "409 with the code ABORTED: it lost a race inside the service"
    RATE = "429: quota or capacity"
    SERVER = "500, 502 or 503: the service failed"
    NO_CONNECTION = "no connection: refused, reset before sending, name not found"
    NO_ANSWER = "the connection was lost or timed out after sending"
    NO_TOKEN = "the token server failed for the moment"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Whether one failure is tried again, by kind of call."""

    idempotent: bool
    spending: bool


# A 401 reaches this table only after google-auth refreshed the token and tried again by itself; that second try is
# safe for a spending call too, since a request without a valid token has had no effect.
TABLE: dict[Failure, Rule] = {
    Failure.REFUSED: Rule(idempotent=False, spending=False),
    Failure.UNAUTHENTICATED: Rule(idempotent=False, spending=False),
    Failure.TIMEOUT: Rule(idempotent=True, spending=False),
    Failure.ABORTED: Rule(idempotent=True, spending=False),
    Failure.RATE: Rule(idempotent=True, spending=False),
    Failure.SERVER: Rule(idempotent=True, spending=False),
    Failure.NO_CONNECTION: Rule(idempotent=True, spending=False),
    Failure.NO_ANSWER: Rule(idempotent=True, spending=False),
    # No token, nothing sent: the one failure after which a spending call may go out, since it has not yet.
    Failure.NO_TOKEN: Rule(idempotent=True, spending=True),
}

_BY_STATUS = {
    401: Failure.UNAUTHENTICATED,
    408: Failure.TIMEOUT,
    429: Failure.RATE,
    500: Failure.SERVER,
    502: Failure.SERVER,
    503: Failure.SERVER,
    504: Failure.TIMEOUT,
}

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 16.0


def failure_of(status: int, reason: str = "") -> Failure:
    """The row of the table for an answer of the service."""
    if reason == "ABORTED":
        return Failure.ABORTED
    return _BY_STATUS.get(status, Failure.REFUSED)


def again(failure: Failure, *, spends: bool) -> bool:
    """Whether a call that failed so is sent again."""
    rule = TABLE[failure]
    return rule.spending if spends else rule.idempotent


def pauses(random_source: random.Random | None = None) -> Iterator[float]:
    """Seconds to wait before each further try: doubling from 0.25 to 16, each drawn from its upper half and below.

    The jitter keeps many callers that failed together from coming back together.
    """
    source = random_source or random.Random()
    pause = FIRST_PAUSE_S
    while True:
        yield source.uniform(pause / 2, pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)
