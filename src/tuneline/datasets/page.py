"""Reports as one self-contained HTML page: verdict, findings, histograms as inline SVG. Needs no network."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from tuneline.datasets.catalogue import CHECKS, SEVERITIES
from tuneline.datasets.report import Report

_STYLE = """
:root{--ink:#1d2433;--dim:#5d6779;--line:#d9dee8;--paper:#fff;--error:#b3261e;--warning:#8a5a00;--note:#22577a;
--good:#1b6e3c;--bar:#4c78a8}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9f0;--dim:#9aa5b8;--line:#333c4d;--paper:#161b24;--error:#ff8a80;
--warning:#f0c060;--note:#8fc7ee;--good:#7fd6a0;--bar:#7aa6d6}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;max-width:62rem;
padding:1.5rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;overflow-wrap:anywhere}h3{font-size:1rem;margin:1.2rem 0 .3rem}
.verdict{font-weight:700}.good{color:var(--good)}.error{color:var(--error)}.warning{color:var(--warning)}
.note{color:var(--note)}.dim{color:var(--dim)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
td,th{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line)}
td{overflow-wrap:anywhere}th{color:var(--dim);font-weight:600}.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
code{font-size:.85em}.charts{margin-top:1.2rem;display:flex;
flex-wrap:wrap;gap:1.5rem}.charts figure{margin:0;flex:1 1 18rem;min-width:0}
figcaption{color:var(--dim);font-size:.85rem}svg{width:100%;height:auto}rect{fill:var(--bar)}
text{fill:var(--dim);font:10px system-ui,sans-serif}
"""
SHOWN = 20
"""Findings of a code that the page lists."""


def render_html(reports: Report | Iterable[Report]) -> str:
    """One page for one report, or for the reports of a training and an evaluation set."""
    several = [reports] if isinstance(reports, Report) else list(reports)
    valid = all(report.valid for report in several)
    verdict = '<span class="good">valid</span>' if valid else '<span class="error">not valid</span>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Dataset report: {'valid' if valid else 'not valid'}</title><style>{_STYLE}</style></head><body>"
        f'<h1>Dataset report: <span class="verdict">{verdict}</span></h1>'
        + "".join(_section(report) for report in several)
        + "</body></html>\n"
    )


def _section(report: Report) -> str:
    good = "good" if report.valid else "error"
    facts = [
        ("format", report.format),
        ("container", report.container),
        ("examples", f"{report.examples:,}"),
        ("size", f"{report.bytes:,} bytes"),
        ("tokens", _tokens(report.tokens)),
        ("duplicates", f"{report.duplicates['exact']:,} lines, {report.duplicates['input']:,} inputs"),
        ("contradictions", f"{report.contradictions:,}"),
        ("leakage", f"{report.leakage['examples']:,} inputs that are in the other set too"),
        ("cost", _cost(report.cost)),
    ]
    if report.digest:
        facts.append(("sha256", f"<code>{report.digest}</code>"))
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in facts)
    figures = report.statistics
    charts = "".join(
        f"<figure>{histogram(figures[key]['histogram'])}<figcaption>{what}: characters an example, median "
        f"{figures[key]['median']:,}, longest {figures[key]['max']:,}</figcaption></figure>"
        for key, what in (("input_characters", "Input"), ("output_characters", "Output"))
        if figures[key]["histogram"]
    )
    return (
        f'<h2>{escape(report.uri)} <span class="{good}">{"valid" if report.valid else "not valid"}</span></h2>'
        f'<div class="scroll"><table>{rows}</table></div>'
        f'<div class="charts">{charts}</div>{_classes(figures.get("classes"))}{_findings(report)}'
    )


def _tokens(tokens: dict[str, Any]) -> str:
    if not tokens["total"]:
        return "none"
    error = "exact" if tokens["exact"] else f"± {tokens['error']:.1%}"
    return f"{tokens['total']:,} ({error}; {escape(tokens['method'])})"


def _cost(cost: dict[str, Any]) -> str:
    if not cost["known"]:
        return f"unknown: {escape(cost['source'])}"
    return f"{cost['low']:,.2f} to {cost['high']:,.2f} USD for {cost['epochs']:g} epochs ({escape(cost['source'])})"


def histogram(buckets: list[dict[str, int]]) -> str:
    """Bars, as inline SVG; each tells its range and number on hovering."""
    width, height, gap = 360, 110, 2
    step = width / len(buckets)
    most = max(bucket["examples"] for bucket in buckets)
    every = -(-len(buckets) // 8)
    bars = []
    for n, bucket in enumerate(buckets):
        number = bucket["examples"]
        tall = max(number / most * height, 1.5) if number else 0
        x = n * step
        bars.append(
            f'<rect x="{x + gap / 2:.1f}" y="{14 + height - tall:.1f}" width="{step - gap:.1f}" height="{tall:.1f}">'
            f"<title>{bucket['from']:,} to {bucket['to']:,} characters: {number:,} examples</title></rect>"
        )
        if n % every == 0:
            bars.append(f'<text x="{x + gap / 2:.1f}" y="{height + 28}">{_short(bucket["from"])}</text>')
    return (
        f'<svg viewBox="0 0 {width} {height + 34}" role="img" aria-label="histogram of lengths">'
        f'<text x="0" y="9">{most:,} examples</text>{"".join(bars)}</svg>'
    )


def _short(number: int) -> str:
    for size, sign in ((10**6, "M"), (10**4, "k")):
        if number >= size:
            return f"{number / (size if sign == 'M' else 1000):.0f}{sign}"
    return str(number)


def _classes(classes: dict[str, int] | None) -> str:
    if not classes:
        return ""
    rows = "".join(f'<tr><td>{escape(name)}</td><td class="n">{n:,}</td></tr>' for name, n in classes.items())
    return f'<h3>Outputs are few classes</h3><div class="scroll"><table>{rows}</table></div>'


def _findings(report: Report) -> str:
    if not report.findings:
        return "<h3>Findings</h3><p>None.</p>"
    parts = ["<h3>Findings</h3>"]
    codes = sorted(
        {item.code for item in report.findings},
        key=lambda code: (
            min(SEVERITIES.index(item.severity) for item in report.findings if item.code == code),
            code,
        ),
    )
    for code in codes:
        kept = [item for item in report.findings if item.code == code]
        severity = min((item.severity for item in kept), key=SEVERITIES.index)
        number = report.counts[code]
        rows = "".join(
            f'<tr><td class="n">{item.line or "file"}{f":{item.column}" if item.column > 1 else ""}</td>'
            f"<td><code>{escape(item.path)}</code></td><td>{escape(item.message)}</td>"
            f'<td class="dim">{escape(item.hint)}</td></tr>'
            for item in kept[:SHOWN]
        )
        more = (
            f'<p class="dim">and {number - min(SHOWN, len(kept)):,} more</p>' if number > min(SHOWN, len(kept)) else ""
        )
        parts.append(
            f'<h3><span class="{severity}">{severity}</span> {code} {CHECKS[code].name} '
            f'<span class="dim">× {number:,}</span></h3><p class="dim">{escape(CHECKS[code].meaning)}</p>'
            '<div class="scroll"><table><tr><th>line</th><th>path</th><th>what</th><th>what to do</th></tr>'
            f"{rows}</table></div>{more}"
        )
    return "".join(parts)
