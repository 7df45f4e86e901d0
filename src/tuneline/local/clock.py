"""The service's clock: the system's, moved forward where a test asks, so that a schedule need not be awaited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Now, in UTC; never moves back."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self._ahead = timedelta(seconds=ahead_s)

    @property
    def ahead_s(self) -> float:
        """How far the clock is ahead of the system's."""
        return self._ahead.total_seconds()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def forward(self, seconds: float) -> None:
        """Move the clock forward. Raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._ahead += timedelta(seconds=seconds)
