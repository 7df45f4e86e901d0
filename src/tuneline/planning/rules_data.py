"""Rules of the datasets, judged on what `validate_dataset` found. Where nothing was read yet, they say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneline.errors import Problem
from tuneline.planning.rules import Context, Findings, note, rule, warning

# Names of formats as in the reports of `tuneline validate`.
_GENERATION, _CHAT = "palm-text", "palm-chat"
_GEMINI, _PREFERENCE, _GEMINI_API = "gemini", "preference", "gemini-api"
# What an open model's trainer reads; the era of PaLM knew only the two above.
_OPEN = (_GENERATION, _CHAT, "openai-messages", "prompt-completion", "gemini", "gemini-1.0-messages", "gemini-api")
_SHAPE = {
    _GENERATION: '{"input_text": ..., "output_text": ...}',
    _CHAT: '{"messages": [{"author": "user", "content": ...}, ...]}',
    _GEMINI: '{"contents": [{"role": "user", "parts": [{"text": ...}]}, {"role": "model", "parts": ...}]}',
    _PREFERENCE: '{"contents": [...], "completions": [{"completion": ..., "score": 1}, {..., "score": 0}]}',
    _GEMINI_API: '{"text_input": ..., "output": ...}',
}
# The words for a format whose shape alone would not say what it is for.
_FOR = {_GENERATION: "generation models", _CHAT: "chat models"}
# Findings of the validator that a rule here tells in its own words.
_TOLD_HERE = ("D101", "D102", "D107", "D108", "D113", "D501", "D503", "D504", "D513")


def usable(found: Mapping[str, Any] | None) -> bool:
    """Whether the set was read and has a format; only then do the other rules judge it."""
    return bool(found) and not (found or {}).get("error") and (found or {}).get("format", "") not in ("", "unknown")


@rule("data")
def readable_data(context: Context) -> Findings:
    """Every dataset is there and can be read."""
    if context.facts is None:
        return
    for which, name in context.names.sets.items():
        found = context.data(which)
        if not context[name]:
            continue
        if not found:
            yield Problem(where=name, what="was not read", fix="run validate_dataset on it first")
        elif found.get("error"):
            yield Problem(where=name, what=str(found["error"]), fix="check the URI, and who may read it")
        elif not found.get("examples") and found.get("container") != "broken":
            yield Problem(where=name, what=f"{context[name]} holds no example", fix="check what wrote it")


@rule("data")
def json_lines(context: Context) -> Findings:
    """Every dataset is JSON lines: one example a line, in UTF-8."""
    for which, name in context.names.sets.items():
        found = context.data(which) or {}
        container = found.get("container") or "jsonl"
        if found.get("error") or container == "jsonl":
            continue
        what = {
            "json-array": "is one JSON array, not JSON lines",
            "json-object": "is one JSON object, not JSON lines",
            "concatenated": "holds examples that run over several lines",
        }.get(container, "is not JSON lines")
        yield Problem(
            where=name,
            what=f"{context[name]} {what}",
            fix=f"tuneline convert FILE --to {_wanted(context)} -o NEW.jsonl",
        )


@rule("data")
def format_of_the_family(context: Context) -> Findings:
    """Generation models take `input_text` / `output_text`, chat models `messages`; open models other formats too.

    What a managed service takes is made of the other formats when the data is staged, but for preferences.
    """
    model = context.model
    for which, name in context.names.sets.items():
        found = context.data(which) or {}
        form = found.get("format") or "unknown"
        if found.get("error") or not found.get("examples") or found.get("container") == "broken":
            continue  # nothing there to have a format
        wanted = _wanted(context)
        accepted = _OPEN if model is not None and model.kind != "bison" and not context.is_chat else (wanted,)
        if context.managed:
            # A preference has what no other format has; the others become what the service takes.
            accepted = (wanted,) if wanted == _PREFERENCE else _OPEN
        if form in accepted:
            if context.managed and form != wanted:
                yield note(f"{name} is in the format {form}: it is converted to {wanted} when it is staged")
            continue
        if form == "unknown":
            what = "is in no known format"
        elif form in _FOR:
            what = f"is in the format of {_FOR[form]} ({form})"
        else:
            what = f"is in the format {form}"
        yield Problem(
            where=name,
            what=f"{context[name]} {what}; {_asked(context)} takes {_SHAPE[wanted]}",
            fix="write both answers and which is better"
            if wanted == _PREFERENCE
            else f"tuneline convert FILE --to {wanted} -o NEW.jsonl",
        )


@rule("data")
def one_format(context: Context) -> Findings:
    """Evaluation and test set have the training set's format."""
    train = context.data("train")
    if not usable(train):
        return
    for which, name in list(context.names.sets.items())[1:]:
        found = context.data(which)
        if usable(found) and (found or {})["format"] != (train or {})["format"]:
            yield Problem(
                where=name,
                what=f"is in the format {(found or {})['format']}, and the training set in {(train or {})['format']}",
                fix=f"tuneline convert FILE --to {(train or {})['format']} -o NEW.jsonl",
            )


@rule("data")
def valid_examples(context: Context) -> Findings:
    """No example has an error; the first few are told, all are in the validation report."""
    for which, name in context.names.sets.items():
        found = context.data(which) or {}
        counts = found.get("counts") or {}
        told = sum(int(counts.get(code, 0)) for code in _TOLD_HERE)
        others = int(found.get("errors") or 0) - told
        if not usable(found) or others <= 0:
            continue
        texts = [_words(f) for f in found.get("findings") or []]
        texts = [text for text in texts if not any(code in text for code in _TOLD_HERE)]
        first = "; ".join(texts[:3])
        yield Problem(
            where=name,
            what=f"{context[name]} has {others} error{'s' if others > 1 else ''}" + (f": {first}" if first else ""),
            fix="tuneline validate shows each with its line; --fix writes a corrected copy",
        )


@rule("data")
def training_size(context: Context) -> Findings:
    """10 examples at least and 10,000 at most (chat: 10,000 `author` fields); 500 or more are recommended.

    Of Gemini models as many as the catalogue says: of the developer API fewer than 20 are only warned of.
    """
    found, model = context.data("train"), context.model
    if not usable(found) or model is None or not (found or {}).get("examples"):
        return
    number = int((found or {})["examples"])
    authors = int((found or {}).get("author_fields") or 0)
    if model.min_examples and number < model.min_examples:
        yield Problem(
            where=context.names.train,
            what=f"has {_count(number)}",
            fix=f"at least {model.min_examples}; {model.recommended_examples or 100} are recommended",
        )
    elif model.few_examples and number < model.few_examples:
        yield warning(f"{_count(number)}: fewer than {model.few_examples} seldom help")
    elif model.recommended_examples and number < model.recommended_examples:
        yield note(f"{_count(number)}: {model.recommended_examples} or more are recommended")
    is_chat = context.is_chat or (found or {})["format"] == _CHAT
    if is_chat and model.max_author_fields and authors > model.max_author_fields:
        yield Problem(
            where=context.names.train,
            what=f"has {authors:,} author fields in all",
            fix=f"at most {model.max_author_fields:,}: take a sample, or shorten the conversations",
        )
    if not is_chat and model.max_examples and number > model.max_examples:
        yield Problem(
            where=context.names.train,
            what=f"has {_count(number)}",
            fix=f"at most {model.max_examples:,}: take a sample",
        )


@rule("data")
def evaluation_size(context: Context) -> Findings:
    """The evaluation set has 10 to 250 examples; for Gemini as many as the catalogue says, by number and by share."""
    found, model = context.data("evaluation"), context.model
    if not usable(found) or model is None or context.is_chat or not (found or {}).get("examples"):
        return
    number = int((found or {})["examples"])
    low, high = model.min_evaluation_examples or 1, model.max_evaluation_examples
    if number < low or (high and number > high):
        yield Problem(
            where=context.names.evaluation,
            what=f"has {_count(number)}",
            fix=f"{low} to {high:,}: tuneline split DATASET --eval N -o DIR" if high else f"at least {low}",
        )
        return
    trained = int((context.data("train") or {}).get("examples") or 0)
    share = model.max_evaluation_share
    if share and number > model.evaluation_share_from and trained and number > share * trained:
        yield Problem(
            where=context.names.evaluation,
            what=f"has {_count(number)}, which is {number / trained:.0%} of the training set",
            fix=f"above {model.evaluation_share_from:,} at most {share:.0%} of it, here {int(share * trained):,}",
        )


@rule("data")
def small_test_set(context: Context) -> Findings:
    """A test set of fewer than 30 examples cannot show small differences, and is warned of."""
    found = context.data("test")
    if usable(found) and 0 < int((found or {}).get("examples") or 0) < 30:
        yield warning(f"the test set has {_count(int((found or {})['examples']))}: only large differences will show")


@rule("data")
def worth_a_look(context: Context) -> Findings:
    """What the validator warns of without an error (duplicates, contradictions, leakage) is warned of here too."""
    words = {
        "D601": "duplicate lines",
        "D603": "contradicting examples",
        "D604": "examples that are in another set too",
    }
    for which, name in context.names.sets.items():
        counts = (context.data(which) or {}).get("counts") or {}
        for code, what in words.items():
            if counts.get(code):
                yield warning(f"{name}: {counts[code]} {what} [{code}]")


def _wanted(context: Context) -> str:
    """The format that the engine is given."""
    if context.names.engine == "vertex_tuning":
        return _PREFERENCE if context["preference_tuning"] else _GEMINI
    if context.names.engine == "gemini_api":
        return _GEMINI_API
    return _CHAT if context.is_chat else _GENERATION


def _asked(context: Context) -> str:
    return context.reference or context.template


def _count(number: int) -> str:
    return f"{number:,} example{'' if number == 1 else 's'}"


def _words(finding: object) -> str:
    """A finding as text, whichever of the two forms the facts carry."""
    if not isinstance(finding, Mapping):
        return str(finding)
    place = f"line {finding['line']}: " if finding.get("line") else ""
    return f"{place}{finding.get('code', '')} {finding.get('message', '')}".strip()
