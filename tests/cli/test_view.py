"""A watched run is readable: steps in their order, one line an event, a loss that falls."""

from tuneline.cli.view import PlainView, TerminalView, loss_line, sparkline
from tuneline.runs.follow import Snapshot, Training, newest, steps_of

ROW = {"step": 20, "/train_total_loss": 1.25, "/train_fraction_of_correct_next_step_preds": 0.5}
EVALUATION = {"step": 20, "/eval_total_loss": 1.5, "/eval_fraction_of_correct_next_step_preds": 0.25}


def job(*tasks: tuple[str, str, str]) -> dict:
    details = [{"taskId": "0", "taskName": "root"}]
    for number, (name, state, start) in enumerate(tasks, start=1):
        task = {"taskId": str(number), "parentTaskId": "0", "taskName": name, "state": state}
        details.append({**task, "startTime": start} if start else task)
    return {"state": "PIPELINE_STATE_RUNNING", "jobDetail": {"taskDetails": details}}


def snapshot(step: int = 0, *tasks: tuple[str, str, str]) -> Snapshot:
    told = job(*(tasks or (("plan-tuning", "RUNNING", "2026-11-21T07:00:00Z"),)))
    training = Training(step=step, total=40, row={**ROW, "step": step}, evaluation=EVALUATION) if step else None
    return Snapshot(job=told, steps=steps_of(told), training=training)


def test_steps_stand_as_they_began_and_those_to_come_in_the_order_of_their_data():
    told = job(
        ("upload-dataset", "PENDING", ""),
        ("submit-tuning-job", "PENDING", ""),
        ("plan-tuning", "RUNNING", "2026-11-21T07:00:09Z"),
        ("validate-dataset", "SUCCEEDED", "2026-11-21T07:00:01Z"),
    )
    names = [step.name for step in steps_of(told)]
    assert names == ["validate-dataset", "plan-tuning", "upload-dataset", "submit-tuning-job"]


def test_a_plain_view_says_each_event_once(capsys):
    view = PlainView()
    for _ in range(3):
        view.show(snapshot(20))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "plan-tuning: running" in lines[0]
    assert "loss 1.250" in lines[1]


def test_the_loss_line_holds_training_and_evaluation():
    text = loss_line(Training(step=20, total=40, row=ROW, evaluation=EVALUATION))
    assert text == "step 20/40  loss 1.250  tokens right 50.0%  evaluation: loss 1.500, tokens right 25.0%"


def test_a_terminal_view_draws_any_snapshot():
    with TerminalView() as view:
        for step in (0, 20, 40):
            view.show(snapshot(step))


def test_a_curve_without_a_known_end_is_shown_without_a_bar(capsys):
    """A managed job does not say how many steps there will be; its loss falls all the same."""
    with TerminalView() as view:
        rows = [{"step": step, "/train_total_loss": 4.0 - step, "/eval_total_loss": 5.0 - step} for step in (1, 2, 3)]
        for row in rows:
            row["/eval_fraction_of_correct_next_step_preds"] = 0.5
        view.show(Snapshot(job={}, steps=(), training=newest(rows, 0)))
    said = capsys.readouterr().err
    assert "step 3  loss 1.000" in said
    assert sparkline([3.0, 2.0, 1.0]) in said
    assert "evaluation loss" in said


def test_a_sparkline_falls_with_the_loss():
    assert sparkline([3.0, 2.0, 1.0]) == "█▅▁" or sparkline([3.0, 2.0, 1.0]) == "█▄▁"
    assert len(sparkline([float(i) for i in range(1000)])) == 24
    assert sparkline([]) == ""
