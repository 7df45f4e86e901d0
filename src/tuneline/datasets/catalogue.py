"""The numbered catalogue of checks: every code, how severe it is, what it means and what to do.

`docs/dataset-checks.md` is made from this file (`python -m tuneline.datasets.catalogue > docs/dataset-checks.md`).
A code never changes its meaning; a retired one is not given again. A table in Python and not in TOML: nothing is read
at start, the texts are no figures that a user would override, and a slip fails where it is made.
"""

from __future__ import annotations

from dataclasses import dataclass

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
"""Worst first. An error makes the dataset invalid; a warning is worth a look; a note only informs."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One kind of finding."""

    code: str
    name: str
    severity: str
    meaning: str
    """What is wrong, and why it matters."""
    hint: str
    """What to do; a finding may carry a more precise one."""
    fixable: bool = False
    """`tuneline validate --fix` corrects it, or leaves the line out."""
    opt_in: bool = False


def _check(code: str, name: str, severity: str, meaning: str, hint: str, *, fixable: bool = False) -> Check:
    opt_in = code in ("D609", "D610", "D611")
    return Check(code=code, name=name, severity=severity, meaning=meaning, hint=hint, fixable=fixable, opt_in=opt_in)


GROUPS = {
    "D1": "The file",
    "D2": "JSON",
    "D3": "The schema of the format",
    "D4": "The conversation",
    "D5": "Limits of the target",
    "D6": "The content of the set",
}

CHECKS: dict[str, Check] = {
    check.code: check
    for check in (
        # The file
        _check("D101", "empty-file", ERROR, "The file holds no example.", "check what wrote it"),
        _check(
            "D102",
            "not-json",
            ERROR,
            "The file is something else than JSON: an archive, a table, a document, another encoding.",
            "export the data as JSON lines in UTF-8, one example a line",
        ),
        _check(
            "D103",
            "not-utf8",
            ERROR,
            "Bytes that are not UTF-8. The services read UTF-8 alone.",
            "write the file again with encoding='utf-8'",
        ),
        _check(
            "D104",
            "byte-order-mark",
            WARNING,
            "The file begins with a UTF-8 byte order mark; strict JSON readers refuse the first line.",
            "write it with encoding='utf-8', not 'utf-8-sig'; --fix removes it",
            fixable=True,
        ),
        _check(
            "D105",
            "crlf",
            NOTE,
            "Lines end in CR LF. JSON readers take the CR for white space.",
            "nothing need be done; --fix writes LF",
            fixable=True,
        ),
        _check(
            "D106",
            "blank-line",
            WARNING,
            "Blank lines between the examples; a reader that takes every line for an example fails on them.",
            "remove them; --fix does",
            fixable=True,
        ),
        _check(
            "D107",
            "not-json-lines",
            ERROR,
            "The examples are not one a line: they stand in an array, in a wrapping object, or run over several lines. "
            "The tuning services read JSON lines. (A note for the Gemini API, whose request holds a list.)",
            "tuneline convert FILE --to FORMAT -o NEW.jsonl writes one a line",
            fixable=True,
        ),
        _check(
            "D108",
            "unknown-format",
            ERROR,
            "The examples have none of the known formats.",
            "see docs/datasets.md for the formats, or name one with --format to see what is missing",
        ),
        _check(
            "D109",
            "line-too-long",
            ERROR,
            "A line is longer than any example can be (16 MiB), so it was not parsed.",
            "is a newline missing between the examples?",
        ),
        _check(
            "D110",
            "changed-while-read",
            ERROR,
            "The file changed or shrank while it was read; the report may mix two versions.",
            "check again once nothing writes to it",
        ),
        _check(
            "D111",
            "mixed-formats",
            ERROR,
            "An example is in another known format than the rest of the file.",
            "convert it, or move it to a file of its own",
        ),
        _check(
            "D112",
            "compressed",
            WARNING,
            "The file is gzip-compressed. It is read here; the tuning services take plain JSON lines.",
            "decompress it before the upload; --fix writes it plain",
            fixable=True,
        ),
        _check(
            "D113",
            "format-of-another-model",
            ERROR,
            "The model that was named is tuned on another format.",
            "tuneline convert writes it",
        ),
        # JSON
        _check("D201", "json-syntax", ERROR, "The line is not JSON.", "write each example with a JSON library"),
        _check(
            "D202",
            "duplicate-key",
            ERROR,
            "An object names the same key twice. Readers silently keep one of the two, most of them the last.",
            "keep one of them",
        ),
        _check(
            "D203",
            "not-a-number",
            ERROR,
            "NaN or Infinity, which JSON does not have.",
            "write null or leave the field out; in Python: json.dumps(..., allow_nan=False)",
        ),
        _check(
            "D204",
            "lone-surrogate",
            ERROR,
            "Half of a surrogate pair (\\ud800 to \\udfff), which is no character and cannot be written as UTF-8.",
            "repair or remove the character; it often comes from cutting a text in the middle of an emoji",
        ),
        _check(
            "D205", "nested-too-deep", ERROR, "More levels of brackets than a JSON reader takes.", "flatten the value"
        ),
        _check("D207", "not-an-object", ERROR, "The example is no JSON object.", "write each example as {...}"),
        # Schema
        _check("D301", "missing-field", ERROR, "A field that the format needs is absent.", "add it"),
        _check("D302", "wrong-type", ERROR, "A field holds another type of value than the format says.", "change it"),
        _check(
            "D303",
            "unknown-field",
            WARNING,
            "A field that the format does not have; the service refuses or ignores it.",
            "remove it; --fix does",
            fixable=True,
        ),
        _check(
            "D304", "unknown-value", ERROR, "A role, author or setting with a value that is not taken.", "change it"
        ),
        _check(
            "D305",
            "normalised",
            NOTE,
            "Taken, though written in an unusual way: a role on systemInstruction, an upper-case role, parts that are "
            "one object instead of a list.",
            "nothing need be done; --fix writes the usual form",
            fixable=True,
        ),
        _check("D306", "empty-list", ERROR, "A list that must hold something is empty.", "fill it or drop the example"),
        _check(
            "D307",
            "part-of-no-kind",
            ERROR,
            "A part must hold exactly one of text, fileData, functionCall, functionResponse.",
            "split it, or fill it",
        ),
        # Conversation
        _check("D401", "first-turn", ERROR, "The conversation does not begin with the user.", "drop what comes before"),
        _check(
            "D402",
            "last-turn",
            ERROR,
            "The conversation does not end with the model's answer, so there is nothing to learn.",
            "end it with the answer, or drop what follows the last one",
        ),
        _check(
            "D403",
            "roles-do-not-alternate",
            ERROR,
            "Two turns of the same speaker in a row. (A warning where the service takes it.)",
            "join them into one turn",
        ),
        _check(
            "D404",
            "empty-turn",
            ERROR,
            "A turn, prompt or response without text (nothing, or only white space).",
            "fill it or drop the example; --fix drops it",
            fixable=True,
        ),
        _check(
            "D405",
            "system-out-of-place",
            ERROR,
            "A system message that is not the first, or a second one.",
            "put one system message first",
        ),
        _check(
            "D406",
            "call-without-response",
            ERROR,
            "A function call and the responses after it do not match.",
            "answer each functionCall with a functionResponse of the same name in the next turn",
        ),
        _check(
            "D407",
            "preference-scores",
            ERROR,
            "A preference example needs exactly two completions, one with score 1 and one with score 0.",
            "give one preferred and one rejected completion",
        ),
        _check(
            "D408",
            "preference-without-difference",
            WARNING,
            "The preferred and the rejected completion are the same, so there is nothing to prefer.",
            "drop the example",
        ),
        # Limits
        _check("D501", "too-few-examples", ERROR, "Fewer examples than the target takes.", "add examples"),
        _check(
            "D502",
            "fewer-than-recommended",
            WARNING,
            "Fewer examples than are recommended for good results.",
            "add examples if you can",
        ),
        _check("D503", "too-many-examples", ERROR, "More examples than the target takes.", "take a sample"),
        _check(
            "D504",
            "too-many-authors",
            ERROR,
            "More author fields, summed over all messages, than the target takes.",
            "shorten the conversations or take a sample",
        ),
        _check(
            "D505",
            "over-length",
            WARNING,
            "The example is longer than the target takes, by its characters and the measured characters a token: the "
            "service cuts or drops it, and goes on. (An error where the limit is one of characters, which is refused.)",
            "shorten or split it",
        ),
        _check(
            "D506", "file-too-large", ERROR, "The file is larger than the target takes.", "split it or take a sample"
        ),
        _check("D507", "file-nearly-too-large", WARNING, "The file is close to the target's limit.", "keep it smaller"),
        _check("D508", "media-count", ERROR, "More files of a kind in one example than are taken.", "drop some"),
        _check("D509", "media-type", ERROR, "A MIME type that is not taken, or none.", "convert the file"),
        _check("D510", "not-text", ERROR, "Files or functions for a target of text alone.", "use text alone"),
        _check(
            "D511",
            "media-resolution-differs",
            ERROR,
            "mediaResolution must be the same in all lines.",
            "set one value everywhere",
        ),
        _check(
            "D512", "file-uri", ERROR, "A fileUri that is neither gs:// nor http(s).", "upload the file to a bucket"
        ),
        _check(
            "D513",
            "evaluation-size",
            ERROR,
            "The evaluation set is larger than the target takes, or too large a share of the training set.",
            "take a sample of it",
        ),
        # Content
        _check(
            "D601",
            "duplicate",
            WARNING,
            "A line that occurs before, byte for byte. It is trained on, and paid for, again.",
            "drop it; --fix does",
            fixable=True,
        ),
        _check(
            "D602",
            "duplicate-input",
            NOTE,
            "The same input as an earlier example, though the line differs.",
            "is it meant?",
        ),
        _check(
            "D603",
            "contradiction",
            WARNING,
            "The same input with another output: the model is taught to be unsure.",
            "keep the right one, or put what tells them apart into the input",
        ),
        _check(
            "D604",
            "leakage",
            WARNING,
            "The input is in the other set too, so a score on the evaluation set counts what was learned by heart.",
            "keep each input in one of the two sets; tuneline split does",
        ),
        _check(
            "D605",
            "length-outlier",
            NOTE,
            "An example far longer than the rest of the set.",
            "look whether it is right",
        ),
        _check(
            "D606",
            "class-imbalance",
            WARNING,
            "The outputs are few classes, and one of them is rare or dominates.",
            "add examples of the rare ones, or drop some of the frequent",
        ),
        _check(
            "D607",
            "no-instruction",
            NOTE,
            "Neither a system instruction nor words that the inputs share: sets without an instruction tune worse, "
            "small ones most.",
            "say in every input what is to be done, in the words that production uses",
        ),
        _check(
            "D608",
            "inconsistent-frame",
            WARNING,
            "Most inputs are framed by the same words, and some are not.",
            "frame every input as production does",
        ),
        _check(
            "D609",
            "near-duplicate",
            WARNING,
            "Almost the same text as an earlier example (opt-in: --near-duplicates).",
            "drop one of them",
        ),
        _check(
            "D610",
            "personal-data",
            WARNING,
            "What looks like personal data: e-mail, telephone, card or account number (opt-in: --personal-data).",
            "remove or mask it; a tuned model may repeat it",
        ),
        _check(
            "D611",
            "secret",
            WARNING,
            "What looks like a password, key or token (opt-in: --personal-data).",
            "revoke it and remove it; a tuned model may repeat it",
        ),
        _check(
            "D612",
            "one-set-in-the-other",
            ERROR,
            "Every input of the smaller set is in the larger: there is nothing left to evaluate on.",
            "split the set anew: tuneline split",
        ),
        _check(
            "D613",
            "leftover-marker",
            WARNING,
            "Most texts end in a mark that old completion models were taught as an end (` ->`, `###`, ` END`), or some "
            "hold tokens of a template (`[INST]`, `<|im_end|>`). The model has marks of its own; these it learns as "
            "text, and writes them.",
            "strip them from the texts",
        ),
    )
}


def render() -> str:
    """The catalogue as Markdown, as committed in docs/dataset-checks.md."""
    lines = [
        "# Checks of `tuneline validate`",
        "",
        "Made from `src/tuneline/datasets/catalogue.py` by `python -m tuneline.datasets.catalogue`; do not edit.",
        "",
        "An **error** makes the dataset invalid (exit code 3); a **warning** is worth a look; a **note** only informs.",
        "*fix*: `--fix FILE` corrects it in a copy, or leaves the line out. *opt-in*: costs far more than parsing.",
    ]
    for prefix, title in GROUPS.items():
        lines += ["", f"## {title}", "", "| code | name | severity | what | what to do |", "|---|---|---|---|---|"]
        for check in CHECKS.values():
            if check.code.startswith(prefix):
                marks = [check.severity] + ["*fix*"] * check.fixable + ["*opt-in*"] * check.opt_in
                cells = (check.code, f"`{check.name}`", ", ".join(marks), check.meaning, check.hint)
                lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(render(), end="")
