"""A curve as an inline SVG: axes, one line a series, a mark at the chosen step. Nothing is fetched, nothing is scripted."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 480, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 26

Points = Sequence[tuple[float, float]]


def chart(*, train: Points, evaluation: Points, chosen: float | None, percent: bool = False, label: str = "") -> str:
    """An SVG of both series over the steps; `percent` fixes the axis to 0–100 %. Returns '' where there is no point."""
    both = [*train, *evaluation]
    if not both:
        return ""
    last = max(x for x, _ in both) or 1.0
    low, high = (0.0, 1.0) if percent else (0.0, max(y for _, y in both) * 1.05 or 1.0)

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / last
        down = TOP + (HEIGHT - TOP - BOTTOM) * (1 - (min(y, high) - low) / (high - low))
        return round(across, 1), round(down, 1)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
    for i in range(5):
        value = low + (high - low) * i / 4
        _, y = place(0, value)
        text = f"{value:.0%}" if percent else f"{value:.2g}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{text}</text>')
    for i in range(5):
        step = round(last * i / 4)
        x, _ = place(step, low)
        anchor = "start" if i == 0 else "end" if i == 4 else "middle"
        parts.append(f'<text x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}">{"step " if i == 0 else ""}{step}</text>')
    for name, points, width in (("train", thinned(train), 1.3), ("eval", evaluation, 2)):
        if points:
            path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in points))
            parts.append(f'<polyline class="{name}" stroke-width="{width}" points="{path}"/>')
    for point in evaluation:
        x, y = place(*point)
        parts.append(f'<circle class="eval-dot" r="2.6" cx="{x}" cy="{y}"/>')
    if chosen is not None:
        x, _ = place(chosen, low)
        parts.append(f'<line class="chosen" stroke-width="1.5" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    return "".join([*parts, "</svg>"])


def thinned(points: Points, most: int = 240) -> Points:
    """At most `most` points, each the mean of its neighbours, so that the line stays a line at any length of run."""
    if len(points) <= most:
        return points
    size = -(-len(points) // most)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]
