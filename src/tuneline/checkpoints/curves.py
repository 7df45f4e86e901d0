"""The curves of a training: read from `metrics.jsonl`, drawn as inline SVG, on one page that fetches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tuneline import objects
from tuneline.errors import TunelineError

Points = Sequence[tuple[int, float]]
"""(step, value), in order of the steps."""

MOST_POINTS = 400
"""More cannot be seen in a chart, and would make the run's record grow with the length of the training."""

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 520, 260, 52, 12, 30


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Four series over the steps, under the documented metric names."""

    train_loss: Points = ()
    train_accuracy: Points = ()
    eval_loss: Points = ()
    eval_accuracy: Points = ()

    def to_dict(self) -> dict[str, list[list[float]]]:
        """The series as JSON, thinned to what a chart can show; evaluations are kept whole."""
        return {
            "train_loss": [list(point) for point in thinned(self.train_loss)],
            "train_accuracy": [list(point) for point in thinned(self.train_accuracy)],
            "eval_loss": [list(point) for point in self.eval_loss],
            "eval_accuracy": [list(point) for point in self.eval_accuracy],
        }


_NAMES = {
    "train_loss": "/train_total_loss",
    "train_accuracy": "/train_fraction_of_correct_next_step_preds",
    "eval_loss": "/eval_total_loss",
    "eval_accuracy": "/eval_fraction_of_correct_next_step_preds",
}


def read_curves(output_uri: str) -> Curves:
    """Reads `metrics.jsonl` of a job's output folder; a step that was written twice counts as it was written last.

    Raises:
        NotFound: the folder has none.
        TunelineError: a line is broken; the message names it.
    """
    import orjson

    uri = objects.join(output_uri, "metrics.jsonl")
    rows = []
    for number, line in enumerate(objects.read_bytes(uri).splitlines(), start=1):
        try:
            row = orjson.loads(line)
            rows.append({**row, "step": int(row["step"])})
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise TunelineError(f"{uri}, line {number} is no row of metrics: {error!r}") from error
    return curves_of(rows)


def curves_of(rows: Iterable[Mapping[str, Any]]) -> Curves:
    """The series in rows of `{"step", metric name: value}`; a step that is there twice counts as it is there last."""
    series: dict[str, dict[int, float]] = {name: {} for name in _NAMES}
    for row in rows:
        for name, key in _NAMES.items():
            if row.get(key) is not None:
                series[name][int(row["step"])] = float(row[key])
    return Curves(**{name: tuple(sorted(points.items())) for name, points in series.items()})


def render_page(curves: Curves, *, title: str, chosen: int | None, reason: str = "") -> str:
    """One self-contained HTML page: loss and accuracy, the chosen step marked, the reason below."""
    figures = "".join(
        f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
        for svg, caption in (
            (chart(curves.train_loss, curves.eval_loss, chosen=chosen, label="loss over steps"), "loss (nats a token)"),
            (
                chart(
                    curves.train_accuracy, curves.eval_accuracy, chosen=chosen, share=True, label="accuracy over steps"
                ),
                "share of response tokens predicted right",
            ),
        )
        if svg
    )
    return _PAGE.format(
        title=escape(title), figures=figures or "<p>No metrics were written.</p>", reason=escape(reason)
    )


def chart(train: Points, evaluation: Points, *, chosen: int | None, share: bool = False, label: str = "") -> str:
    """One SVG with both series; `share` fixes the axis to 0–100 %. Empty where there is no point."""
    if not train and not evaluation:
        return ""
    last = max(step for step, _ in (*train, *evaluation)) or 1
    top = 1.0 if share else max(value for _, value in (*train, *evaluation)) * 1.05 or 1.0
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">']
    for quarter in range(5):
        value, step = top * quarter / 4, round(last * quarter / 4)
        y = _y(value, top)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{f"{value:.0%}" if share else f"{value:.2g}"}</text>'
        )
        anchor = ("start", "middle", "middle", "middle", "end")[quarter]
        parts.append(f'<text x="{_x(step, last)}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{step}</text>')
    parts.append(_line("train", thinned(train), last, top))
    parts.append(_line("eval", evaluation, last, top))
    parts += [f'<circle class="eval" r="3" cx="{_x(step, last)}" cy="{_y(value, top)}"/>' for step, value in evaluation]
    if chosen is not None:
        x = _x(chosen, last)
        parts.append(f'<line class="chosen" x1="{x}" x2="{x}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
    return "".join([*parts, "</svg>"])


def thinned(points: Points, most: int = MOST_POINTS) -> Points:
    """At most `most` points, each the mean of a run of neighbours, at the last one's step."""
    if len(points) <= most:
        return points
    size = -(-len(points) // most)
    runs = (points[start : start + size] for start in range(0, len(points), size))
    return [(run[-1][0], sum(value for _, value in run) / len(run)) for run in runs]


def _line(kind: str, points: Iterable[tuple[int, float]], last: int, top: float) -> str:
    path = " ".join(f"{_x(step, last)},{_y(value, top)}" for step, value in points)
    return f'<polyline class="{kind}" points="{path}"/>' if path else ""


def _x(step: float, last: int) -> float:
    return round(_LEFT + (_WIDTH - _LEFT - 8) * step / last, 1)


def _y(value: float, top: float) -> float:
    return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - min(value, top) / top), 1)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 24px auto; padding: 0 16px; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 16px; }}
figure {{ margin: 0; }} figcaption, .key {{ color: gray; font-size: 13px; }} svg {{ width: 100%; height: auto; }}
svg text {{ fill: gray; font: 11px system-ui, sans-serif; }} .grid {{ stroke: #8884; }}
polyline {{ fill: none; stroke-width: 2; }} polyline.train {{ stroke: #4a7be0; stroke-width: 1.3; }}
polyline.eval {{ stroke: #d9730d; }} circle.eval {{ fill: #d9730d; }}
.chosen {{ stroke: #14914a; stroke-width: 1.5; stroke-dasharray: 4 3; }}
</style></head><body><h1>{title}</h1><div class="charts">{figures}</div>
<p class="key">blue: training · orange: evaluation · green: the chosen step</p><p>{reason}</p></body></html>
"""
