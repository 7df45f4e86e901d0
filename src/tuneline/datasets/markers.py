"""Marks of other models that were left in the texts: ends that old completion models were taught, template tokens.

A model of today has its own marks for turns and ends. These are learned as text: it writes ` END` after its answers.
"""

from __future__ import annotations

import re
from collections import Counter

from tuneline.datasets.findings import Findings, finding
from tuneline.datasets.model import ASSISTANT, Turn

FEW = 20
"""Examples of a sample below which nothing is said."""
SHARE = 0.8
"""Share of the texts that end alike, from which it is meant."""

_INPUT_END = re.compile(r"\s(\#{2,}|[-=~]{1,3}>)\s*\Z")
_OUTPUT_END = re.compile(r"(?:\A|\s)(\#{2,}|END|STOP|\[END\]|\[STOP\])\s*\Z")
_TOKEN = re.compile(
    r"<\|(?:im_start|im_end|endoftext|eot_id|begin_of_text|end_of_text|start_header_id|end_header_id|system|user"
    r"|assistant|end)\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</s>"
)
_PART_OF_TOKENS = ("<|", "INST]", "SYS>>", "_of_turn>", "</s>")
"""One of these is in every token: searching for them is far faster."""


def check_markers(sample: list[list[Turn]], findings: Findings) -> None:
    """Says which marks most texts end in, and which tokens of a template stand in some."""
    if len(sample) < FEW:
        return
    inputs = [turns[-2].text for turns in sample if len(turns) > 1]
    outputs = [turns[-1].text for turns in sample if turns[-1].role == ASSISTANT]
    for name, texts, pattern in (("inputs", inputs, _INPUT_END), ("outputs", outputs, _OUTPUT_END)):
        ends = Counter(match[1] for text in texts if (match := pattern.search(text)))
        for mark, number in ends.most_common(1):
            if number >= SHARE * len(texts):
                findings.add(finding("D613", f"{number / len(texts):.0%} of the {name} end in {mark!r}"))
    with_tokens = [found for turns in sample if (found := {token for turn in turns for token in _tokens(turn.text)})]
    if with_tokens:
        tokens = Counter(token for found in with_tokens for token in found)
        shown = ", ".join(token for token, _ in tokens.most_common(4))
        share = f"{len(with_tokens):,} of {len(sample):,} examples looked at"
        findings.add(finding("D613", f"tokens of a template ({shown}) stand in the texts of {share}"))


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text) if any(part in text for part in _PART_OF_TOKENS) else []
