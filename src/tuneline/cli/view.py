"""How a watched run looks: live bars on a terminal, one plain line an event elsewhere. All of it on standard error."""

from __future__ import annotations

import sys
import time

from tuneline.runs.follow import Snapshot, Training

MARKS = {"SUCCEEDED": "✓", "FAILED": "✗", "RUNNING": "…", "SKIPPED": "–", "NOT_TRIGGERED": "–", "CANCELLED": "–"}


def view() -> PlainView | TerminalView:
    """The view that fits standard error."""
    return TerminalView() if sys.stderr.isatty() else PlainView()


def loss_line(training: Training) -> str:
    """One line about the training: step, loss, share of tokens right, and the newest evaluation."""
    row, evaluation = training.row, training.evaluation
    words = [f"step {training.step}" + (f"/{training.total}" if training.total else "")]
    if "/train_total_loss" in row:
        words.append(f"loss {row['/train_total_loss']:.3f}")
    if "/train_fraction_of_correct_next_step_preds" in row:
        words.append(f"tokens right {row['/train_fraction_of_correct_next_step_preds']:.1%}")
    if "/eval_total_loss" in evaluation:
        words.append(f"evaluation: loss {evaluation['/eval_total_loss']:.3f}")
        # Series that are read one after another need not have come equally far.
        if "/eval_fraction_of_correct_next_step_preds" in evaluation:
            words[-1] += f", tokens right {evaluation['/eval_fraction_of_correct_next_step_preds']:.1%}"
    return "  ".join(words)


class PlainView:
    """One line whenever a step begins or ends, and one every few seconds of training."""

    EVERY_S = 2.0

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self._began = time.monotonic()
        self._told_step = -1
        self._told_at = 0.0

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, snapshot: Snapshot) -> None:
        for step in snapshot.steps:
            if self._seen.get(step.name) == step.state or step.state == "PENDING":
                continue
            self._seen[step.name] = step.state
            tail = f" ({step.seconds:.1f} s)" if step.state != "RUNNING" else ""
            self.say(f"{MARKS.get(step.state, '?')} {step.name}: {step.state.lower()}{tail}")
        training = snapshot.training
        due = time.monotonic() - self._told_at >= self.EVERY_S
        if training and training.row and training.step != self._told_step and (due or training.step == training.total):
            self._told_step, self._told_at = training.step, time.monotonic()
            self.say(f"    {loss_line(training)}")

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self._began:5.1f} s] {text}", file=sys.stderr, flush=True)


class TerminalView:
    """A table of steps that fills in place, with a bar and a loss line while the model is tuned."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=8)

    def __enter__(self) -> TerminalView:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(*error)

    def show(self, snapshot: Snapshot) -> None:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1))
        for step in snapshot.steps:
            colour = {"SUCCEEDED": "green", "FAILED": "red", "RUNNING": "cyan"}.get(step.state, "dim")
            mark = (
                Spinner("dots", style="cyan")
                if step.state == "RUNNING"
                else Text(MARKS.get(step.state, "·"), style=colour)
            )
            table.add_row(
                mark, Text(step.name, style=colour), Text(f"{step.seconds:6.1f} s" if step.seconds else "", style="dim")
            )
        parts: list[object] = [table]
        training = snapshot.training
        if training and (training.total or training.row):
            bar = Table.grid(padding=(0, 1))
            told = Text(loss_line(training))
            # A managed service does not say how many steps there will be.
            total = training.total
            bar.add_row(ProgressBar(total=total, completed=training.step, width=30) if total else "", told)
            for name, losses in (("loss", training.losses), ("evaluation loss", training.evaluation_losses)):
                if losses:
                    shown = Text(sparkline(list(losses), width=48), style="cyan")
                    bar.add_row(Text(name, style="dim", justify="right"), shown)
            parts.append(bar)
        self._live.update(Group(*parts))

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False)


def sparkline(values: list[float], width: int = 24) -> str:
    """The values as blocks, oldest first, at most `width` of them."""
    if not values:
        return ""
    shown = (
        values[-width:]
        if len(values) <= width
        else [values[i * (len(values) - 1) // (width - 1)] for i in range(width)]
    )
    low, high = min(shown), max(shown)
    blocks = "▁▂▃▄▅▆▇█"
    return "".join(blocks[round((v - low) / (high - low or 1.0) * (len(blocks) - 1))] for v in shown)
