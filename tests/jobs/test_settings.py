"""T and W are settings: a user's own, or those that fit the service."""

from __future__ import annotations

import pytest

from tuneline import errors, jobs


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TUNELINE_LOCAL_URL", "TUNELINE_SUBMIT_DEADLINE_S", "TUNELINE_LOOKUP_WINDOW_S"):
        monkeypatch.delenv(name, raising=False)


def test_on_google_cloud_they_are_one_and_two_minutes() -> None:
    """T = 60 s, W = 120 s: nobody is blocked for more than four minutes."""
    settings = jobs.settings_from_environment()
    assert (settings.deadline_s, settings.window_s, settings.patience_s) == (60, 120, 240)


def test_on_the_local_service_they_are_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists do not lag there."""
    monkeypatch.setenv("TUNELINE_LOCAL_URL", "http://127.0.0.1:1")
    assert jobs.settings_from_environment().patience_s == 25


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both can be set; a fraction of a second too."""
    monkeypatch.setenv("TUNELINE_SUBMIT_DEADLINE_S", "1.5")
    monkeypatch.setenv("TUNELINE_LOOKUP_WINDOW_S", "3")
    settings = jobs.settings_from_environment()
    assert settings.patience_s == 6
    assert settings.poll_s == 0.05


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan"])
def test_a_setting_that_is_no_time_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The variable and its value are named."""
    monkeypatch.setenv("TUNELINE_LOOKUP_WINDOW_S", value)
    with pytest.raises(errors.UsageError, match=f"TUNELINE_LOOKUP_WINDOW_S: `{value}`"):
        jobs.settings_from_environment()
