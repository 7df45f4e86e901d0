"""What a careful reader of the set would say: outliers, lopsided classes, missing or uneven framing of the prompts."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from tuneline.datasets import formats
from tuneline.datasets.findings import Findings, finding
from tuneline.datasets.model import Turn
from tuneline.datasets.rows import EXAMPLE
from tuneline.datasets.survey import Survey

if TYPE_CHECKING:
    import numpy as np

FEW = 20
"""Examples below which nothing is said of the set as a whole."""
OUTLIER_TIMES, OUTLIER_CHARACTERS = 8, 2000
"""An outlier has more characters than this many times the 90th percentile, and more than this many."""
PER_CLASS = 5
"""Examples for each class, on average, from which outputs are taken for classes."""
RARE, DOMINANT = 0.1, 0.9
"""Share of its even part below which a class is rare; share of the set above which one dominates."""
LABEL_SHARE, PHRASE_SHARE = 0.6, 0.8
PHRASE_WORDS, MAX_WORDS = 3, 12
"""A frame is a label with a colon that this share of the inputs begin with, or so many first words."""

_LABEL = re.compile(r"\W{0,4}[^\n:]{1,40}:(?=\s|$)")


def check_outliers(survey: Survey, findings: Findings) -> None:
    """Names examples far longer than the rest."""
    import numpy as np

    both = survey.rows.lengths.both
    if both.max <= OUTLIER_CHARACTERS or len(both) < FEW:
        return
    (usual,) = both.quantiles([0.9])
    far = max(OUTLIER_TIMES * usual, OUTLIER_CHARACTERS)
    if both.max <= far:
        return
    for batch in survey.rows.batches():
        for row in batch[(batch["kind"] == EXAMPLE) & (batch["inputs"] + batch["outputs"] > np.uint32(far))]:
            length = int(row["inputs"]) + int(row["outputs"])
            what = f"{length:,} characters, where nine in ten examples have {usual:,} at most"
            findings.add(finding("D605", what, line=int(row["line"]), column=int(row["column"])))


def check_classes(survey: Survey, findings: Findings) -> None:
    """Says which class is rare or dominates, where the outputs are few classes."""
    classes, n = survey.classes, survey.records
    if not classes or n < FEW or n < PER_CLASS * len(classes):
        return
    name, most = classes.most_common(1)[0]
    if len(classes) == 1:
        findings.add(finding("D606", f"every output is {_shown(name)}: there is nothing to learn"))
        return
    if most > DOMINANT * n:
        findings.add(finding("D606", f"the class {_shown(name)} has {most / n:.0%} of the {n:,} examples"))
    even = n / len(classes)
    rare = [(number, label) for label, number in classes.items() if number < RARE * even]
    if rare:
        shown = ", ".join(f"{_shown(label)} ({number:,})" for number, label in sorted(rare)[:5])
        findings.add(finding("D606", f"{len(rare)} of {len(classes)} classes are rare: {shown}"))


def _shown(label: str) -> str:
    return repr(label if len(label) <= 60 else label[:57] + "...")


def check_frame(sample: list[tuple[np.void, list[Turn]]], survey: Survey, findings: Findings) -> None:
    """Says that inputs have no instruction, or that some lack the words which most begin with."""
    if survey.with_system or survey.with_functions or len(sample) < FEW:
        return
    single = [(row, turns[0].text.lstrip()) for row, turns in sample if len(turns) == 2]
    if len(single) < FEW or len(single) < 0.9 * len(sample):
        return
    texts = [text for _, text in single]
    frame, share = _frame(texts)
    if not frame:
        # Of another's format the fields themselves may say what is asked: its conversion is checked again.
        if not _common_end(texts) and survey.form != formats.UNKNOWN:
            findings.add(finding("D607", "the inputs share no instruction, and no example has a system text"))
        return
    if share == 1.0:
        return
    everything = len(sample) == survey.records
    lacking = [row for row, text in single if not _framed(text, frame)]
    for row in lacking:
        findings.add(
            finding(
                "D608",
                f"does not begin with {frame!r}, as {share:.0%} of the inputs do"
                + ("" if everything else f" (in a sample of {len(sample):,})"),
                line=int(row["line"]),
                column=int(row["column"]),
            )
        )


def _framed(text: str, frame: str) -> bool:
    return text.startswith(frame) if frame.endswith(":") else text.split()[: len(frame.split())] == frame.split()


def _frame(texts: list[str]) -> tuple[str, float]:
    """The frame that most inputs begin with, and the share that does; '' if there is none."""
    labels = Counter(match.group() for text in texts if (match := _LABEL.match(text)))
    if labels:
        label, _ = labels.most_common(1)[0]
        share = sum(text.startswith(label) for text in texts) / len(texts)
        if share >= LABEL_SHARE:
            return label, share
    found = "", 0.0
    for words in range(PHRASE_WORDS, MAX_WORDS + 1):
        # What fewer words do not share, more do not either.
        starts = Counter(" ".join(text.split(maxsplit=words)[:words]) for text in texts)
        phrase, number = starts.most_common(1)[0]
        if number / len(texts) < PHRASE_SHARE or len(phrase.split()) < words:
            break
        found = phrase, number / len(texts)
    return found


def _common_end(texts: list[str]) -> bool:
    """Whether most inputs end in the same words: an instruction may stand last."""
    ends = Counter(" ".join(text.split()[-PHRASE_WORDS:]) for text in texts if text)
    phrase, number = ends.most_common(1)[0]
    return number / len(texts) >= PHRASE_SHARE and len(phrase.split()) >= 2
