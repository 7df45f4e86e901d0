"""A step leaves a record at its start and at its end, good or bad, and what it raises is told whole."""

import pytest

from tests.steps.conftest import MINOR
from tuneline import errors
from tuneline._version import __version__
from tuneline.errors import DatasetError, Problem, VersionMismatch
from tuneline.steps.record import recorded


def test_a_step_that_runs_and_then_succeeds(run):
    with recorded("a_step", **run.common, inputs={"count": 3}) as record:
        during = run.record("a_step")
        record.result["answer"] = 42
    assert (during["state"], during["ended"], during["result"]) == ("running", None, {})
    after = run.record("a_step")
    assert (after["state"], after["result"], after["inputs"]) == ("succeeded", {"answer": 42}, {"count": 3})
    assert after["error"] is None
    assert after["version"] == __version__
    assert during["started"] == after["started"] <= after["ended"]


def test_every_problem_is_in_the_record_and_on_stderr_and_is_raised(run, capsys):
    problems = [Problem(where=f"line {n}", what="is broken", fix="mend it") for n in (1, 2, 3)]

    def fails():
        with recorded("a_step", **run.common, inputs={}) as record:
            record.result["so far"] = True
            raise DatasetError(problems)

    with pytest.raises(DatasetError):
        fails()
    error = run.record("a_step")["error"]
    assert run.record("a_step")["state"] == "failed"
    assert run.record("a_step")["result"] == {"so far": True}
    assert error["problems"] == [problem.to_dict() for problem in problems]
    assert (error["type"], error["exit_code"]) == ("DatasetError", 3)
    assert error["message"] == str(DatasetError(problems))
    assert "line 3: is broken → mend it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.QuotaExceeded("no A100 left", status=429), 5, "no A100 left"),
        (ZeroDivisionError("division by zero"), 1, "ZeroDivisionError: division by zero"),
        (KeyboardInterrupt("stopped by SIGTERM"), 130, "stopped by SIGTERM"),
        (KeyError(), 1, "KeyError: KeyError"),
    ],
)
def test_any_end_has_its_exit_code_and_text(run, error, code, message):
    with pytest.raises(type(error)), recorded("a_step", **run.common, inputs={}):
        raise error
    record = run.record("a_step")
    assert record["state"] == "failed"
    assert (record["error"]["exit_code"], record["error"]["message"]) == (code, message)


def test_an_image_of_another_minor_version_refuses_naming_both(run):
    with (
        pytest.raises(VersionMismatch, match=rf"compiled for tuneline 9\.9, .* holds tuneline {__version__}"),
        recorded("a_step", **{**run.common, "compiled_for": "9.9"}, inputs={}),
    ):
        pytest.fail("the step must not begin")
    record = run.record("a_step")
    assert record["state"] == "failed"
    assert record["error"]["exit_code"] == 2
    assert MINOR in record["error"]["message"]


def test_a_record_that_cannot_be_written_does_not_hide_the_steps_own_error(run, capsys):
    def fails():
        with recorded("a_step", **run.common, inputs={}):
            folder = run.root / "job-1" / "run"
            (folder / "a_step.json").unlink()
            folder.rmdir()
            folder.write_text("in the way")
            raise ZeroDivisionError("the real reason")

    with pytest.raises(ZeroDivisionError):
        fails()
    said = capsys.readouterr().err
    assert "the real reason" in said
    assert "could not be written" in said


def test_a_second_try_replaces_the_first_ones_record(run):
    with pytest.raises(ZeroDivisionError), recorded("a_step", **run.common, inputs={}):
        raise ZeroDivisionError
    with recorded("a_step", **run.common, inputs={}):
        pass
    assert run.record("a_step")["state"] == "succeeded"
    assert run.record("a_step")["error"] is None
