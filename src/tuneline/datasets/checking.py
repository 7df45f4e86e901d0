"""The whole check of a dataset, from its address to the report."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from tuneline.datasets import bounds, content, formats, limits, markers, statistics
from tuneline.datasets.catalogue import NOTE
from tuneline.datasets.checksums import Sums
from tuneline.datasets.containers import ARRAY, BROKEN, CONCATENATED, JSONL, OBJECT, Layout, layout, records
from tuneline.datasets.findings import KEPT, Findings, finding
from tuneline.datasets.inspect import sniff
from tuneline.datasets.near import SIMILAR, NearDuplicates, runs, similarity
from tuneline.datasets.personal import look
from tuneline.datasets.ranges import processes_for, survey_lines
from tuneline.datasets.reading import SNIFFED, known_format, unknown
from tuneline.datasets.repeats import Reader, Repeats, find_leakage, find_repeats
from tuneline.datasets.report import Report
from tuneline.datasets.rows import EXAMPLE
from tuneline.datasets.scan import scan_values
from tuneline.datasets.sources import Source, open_source
from tuneline.datasets.survey import Survey

IN_WORDS = {
    ARRAY: "one JSON array",
    OBJECT: "a list inside one JSON object",
    CONCATENATED: "JSON values that run over several lines or share one",
}

NO_OBJECT = ("D103", "D109", "D201", "D203", "D204", "D205", "D207")
"""Findings of records that could not be read, or are no object."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked of a check, besides the dataset."""

    model: str | None = None
    format: str | None = None
    default_context: str = ""
    max_findings: int = KEPT
    tokenizer: str | None = None
    steps: int = 0
    batch_size: int = 0
    epochs: float = 0.0
    processes: int | None = None
    purpose: str = bounds.TRAINING
    near_duplicates: bool = False
    personal_data: bool = False
    digest: bool = False


def check(
    uri: str,
    *,
    against: str | None = None,
    model: str | None = None,
    format: str | None = None,
    default_context: str = "",
    max_findings: int = KEPT,
    tokenizer: str | None = None,
    steps: int = 0,
    batch_size: int = 0,
    epochs: float = 0.0,
    processes: int | None = None,
    purpose: str = bounds.TRAINING,
    near_duplicates: bool = False,
    personal_data: bool = False,
    digest: bool = False,
) -> Report:
    """Everything there is to say about a dataset, in one pass over it.

    `against` is the other set of the pair, in which no input of this one should be; `model` names whose limits and
    price count; `tokenizer` is a tokenizer.json to count with; `steps` and `batch_size`, or `epochs`, say how much of
    the set is trained on; `purpose` is `training` or `evaluation`, which have other limits. `processes` is chosen by
    size where it is not given. `near_duplicates` and `personal_data` ask for checks that cost far more; `digest`
    for the sha256 of the file from the same pass, at half a second a gigabyte.

    Raises `DatasetError` where there is no readable file, `UsageError` for an unknown format or model. What is wrong
    with the data is in the report.
    """
    options = Options(
        model=model,
        format=known_format(format) if format else None,
        default_context=default_context,
        max_findings=max_findings,
        tokenizer=tokenizer,
        steps=steps,
        batch_size=batch_size,
        epochs=epochs,
        processes=processes,
        purpose=purpose,
        near_duplicates=near_duplicates,
        personal_data=personal_data,
        digest=digest,
    )
    with open_source(uri) as source:
        if against is None:
            return _report(source, options, None)
        with open_source(against) as other:
            return _report(source, options, other)


@dataclass
class Surveyed:
    """A source that was read through."""

    source: Source
    where: Layout
    form: str
    survey: Survey
    digest: str
    crc32c: str

    @property
    def reader(self) -> Reader:
        return Reader(fd=self.source.fd, form=self.form)


def survey(
    source: Source, *, form: str | None, kept: int, processes: int | None = None, digest: bool = False
) -> Surveyed:
    """Reads a source through and gathers what it holds; with `digest`, its sha256 as well."""
    where = layout(source.fd, source.size)
    if form is None:
        head = [] if where.is_something_else else list(islice(records(source.fd, source.size, where), SNIFFED))
        form = sniff(head)
    if where.container == JSONL:
        number = processes_for(source.size, processes)
        gathered, sha256, crc32c = survey_lines(
            source.fd, where.start, source.size, form=form, kept=kept, processes=number, digest=digest
        )
    else:
        found = () if where.is_something_else else records(source.fd, source.size, where)
        gathered = scan_values(source.fd, found, form=form, kept=kept)
        sums = Sums(source.fd, sha=digest)
        sums.up_to(source.size)
        sha256, crc32c = sums.sha256(), sums.crc32c()
    if source.digest:
        sha256, crc32c = source.digest, source.crc32c
    return Surveyed(source=source, where=where, form=form, survey=gathered, digest=sha256, crc32c=crc32c)


def _report(source: Source, options: Options, other: Source | None) -> Report:
    read = survey(
        source, form=options.format, kept=options.max_findings, processes=options.processes, digest=options.digest
    )
    gathered, findings = read.survey, read.survey.findings
    _about_the_file(read, findings)
    limit = limits.of(read.form, options.model)
    repeats, leaked, sample = Repeats(), 0, []
    # A file that has changed has no bytes left to confirm anything on.
    if not source.changed():
        sample = statistics.draw(read.reader, gathered)
        repeats = find_repeats(gathered.rows, read.reader, findings)
        if other is not None:
            leaked = _leakage(read, other, options, limit, findings)
    figures = statistics.gather(sample, gathered, limit, options)
    if gathered.records and not read.where.is_something_else:
        bounds.check_counts(gathered, limit, source.stored_bytes, options.purpose, findings, repeated=repeats.exact)
        bounds.check_lengths(gathered, limit, figures.counted, findings)
        content.check_outliers(gathered, findings)
        content.check_classes(gathered, findings)
        content.check_frame(sample, gathered, findings)
        markers.check_markers([turns for _, turns in sample], findings)
    if (options.near_duplicates or options.personal_data) and not source.changed():
        _opted_in(read, options, findings)
    if source.changed():
        findings.add(finding("D110", "the file changed while it was read"))
    report = Report(
        uri=source.uri,
        valid=findings.errors == 0,
        format=read.form,
        container=_container(read),
        examples=gathered.records,
        counts=dict(sorted(findings.counts.items())),
        errors=findings.errors,
        findings=tuple(findings.all()),
        duplicates={"exact": repeats.exact, "input": repeats.input},
        contradictions=repeats.contradictions,
        leakage={"examples": leaked},
        statistics=figures.statistics,
        tokens=figures.tokens,
        cost=figures.cost,
        digest=read.digest,
        crc32c=read.crc32c,
        bytes=source.stored_bytes,
        author_fields=gathered.authors,
    )
    gathered.rows.close()
    return report


def _leakage(read: Surveyed, other: Source, options: Options, limit: limits.Limits, findings: Findings) -> int:
    second = survey(other, form=None, kept=options.max_findings, processes=options.processes)
    leaked = find_leakage(read.survey.rows, read.reader, second.survey.rows, second.reader, findings)
    mine, theirs = read.survey.records, second.survey.records
    if leaked and (leaked == mine or (theirs < mine and _covered(second, read, options))):
        findings.add(finding("D612", "every input of the smaller set is in the larger"))
    bounds.check_pair(mine, theirs, limit, findings)
    second.survey.rows.close()
    return leaked


def _covered(small: Surveyed, large: Surveyed, options: Options) -> bool:
    """Whether every input of the small set is in the large one."""
    spare = Findings(0)
    return find_leakage(small.survey.rows, small.reader, large.survey.rows, large.reader, spare) == small.survey.records


def _opted_in(read: Surveyed, options: Options, findings: Findings) -> None:
    """Near duplicates and personal data: example by example, over all of them."""
    pairs, kept = NearDuplicates(), {}
    for batch in read.survey.rows.batches():
        for row in batch[batch["kind"] == EXAMPLE]:
            turns, line = read.reader.turns(read.reader.data(row)), int(row["line"])
            if options.personal_data:
                for turn in turns:
                    for code, what, position in look(turn.text):
                        message = f"{what} in the {turn.role}'s text, at its character {position + 1}"
                        findings.add(finding(code, message, line=line, column=1))
            if options.near_duplicates:
                grams = runs("\n".join(turn.text for turn in turns))
                for before in pairs.candidates(line, grams):
                    share = similarity(grams, runs(read.reader.text(kept[before])))
                    if SIMILAR <= share < 1:
                        findings.add(finding("D609", f"{share:.0%} the same as line {before}", line=line, column=1))
                        break
                kept[line] = row.copy()


def _container(read: Surveyed) -> str:
    """`broken` too where lines were looked for and not one is JSON."""
    counts = read.survey.findings.counts
    unread = counts["D201"] + counts["D109"]
    if read.where.container == JSONL and unread and unread == read.survey.records:
        return BROKEN
    return read.where.container


def _about_the_file(read: Surveyed, findings: Findings) -> None:
    where, gathered, source = read.where, read.survey, read.source
    if where.is_something_else:
        findings.add(finding("D102", f"this is {where.is_something_else}"))
        return
    if not gathered.records:
        findings.add(finding("D101", "the file is empty" if not source.size else "the file holds no example"))
        return
    if where.bom:
        findings.add(finding("D104", "the file begins with a byte order mark", line=1, column=1))
    if source.compressed:
        findings.add(finding("D112", "the file is compressed with gzip"))
    if gathered.crlf:
        findings.add(finding("D105", f"{gathered.crlf:,} lines end in CR LF"))
    if gathered.blank:
        what = "line is" if gathered.blank == 1 else "lines are"
        findings.add(finding("D106", f"{gathered.blank:,} {what} blank", line=gathered.first_blank))
    if where.container in IN_WORDS:
        takes_lists, known = read.form == formats.GEMINI_API, read.form != formats.UNKNOWN
        words = IN_WORDS[where.container] + (f" ({where.wrapper})" if where.wrapper else "")
        what = f"the examples are in {words}, not one a line"
        if where.container == CONCATENATED and gathered.records == 1:
            what = "the file is one JSON value that runs over several lines"
        hint = f"tuneline convert {source.uri} --to {read.form} -o NEW.jsonl" if known else ""
        findings.add(finding("D107", what, severity=NOTE if takes_lists else "", hint=hint))
    # Where no record is an object, that is told of each, and there are no keys to tell a format by.
    if read.form == formats.UNKNOWN and sum(findings.counts[code] for code in NO_OBJECT) < gathered.records:
        found = unknown(source, where)
        findings.add(finding("D108", found.what, line=found.line, hint=found.hint))
