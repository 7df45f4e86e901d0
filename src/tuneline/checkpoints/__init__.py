"""Checkpoints of a tuning job: what each scored, which one to keep, and why.

A job's output folder is read by URI alone (`docs/checkpoints.md`); nothing here trains or calls a service.
"""

from tuneline.checkpoints.choose import Choice, Selection, choose
from tuneline.checkpoints.curves import Curves, chart, curves_of, read_curves, render_page
from tuneline.checkpoints.result import Checkpoint, Evaluation, Result, Rows, read_result, read_rows
from tuneline.checkpoints.served import Served, ServedChoice, by_epoch, choose_served, settled
from tuneline.paired import Comparison, compare

__all__ = [
    "Checkpoint",
    "Choice",
    "Comparison",
    "Curves",
    "Evaluation",
    "Result",
    "Rows",
    "Selection",
    "Served",
    "ServedChoice",
    "by_epoch",
    "chart",
    "choose",
    "choose_served",
    "compare",
    "curves_of",
    "read_curves",
    "read_result",
    "read_rows",
    "render_page",
    "settled",
]
