"""A report for a terminal: the verdict first, then what is worst, then the figures."""

from __future__ import annotations

from typing import Any

from tuneline.datasets.catalogue import CHECKS, SEVERITIES
from tuneline.datasets.findings import Finding
from tuneline.datasets.report import Report

COLOURS = {"error": "31;1", "warning": "33;1", "note": "36"}
SHOWN = 3
"""Findings of a code that are shown; the others are a number."""


def render_text(report: Report, *, colour: bool = False, shown: int = SHOWN) -> str:
    """The report as text of lines; with `colour`, in ANSI colours."""

    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colour else text

    verdict = paint("valid", "32;1") if report.valid else paint("not valid", "31;1")
    what = report.format if report.format != "unknown" else "unknown format"
    lines = [f"{report.uri}: {verdict} ({what}, {report.container}, {report.examples:,} examples)"]
    for code in _by_severity(report):
        kept = [item for item in report.findings if item.code == code]
        severity = min((item.severity for item in kept), key=SEVERITIES.index)
        number = report.counts[code]
        head = f"{severity} {code} {CHECKS[code].name}" + (f" × {number:,}" if number > 1 else "")
        lines += ["", paint(head, COLOURS[severity])]
        lines += [f"  {_place(item)}{item.message}" for item in kept[:shown]]
        if number > shown:
            lines.append(f"  … and {number - min(shown, len(kept)):,} more")
        hints = list(dict.fromkeys(item.hint for item in kept[:shown] if item.hint))
        lines += [f"  → {hint}" for hint in hints]
    return "\n".join([*lines, "", *_figures(report), ""])


def _by_severity(report: Report) -> list[str]:
    worst: dict[str, int] = {}
    for item in report.findings:
        rank = SEVERITIES.index(item.severity)
        worst[item.code] = min(rank, worst.get(item.code, rank))
    return sorted(worst, key=lambda code: (worst[code], code))


def _place(item: Finding) -> str:
    if not item.line:
        return ""
    column = f", column {item.column}" if item.column > 1 else ""
    path = f", {item.path}" if item.path not in ("", "$") else ""
    return f"line {item.line}{column}{path}: "


def _figures(report: Report) -> list[str]:
    figures, tokens, cost = report.statistics, report.tokens, report.cost
    lines = []
    if 0 < figures["read"] < report.examples:
        sound = "example" if figures["read"] == 1 else "examples"
        lines.append(f"of the {figures['read']:,} sound {sound}:")
    for name in ("input", "output") if figures["read"] else ():
        length: dict[str, Any] = figures[f"{name}_characters"]
        lines.append(
            f"{name}: {length['total']:,} characters, median {length['median']:,}, 95 % up to {length['p95']:,}, "
            f"longest {length['max']:,}"
        )
    if tokens["total"]:
        error = "exact" if tokens["exact"] else f"± {tokens['error']:.1%}"
        lines.append(f"tokens: {tokens['total']:,} ({error}; {tokens['method']})")
    exact, inputs = report.duplicates["exact"], report.duplicates["input"]
    if inputs or exact:
        share = f" ({exact / report.examples:.0%} of the set; {report.examples - exact:,} differ)" if exact else ""
        lines.append(
            f"duplicates: {exact:,} lines{share}, {inputs:,} inputs; contradictions: {report.contradictions:,}"
        )
    if report.leakage["examples"]:
        leaked = report.leakage["examples"]
        lines.append(f"leakage: {leaked:,} inputs ({leaked / report.examples:.0%} of the set) are in the other set too")
    if cost["known"]:
        lines.append(
            f"cost: {cost['low']:,.2f} to {cost['high']:,.2f} USD for {cost['epochs']:g} epochs, {cost['source']}"
        )
    errors = report.errors
    others = sum(report.counts.values()) - errors
    told = "warning or note" if others == 1 else "warnings and notes"
    lines.append(f"{errors:,} {'error' if errors == 1 else 'errors'}, {others:,} {told}")
    return lines
