"""What looks like personal data or a secret in the texts. Opt-in: it costs ten times as much as everything else.

Patterns that have a check digit are checked by it, so that order numbers are not taken for cards. What is found is
never repeated in the report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}\b")
_PHONE = re.compile(r"(?<![\w.])(?:\+\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}|\(\d{3}\) ?\d{3}-\d{4})(?!\w)")
_CARD = re.compile(r"(?<![\d.])(?:\d[ -]?){12,18}\d(?![\d.])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
_SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_SAMPLE_DOMAINS = ("example.com", "example.org", "example.net", ".example", ".invalid", ".test", "localhost")

_SECRETS = (
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{60,})\b")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{10,}\b")),
    ("an API key of the form sk-…", re.compile(r"\bsk-[A-Za-z0-9_-]{32,}\b")),
    ("a JSON web token", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    (
        "a password",
        re.compile(
            r"(?i)\b(?:password|passwd|pwd|secret|api[_-]?key|access[_-]?token)\b[\"']?\s*[:=]\s*[\"'][^\s\"']{8,}[\"']"
        ),
    ),
    ("a password in an address", re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s:/@]{1,64}:[^\s:/@]{3,64}@[\w.-]+")),
)


def look(text: str) -> Iterator[tuple[str, str, int]]:
    """(code, what it looks like, character from 0) of everything in the text."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            if not match.group().lower().endswith(_SAMPLE_DOMAINS):
                yield "D610", "an e-mail address", match.start()
    for match in _PHONE.finditer(text):
        if 8 <= sum(c.isdigit() for c in match.group()) <= 15:
            yield "D610", "a telephone number", match.start()
    for match in _CARD.finditer(text):
        if _luhn(match.group()):
            yield "D610", "a card number", match.start()
    for match in _IBAN.finditer(text):
        if _mod97(match.group()):
            yield "D610", "an account number (IBAN)", match.start()
    for match in _SSN.finditer(text):
        yield "D610", "a US social security number", match.start()
    for name, pattern in _SECRETS:
        for match in pattern.finditer(text):
            yield "D611", name, match.start()


def _luhn(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    if len(set(digits)) < 3 or digits[0] not in (2, 3, 4, 5, 6):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _mod97(text: str) -> bool:
    compact = text.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1
