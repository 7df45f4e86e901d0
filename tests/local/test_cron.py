"""Promise: cron expressions mean what cron says, in their own time zone, summer time included."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tuneline.local import cron


def at(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "after", "following"),
    [
        ("* * * * *", "2026-03-01T10:00:30", "2026-03-01T10:01:00"),
        ("0 3 * * *", "2026-03-01T03:00:00", "2026-03-02T03:00:00"),
        ("*/15 8-9 * * mon-fri", "2026-03-06T09:45:00", "2026-03-09T08:00:00"),
        ("0 0 1,15 * *", "2026-02-16T00:00:00", "2026-03-01T00:00:00"),
        ("0 0 29 feb *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("30 6 13 * fri", "2026-03-01T00:00:00", "2026-03-06T06:30:00"),  # either the 13th or a Friday
        ("0 12 * * 7", "2026-03-02T00:00:00", "2026-03-08T12:00:00"),  # 7 is Sunday too
        ("TZ=America/New_York 0 3 * * *", "2026-03-07T09:00:00", "2026-03-08T07:00:00"),  # the day clocks change
        ("TZ=America/New_York 0 3 * * *", "2026-03-06T09:00:00", "2026-03-07T08:00:00"),
        ("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-25T00:30:00", "2026-10-26T01:30:00"),  # comes twice, runs once
        ("TZ=Europe/Berlin 30 2 29 3 *", "2026-03-28T12:00:00", "2026-03-29T01:30:00"),  # skipped by the clocks
    ],
)
def test_the_next_time(text, after, following):
    """Strictly after, and in UTC."""
    assert cron.parse(text).after(at(after)) == at(following)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("* * * *", "five"),
        ("60 * * * *", "minute"),
        ("* * 0 * *", "day of month"),
        ("* * * foo *", "month"),
        ("*/0 * * * *", "step"),
        ("0 0 31 2 *", "never"),
        ("TZ=Mars/Olympus * * * * *", "time zone"),
    ],
)
def test_what_is_no_cron_is_refused(text, says):
    """By the field."""
    with pytest.raises(ValueError, match=says):
        cron.parse(text)
