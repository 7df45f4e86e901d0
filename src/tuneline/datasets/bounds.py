"""The limits of the target against what the set holds: counts, sizes, lengths."""

from __future__ import annotations

from tuneline.datasets import formats
from tuneline.datasets.catalogue import ERROR
from tuneline.datasets.findings import Findings, finding
from tuneline.datasets.limits import Limits
from tuneline.datasets.rows import EXAMPLE
from tuneline.datasets.survey import Survey
from tuneline.datasets.tokens import Tokens

TRAINING, EVALUATION = "training", "evaluation"


def check_counts(
    survey: Survey, bounds: Limits, size: int, purpose: str, findings: Findings, *, repeated: int = 0
) -> None:
    """Examples, authors and bytes of the whole set, `repeated` of whose lines occur before."""
    n, whose = survey.records, bounds.target
    if bounds.formats and survey.form not in (*bounds.formats, formats.UNKNOWN):
        wanted = bounds.formats[0]
        findings.add(
            finding(
                "D113",
                f"{whose} is tuned on {' or '.join(bounds.formats)}, and this is {survey.form}",
                hint=f"tuneline convert FILE --to {wanted} -o NEW.jsonl",
            )
        )
    low, high = bounds.min_examples, bounds.max_examples
    if purpose == EVALUATION:
        low, high = bounds.min_evaluation_examples, bounds.max_evaluation_examples
    if low and n < low:
        findings.add(finding("D501", f"{n:,} examples; {whose} takes {low:,} or more"))
    elif purpose == TRAINING and bounds.recommended_examples and n - repeated < bounds.recommended_examples:
        differ = f", of which {n - repeated:,} differ" if repeated else ""
        what = f"{n:,} examples{differ}; {bounds.recommended_examples:,} or more are recommended"
        findings.add(finding("D502", what))
    if high and n > high:
        findings.add(finding("D503", f"{n:,} examples; {whose} takes {high:,} at most"))
    multimodal = bounds.max_multimodal_examples
    if multimodal and survey.media and n > multimodal:
        findings.add(finding("D503", f"{n:,} examples with files; {whose} takes {multimodal:,} at most"))
    if bounds.max_author_fields and survey.authors > bounds.max_author_fields:
        findings.add(
            finding("D504", f"{survey.authors:,} author fields; {whose} takes {bounds.max_author_fields:,} at most")
        )
    if bounds.max_file_bytes and size > bounds.max_file_bytes:
        findings.add(finding("D506", f"{size:,} bytes; {whose} takes {bounds.max_file_bytes:,} at most"))
    elif bounds.warn_file_bytes and size >= bounds.warn_file_bytes:
        findings.add(finding("D507", f"{size:,} bytes; the limit of {whose} is near"))
    if len(survey.resolutions) > 1:
        by_line = sorted(survey.resolutions.items(), key=lambda item: item[1][1])
        values = ", ".join(f"{value} ({number:,} lines)" for value, (number, _) in by_line)
        findings.add(finding("D511", f"mediaResolution differs: {values}", line=by_line[1][1][1]))


def check_lengths(survey: Survey, bounds: Limits, tokens: Tokens, findings: Findings) -> None:
    """Examples over the token or character limits, by their characters and the measured characters a token."""
    import numpy as np

    ratio = 1 / tokens.characters_per_token if tokens.characters_per_token else 0.0
    estimated = not tokens.method.startswith("tokenizer")
    limits = (
        ("tokens", "both", bounds.max_tokens),
        ("tokens", "inputs", bounds.max_input_tokens),
        ("tokens", "outputs", bounds.max_output_tokens),
        ("characters", "inputs", bounds.max_input_characters),
        ("characters", "outputs", bounds.max_output_characters),
    )
    longest = {name: getattr(survey.rows.lengths, name).max for name in ("both", "inputs", "outputs")}
    for unit, field, limit in limits:
        scale = ratio if unit == "tokens" else 1.0
        if not limit or longest[field] * scale <= limit:
            continue
        for batch in survey.rows.batches():
            lengths = batch["inputs"].astype(np.int64) + batch["outputs"] if field == "both" else batch[field]
            for index in np.flatnonzero((lengths * scale > limit) & (batch["kind"] == EXAMPLE)).tolist():
                amount = round(float(lengths[index]) * scale)
                what = {"both": "the example", "inputs": "the input", "outputs": "the output"}[field]
                about = "about " if estimated and unit == "tokens" else ""
                findings.add(
                    finding(
                        "D505",
                        f"{what} has {about}{amount:,} {unit}; {bounds.target} takes {limit:,}",
                        line=int(batch["line"][index]),
                        column=int(batch["column"][index]),
                        severity=ERROR if unit == "characters" else "",
                    )
                )


def check_pair(n: int, other: int, bounds: Limits, findings: Findings) -> None:
    """The evaluation set (the smaller of the two) against what the target takes beside the training set."""
    evaluation, training = sorted((n, other))
    most, share = bounds.max_evaluation_examples, bounds.max_evaluation_share
    if most and evaluation > most:
        findings.add(
            finding("D513", f"an evaluation set of {evaluation:,} examples; {bounds.target} takes {most:,} at most")
        )
    elif share and evaluation > 1000 and evaluation > share * training:
        findings.add(
            finding(
                "D513",
                f"an evaluation set of {evaluation:,} examples is {evaluation / training:.0%} of the training set; "
                f"above 1,000 {bounds.target} takes {share:.0%} at most",
            )
        )
